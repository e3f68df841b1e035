/** What the main thread knows of a volume, as the volumes' state machines want it. */

import type { VolumeStart } from '../replication/replication-ports.ts'
import { decodeVolumeBatch } from '../volume/volume-wire.ts'
import type { VolumeStartMessage } from './cluster-messages.ts'

export function volumeStartOf({ pending, ...rest }: VolumeStartMessage): VolumeStart {
  const bytes = pending === undefined ? undefined : Buffer.from(pending)
  const message = bytes === undefined ? undefined : decodeVolumeBatch(bytes)[0]?.message
  const entries = message?.kind === 'fetched' ? message.entries : []
  return { ...rest, pending: entries.map(entry => entry.logged) }
}
