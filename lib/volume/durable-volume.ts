/**
 * What a replica has of a volume on its disk, and the writes that change it.
 *
 * Writes take effect in the order in which they were wanted. A crash keeps all that was synced and,
 * of what was not, none, all or the first few.
 */

import { EMPTY_HISTORY, type HistoryPoint } from '../council/lease-record.ts'
import type { Epoch } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import { appendEntries, cutHistory, type History, type LogEntry } from './history.ts'

export interface DurableVolume<E extends LogEntry> {
  readonly history: History<E>
  /** Nothing of an earlier epoch is accepted any more. */
  promised: Epoch
  /** Acknowledged as far as this replica has heard. */
  commit: HistoryPoint
}

/**
 * Entries that are `dropped` were never acknowledged. They are kept as a branch, behind `to`,
 * before anything takes their place.
 */
export type VolumeWrite<E extends LogEntry> =
  | { readonly kind: 'promise'; readonly epoch: Epoch }
  | { readonly kind: 'append'; readonly entries: readonly E[] }
  | { readonly kind: 'cut'; readonly to: HistoryPoint; readonly dropped: readonly E[] }
  /** May come late: after a restart the replica shows less until it hears again. */
  | { readonly kind: 'commit'; readonly point: HistoryPoint }
  /** A checkpoint, durable already, stands for all that was there. */
  | { readonly kind: 'install'; readonly point: HistoryPoint; readonly dropped: readonly E[] }

export function emptyDurableVolume<E extends LogEntry>(): DurableVolume<E> {
  return {
    history: { base: EMPTY_HISTORY, entries: [] },
    promised: 0 as Epoch,
    commit: EMPTY_HISTORY
  }
}

export function applyVolumeWrite<E extends LogEntry>(
  volume: DurableVolume<E>,
  write: VolumeWrite<E>
): void {
  switch (write.kind) {
    case 'promise':
      volume.promised = write.epoch
      return
    case 'append':
      return appendEntries(volume.history, write.entries)
    case 'cut':
      cutHistory(volume.history, write.to.index)
      return
    case 'commit':
      volume.commit = write.point
      return
    case 'install':
      volume.history.base = write.point
      volume.history.entries = []
      volume.commit = write.point
      return
    default:
      unreachable(write)
  }
}
