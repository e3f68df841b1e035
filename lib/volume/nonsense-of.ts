/**
 * What is wrong with a message about a volume that no replica sends which keeps to the protocol,
 * and which would break the history here.
 *
 * A message is looked at before anything is done with it, so one that makes no sense leaves no
 * trace. Only what contradicts what is known for sure is refused: a message that is merely late is
 * answered as ever.
 */

import { pointAt, type LogEntry } from './history.ts'
import { holdingOf } from './holding.ts'
import type { VolumeMessage, VolumeMessageOf } from './volume-message.ts'
import type { VolumeTurn } from './volume-turn.ts'

/** @returns what is wrong, as the end of a sentence about the sender; undefined when nothing is */
export function nonsenseOf<E extends LogEntry>(
  turn: VolumeTurn<E>,
  message: VolumeMessage<E>
): string | undefined {
  const { state } = turn
  switch (message.kind) {
    case 'append':
      // An older epoch is refused politely, whatever else it says.
      return turn.rules.mayAccept(state.promised, message.epoch)
        ? chainFault(turn, message)
        : undefined
    case 'fetched':
      return isGoal(turn, message)
        ? (epochFault(turn, message) ?? chainFault(turn, message))
        : undefined
    case 'base':
      return message.point.index > message.through.index
        ? 'offers a checkpoint behind what it leads to'
        : undefined
    case 'ack':
      return answersHolding(turn, message.epoch) && message.through > turn.head.index
        ? `has entry ${message.through}, which nobody wrote`
        : undefined
    case 'missing':
      return answersHolding(turn, message.epoch) && message.tail.commit > turn.head.index
        ? `takes entry ${message.tail.commit} for acknowledged, which nobody wrote`
        : undefined
    default:
      return undefined
  }
}

/** Whether the entries can take their place in the history here. */
function chainFault<E extends LogEntry>(
  { state: { history, commit } }: VolumeTurn<E>,
  { previous, entries }: VolumeMessageOf<E, 'append' | 'fetched'>
): string | undefined {
  const { base } = history
  const isFollowed =
    previous.index < base.index || pointAt(history, previous.index)?.hash === previous.hash
  // Then it is asked for what comes before.
  if (!isFollowed) return undefined
  const first = entries.find(
    ({ index, hash }) => index >= base.index && pointAt(history, index)?.hash !== hash
  )
  if (first === undefined) return undefined
  const { index, epoch } = first
  if (index <= commit.index) return `contradicts entry ${index}, which is acknowledged`
  const before = pointAt(history, index - 1)
  const follows = before?.hash === first.previous && epoch >= before.epoch
  return follows ? undefined : `sends an entry ${index} that does not follow ${index - 1}`
}

/** What leads to the beginning of an epoch is not of that epoch, nor of a later one. */
function epochFault<E extends LogEntry>(
  { state: { phase } }: VolumeTurn<E>,
  { entries }: VolumeMessageOf<E, 'fetched'>
): string | undefined {
  const last = entries.at(-1)
  if (last === undefined || !('epoch' in phase) || last.epoch <= phase.epoch) return undefined
  return `has an entry of epoch ${last.epoch} before the beginning of epoch ${phase.epoch}`
}

function isGoal<E extends LogEntry>(
  { state: { phase } }: VolumeTurn<E>,
  { through }: VolumeMessageOf<E, 'fetched'>
): boolean {
  if (phase.kind === 'waitingBase') return phase.base.hash === through.hash
  return phase.kind === 'recovering' && phase.chosen?.last.hash === through.hash
}

function answersHolding<E extends LogEntry>(turn: VolumeTurn<E>, epoch: number): boolean {
  return holdingOf(turn)?.epoch === epoch
}
