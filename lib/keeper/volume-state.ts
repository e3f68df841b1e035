import type { HistoryPoint } from '../council/lease-record.ts'
import type { LoggedEntry } from '../feed/entry.ts'
import type { Epoch, VolumeId } from '../ids.ts'
import { promiseKey, volumeKey } from '../store/keys.ts'
import { decodeCount, decodeVolume } from '../store/records.ts'
import type { StoreReader } from '../store/store.ts'
import { emptyVolume, type VolumeRecord } from '../tree/volume-record.ts'
import { headOf } from './heads.ts'

/** What a replica of a cluster has of a volume when it starts. */
export interface VolumeState {
  /** Everything through here is committed and in the store. */
  readonly record: HistoryPoint
  readonly promised: Epoch
  /** What follows; to be appended to the new feed before anything else of the volume. */
  readonly pending: readonly LoggedEntry[]
}

export function volumeStateIn(
  store: Pick<StoreReader, 'get'>,
  volume: VolumeId,
  pending: readonly LoggedEntry[]
): VolumeState {
  const record = recordIn(store, volume)
  const stored = store.get(promiseKey(volume))
  const said = stored === undefined ? 0 : decodeCount(stored)
  // An entry of an epoch is accepted with the promise of it.
  const promised = Math.max(said, record.epoch, pending.at(-1)?.entry.epoch ?? 0) as Epoch
  return { record: headOf(record), promised, pending }
}

export function recordIn(store: Pick<StoreReader, 'get'>, volume: VolumeId): VolumeRecord {
  const stored = store.get(volumeKey(volume))
  return stored === undefined ? emptyVolume(volume) : decodeVolume(stored)
}
