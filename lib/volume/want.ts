/**
 * How a replica comes by the lease: it asks whoever holds it, or claims it where nobody does.
 *
 * What the council has recorded is the truth; what other replicas say only makes it faster.
 */

import type { LogEntry } from './history.ts'
import type { VolumeMessageOf } from './volume-message.ts'
import type { VolumeTurn } from './volume-turn.ts'

/** Ticks without an answer after which the council is asked, and then the holder again. */
const ASK_TIMEOUT_TICKS = 50

export function setWanted<E extends LogEntry>(turn: VolumeTurn<E>, isWanted: boolean): void {
  const { state } = turn
  if (!isWanted) state.want = undefined
  else state.want ??= { ticks: 0, waited: 0 }
}

export function onAnswer<E extends LogEntry>(
  turn: VolumeTurn<E>,
  { number, answer }: VolumeMessageOf<E, 'answer'>
): void {
  const { want, asks } = turn.state
  if (want === undefined || asks !== number) return
  if (answer.kind === 'later' || answer.kind === 'busy') {
    want.ticks = Math.min(answer.ticks, ASK_TIMEOUT_TICKS)
    return
  }
  // Granted or not there: in either case the council knows better than we do.
  turn.emit({ kind: 'readLease' })
}

export function evaluateWant<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { want, phase, session, isProposing, lease } = turn.state
  const isIdle = phase.kind === 'follower' || phase.kind === 'fenced'
  if (want === undefined || !isIdle || session === 0 || isProposing || want.ticks > 0) return
  want.ticks = ASK_TIMEOUT_TICKS
  if (lease === undefined) return turn.emit({ kind: 'readLease' })
  if (lease.holder === undefined || lease.record.holder === session) {
    turn.propose({ kind: 'claim', epoch: lease.record.epoch })
    return
  }
  turn.send(lease.holder, {
    kind: 'ask',
    session,
    number: ++turn.state.asks,
    waited: want.waited
  })
}

export function tickWant<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { want } = turn.state
  if (want === undefined) return
  want.waited++
  if (want.ticks === 0) return
  if (--want.ticks === 0) turn.emit({ kind: 'readLease' })
}
