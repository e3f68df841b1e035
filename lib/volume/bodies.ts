/**
 * Bodies that entries name and that do not come with them: which are not here, and when they are
 * asked for.
 *
 * Each entry counts by itself: that the bodies of a later one have come says nothing of it. What
 * nobody could give is asked for again after a while, and as soon as another replica is there.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import type { ReplicaId } from '../ids.ts'
import { pointAt, type LogEntry } from './history.ts'
import type { VolumeTurn } from './volume-turn.ts'

/** Ticks until bodies are asked for again that could not be had. */
const ASK_AGAIN_TICKS = 50

/** The bodies that the entry `point` names are durable here. */
export function onHeld<E extends LogEntry>(turn: VolumeTurn<E>, point: HistoryPoint): void {
  const { state } = turn
  if (pointAt(state.history, point.index)?.hash !== point.hash) return
  state.lacking = state.lacking.filter(index => index !== point.index)
}

/** Some that were asked for are not to be had now. */
export function onUnheld<E extends LogEntry>(turn: VolumeTurn<E>): void {
  if (turn.state.lacking.length > 0) turn.state.askBodiesIn = ASK_AGAIN_TICKS
}

/** Others may have what those before did not. */
export function hurryBodies<E extends LogEntry>(turn: VolumeTurn<E>): void {
  if (turn.state.askBodiesIn > 0) turn.state.askBodiesIn = 1
}

export function tickBodies<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { state } = turn
  if (state.askBodiesIn === 0 || --state.askBodiesIn > 0) return
  const from = state.accepted?.from ?? state.peers[0] ?? turn.self
  askForBodies(turn, from, entriesLacking(turn))
}

/** Asks for the bodies of those of `entries` that name some. */
export function askForBodies<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  entries: readonly E[]
): void {
  const wanted = entries.filter(({ hasBodies }) => hasBodies)
  if (wanted.length > 0) turn.emit({ kind: 'fetchBodies', from, entries: wanted })
}

function entriesLacking<E extends LogEntry>(turn: VolumeTurn<E>): E[] {
  const { history, lacking } = turn.state
  return history.entries.filter(({ index }) => lacking.includes(index))
}
