/** Two messages of a holder to the same follower, as one. */

import type { LogEntry } from './history.ts'
import type { VolumeMessage, VolumeMessageOf } from './volume-message.ts'

/** @returns one message that says what `first` and then `second` say; undefined if none does */
export function mergedAppend<E extends LogEntry>(
  first: VolumeMessage<E>,
  second: VolumeMessage<E>
): VolumeMessageOf<E, 'append'> | undefined {
  if (first.kind !== 'append' || second.kind !== 'append') return undefined
  const { epoch, previous, entries } = first
  const end = entries.at(-1) ?? previous
  const goesOn = second.previous.index === end.index && second.previous.hash === end.hash
  if (second.epoch !== epoch || !goesOn) return undefined
  return {
    kind: 'append',
    epoch,
    previous,
    entries: [...entries, ...second.entries],
    commit: second.commit
  }
}
