/**
 * How a holder gives the volume away: to somebody who asked, or back to the council.
 *
 * Local lock owners finish first; their locks are never broken for others. Then everything is
 * appended and acknowledged, so that whoever comes next need ask nobody, and from the moment on in
 * which the council is told the end of history nothing is appended in this epoch, whatever the
 * council answers.
 */

import type { ReplicaId } from '../ids.ts'
import type { LogEntry } from './history.ts'
import { holdingOf } from './holding.ts'
import type { AskAnswer, VolumeMessageOf } from './volume-message.ts'
import type { HandOver } from './volume-state.ts'
import type { VolumeTurn } from './volume-turn.ts'

/** So long a volume stays at least, or two that want it would hand it about and do nothing. */
export const HOLD_TICKS_MIN = 2
/** When to ask again where it cannot be said. */
const LATER_TICKS = 10

export function onAsk<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { session, number, waited }: VolumeMessageOf<E, 'ask'>
): void {
  const { phase, lease } = turn.state
  const answer = (given: AskAnswer): void =>
    turn.send(from, { kind: 'answer', number, answer: given })
  if (phase.kind === 'follower' || phase.kind === 'fenced') {
    const hint = lease?.holder === turn.self ? undefined : lease?.holder
    return answer({ kind: 'notHolder', hint })
  }
  if (phase.kind !== 'holding') return answer({ kind: 'later', ticks: LATER_TICKS })
  if (phase.handOver?.to === session || phase.next?.session === session) return
  if (phase.handOver !== undefined) return answer({ kind: 'later', ticks: HOLD_TICKS_MIN })
  const { next } = phase
  const asker = { session, replica: from, number, waited }
  if (next !== undefined && next.waited >= waited) {
    return answer({ kind: 'later', ticks: HOLD_TICKS_MIN })
  }
  if (next !== undefined) {
    const later = { kind: 'later', ticks: HOLD_TICKS_MIN } as const
    turn.send(next.replica, { kind: 'answer', number: next.number, answer: later })
  }
  phase.next = asker
}

/** Begins to give the volume to whoever is next, as soon as it may go. */
export function evaluateNext<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { phase } = turn.state
  if (phase.kind !== 'holding' || phase.next === undefined) return
  if (phase.resize !== undefined || phase.handOver !== undefined) return
  if (phase.ticks < (turn.setup.holdTicksMin ?? HOLD_TICKS_MIN)) return
  const { session, replica, number } = phase.next
  phase.next = undefined
  phase.handOver = { to: session, asker: { replica, number }, isParked: false }
  turn.emit({ kind: 'park' })
}

export function giveBack<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { phase } = turn.state
  if (phase.kind !== 'holding' || phase.handOver !== undefined || phase.resize !== undefined) return
  phase.handOver = { to: 0, asker: undefined, isParked: false }
  turn.emit({ kind: 'park' })
}

export function onParked<E extends LogEntry>(turn: VolumeTurn<E>, isFree: boolean): void {
  const { phase } = turn.state
  if (phase.kind !== 'holding' || phase.handOver === undefined) return
  if (isFree) {
    phase.handOver.isParked = true
    return
  }
  tellAsker(turn, phase.handOver, { kind: 'busy', ticks: LATER_TICKS })
  phase.handOver = undefined
  turn.emit({ kind: 'unpark' })
}

/** Tells the council, when all is acknowledged. */
export function evaluateHandOver<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const holding = holdingOf(turn)
  if (holding?.kind !== 'holding' || holding.handOver?.isParked !== true) return
  const base = turn.head
  if (turn.state.commit.index !== base.index || turn.state.isProposing) return
  holding.kind = 'handing'
  const { epoch, handOver } = holding
  turn.propose(
    handOver.to === 0
      ? { kind: 'release', epoch, base }
      : { kind: 'grant', epoch, base, to: handOver.to }
  )
}

/** The asker has gone, say: then whoever comes next may have it from the council. */
export function onHandOverRefused<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const holding = holdingOf(turn)
  if (holding?.kind !== 'handing') return
  if (holding.handOver?.to === 0) return turn.emit({ kind: 'readLease' })
  holding.handOver = { to: 0, asker: undefined, isParked: true }
  turn.propose({ kind: 'release', epoch: holding.epoch, base: turn.head })
}

/** The council has a new record: our word was taken, if it is that. */
export function tellGranted<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const holding = holdingOf(turn)
  const { lease } = turn.state
  if (holding?.kind !== 'handing' || holding.handOver?.to !== lease?.record.holder) return
  if (holding.handOver !== undefined) tellAsker(turn, holding.handOver, { kind: 'granted' })
}

function tellAsker<E extends LogEntry>(
  turn: VolumeTurn<E>,
  { asker }: HandOver,
  answer: AskAnswer
): void {
  if (asker === undefined) return
  turn.send(asker.replica, { kind: 'answer', number: asker.number, answer })
}
