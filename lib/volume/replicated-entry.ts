/** An entry of the log as the volume's state machine sees it. */

import type { LoggedEntry } from '../feed/entry.ts'
import type { Epoch, Index } from '../ids.ts'
import type { HashText } from '../council/lease-record.ts'
import type { LogEntry } from './history.ts'

export interface ReplicatedEntry extends LogEntry {
  readonly logged: LoggedEntry
}

export function replicatedEntry(logged: LoggedEntry): ReplicatedEntry {
  const { entry, hash } = logged
  const epoch: Epoch = entry.epoch
  const index: Index = entry.index
  const previous: HashText = entry.previous.toString('hex')
  return {
    epoch,
    index,
    hash: hash.toString('hex'),
    previous,
    hasBodies: namesBodies(logged),
    logged
  }
}

/** Whether it names blobs that do not ride with it. */
function namesBodies({ entry: { change } }: LoggedEntry): boolean {
  return change.kind === 'seal' && change.extents.length > change.riding.length
}
