/**
 * What a holder sends to those who follow: entries as soon as they exist, what has become
 * acknowledged, and again what seems to be lost.
 *
 * When a follower has all and knows what is acknowledged, nothing is sent to it any more.
 */

import type { ReplicaId } from '../ids.ts'
import { present } from '../util/assert.ts'
import { entriesFrom, pointAt, type LogEntry } from './history.ts'
import type { Holding, Progress } from './volume-state.ts'
import type { VolumeTurn } from './volume-turn.ts'

/** Messages on the way to one follower; it is to ack some before it gets more. */
const MESSAGES_IN_FLIGHT_MAX = 8
/** Ticks without a word after which a follower is sent to again. */
const SEND_AGAIN_TICKS = 20

export function pushToAll<E extends LogEntry>(turn: VolumeTurn<E>, holding: Holding): void {
  for (const [peer, progress] of holding.followers) pushTo(turn, holding, peer, progress)
}

/** Sends what has not been sent yet. */
export function pushTo<E extends LogEntry>(
  turn: VolumeTurn<E>,
  holding: Holding,
  peer: ReplicaId,
  progress: Progress
): void {
  const { entriesPerMessageMax } = turn.setup
  if (progress.isProbing) return
  while (progress.next <= turn.head.index) {
    const inFlight = progress.next - Math.max(progress.acked + 1, progress.probe)
    if (inFlight >= MESSAGES_IN_FLIGHT_MAX * entriesPerMessageMax) return
    if (!sendFrom(turn, holding, peer, progress, entriesPerMessageMax)) return
  }
}

/** Sends one message from where the follower may be, and waits for what it says. */
export function probe<E extends LogEntry>(
  turn: VolumeTurn<E>,
  holding: Holding,
  peer: ReplicaId,
  progress: Progress
): void {
  sendFrom(turn, holding, peer, progress, turn.setup.entriesPerMessageMax)
  progress.isProbing = true
}

/** Tells those who have all that is to be sent what they may now show. */
export function tellCommit<E extends LogEntry>(turn: VolumeTurn<E>, holding: Holding): void {
  const { commit } = turn.state
  for (const [peer, progress] of holding.followers) {
    const mayShow = progress.commit < commit.index && progress.acked >= commit.index
    if (mayShow) sendFrom(turn, holding, peer, progress, 0)
  }
}

export function tickFollowers<E extends LogEntry>(turn: VolumeTurn<E>, holding: Holding): void {
  const { commit } = turn.state
  for (const [peer, progress] of holding.followers) {
    const isDone = progress.acked === turn.head.index && progress.commit >= commit.index
    if (isDone || ++progress.ticks < SEND_AGAIN_TICKS) continue
    progress.ticks = 0
    progress.next = progress.acked > 0 ? progress.acked + 1 : progress.probe
    probe(turn, holding, peer, progress)
  }
}

/** @returns whether entries from `progress.next` on are still here to be sent */
function sendFrom<E extends LogEntry>(
  turn: VolumeTurn<E>,
  { epoch }: Holding,
  peer: ReplicaId,
  progress: Progress,
  count: number
): boolean {
  const { history, commit } = turn.state
  if (progress.next <= history.base.index) {
    turn.send(peer, { kind: 'checkpoint', epoch, point: history.base })
    progress.next = history.base.index + 1
    progress.isProbing = true
    return false
  }
  const previous = present(pointAt(history, progress.next - 1), 'predecessor')
  const entries = entriesFrom(history, progress.next, count)
  turn.send(peer, { kind: 'append', epoch, previous, entries, commit })
  progress.next += entries.length
  return true
}
