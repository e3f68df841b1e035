/**
 * What a replica does for whoever holds the volume, or is about to: takes entries, promises to take
 * nothing older, says what it has, and hands on what it has.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import type { Epoch, Index, ReplicaId } from '../ids.ts'
import { present } from '../util/assert.ts'
import { askForBodies } from './bodies.ts'
import { entriesFrom, forkOf, hasPoint, pointAt, tailOf, type LogEntry } from './history.ts'
import { leaveEpoch } from './leaving.ts'
import type { VolumeMessageOf } from './volume-message.ts'
import { heldThrough } from './volume-state.ts'
import type { VolumeTurn } from './volume-turn.ts'

export function acceptAppend<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { epoch, previous, entries, commit }: VolumeMessageOf<E, 'append'>
): void {
  const { state } = turn
  if (!acceptEpoch(turn, from, epoch)) return
  if (!hasPoint(state.history, previous)) {
    const tail = tailOf(state.history, state.commit.index)
    turn.send(from, { kind: 'missing', epoch, tail })
    return
  }
  mergeEntries(turn, from, entries)
  agreeThrough(turn, (previous.index + entries.length) as Index)
  turn.learnCommit(commit)
}

/** The holder no longer has what leads from our history to its own. */
export function acceptCheckpoint<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { epoch, point }: VolumeMessageOf<E, 'checkpoint'>
): void {
  const { state } = turn
  if (!acceptEpoch(turn, from, epoch)) return
  if (hasPoint(state.history, point)) {
    turn.learnCommit(point)
    agreeThrough(turn, point.index)
    return
  }
  turn.emit({ kind: 'fetchCheckpoint', from, point })
}

/**
 * A checkpoint has come. Where history here goes through its point it is not needed; where it does
 * not, what is here behind the fork can never be acknowledged, since the point is.
 */
export function acceptInstalled<E extends LogEntry>(
  turn: VolumeTurn<E>,
  point: HistoryPoint
): void {
  const { state } = turn
  if (point.index <= state.commit.index || hasPoint(state.history, point)) return
  turn.install(point)
}

export function answerSeal<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { epoch }: VolumeMessageOf<E, 'seal'>
): void {
  const { state } = turn
  if (!turn.rules.mayAccept(state.promised, epoch)) {
    turn.send(from, { kind: 'refused', epoch, promised: state.promised })
    return
  }
  if ('epoch' in state.phase && state.phase.epoch < epoch) leaveEpoch(turn)
  turn.promise(epoch)
  turn.sendWhenDurable(from, {
    kind: 'sealed',
    epoch,
    last: sealedPoint(turn),
    commit: state.commit
  })
}

/**
 * The end of what a seal may count on here once all that is wanted is durable. Entries whose bodies
 * are not here do not count: they are not acked, and a successor could never ack them either.
 */
export function sealedPoint<E extends LogEntry>(turn: VolumeTurn<E>): HistoryPoint {
  const { history } = turn.state
  const index = Math.max(heldThrough(turn.state), history.base.index)
  return present(pointAt(history, index), 'end of a sealed history')
}

export function answerFetch<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { through, tail }: VolumeMessageOf<E, 'fetch'>
): void {
  const { history } = turn.state
  if (pointAt(history, through.index)?.hash !== through.hash) return
  const fork = Math.min(forkOf(history, tail), through.index)
  if (fork < history.base.index) {
    turn.send(from, { kind: 'base', through, point: history.base })
    return
  }
  const count = Math.min(through.index - fork, turn.setup.entriesPerMessageMax)
  const entries = entriesFrom(history, fork + 1, count)
  const previous = present(pointAt(history, fork), 'fork')
  turn.send(from, { kind: 'fetched', through, previous, entries })
}

/** Takes what is not here yet, in the place of what is here instead. */
export function mergeEntries<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  entries: readonly E[]
): void {
  const { history } = turn.state
  const first = entries.findIndex(
    ({ index, hash }) => index > history.base.index && pointAt(history, index)?.hash !== hash
  )
  if (first < 0) return
  const news = entries.slice(first)
  turn.cutTo((present(news[0], 'news').index - 1) as Index)
  turn.append(news, false)
  askForBodies(turn, from, news)
}

/** Tells the holder what is durable here, when that is more than it was told, or when it asked. */
export function sendAck<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { accepted, synced, commit } = turn.state
  if (accepted === undefined || synced < accepted.promise) return
  const through = Math.min(accepted.through, turn.ackable) as Index
  const isWanted = through > accepted.acked || (accepted.isAsked && through === accepted.through)
  if (!isWanted) return
  accepted.acked = through
  accepted.isAsked = false
  const { epoch, from } = accepted
  turn.send(from, { kind: 'ack', epoch, through, commit: commit.index })
}

/** @returns whether `from` is whom to follow in `epoch`; if so, it is followed from here on */
function acceptEpoch<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  epoch: Epoch
): boolean {
  const { state } = turn
  if (!turn.rules.mayAccept(state.promised, epoch)) {
    turn.send(from, { kind: 'refused', epoch, promised: state.promised })
    return false
  }
  if ('epoch' in state.phase) {
    if (state.phase.epoch === epoch && state.phase.kind !== 'fenced') return false
    if (state.phase.epoch < epoch) {
      leaveEpoch(turn)
      state.phase = { kind: 'follower' }
    }
  }
  turn.promise(epoch)
  if (state.accepted === undefined || state.accepted.epoch < epoch) {
    const [through, acked] = [0 as Index, 0 as Index]
    state.accepted = { epoch, from, promise: state.urgent, through, acked, isAsked: false }
  }
  return true
}

function agreeThrough<E extends LogEntry>(turn: VolumeTurn<E>, through: Index): void {
  const { accepted } = turn.state
  if (accepted === undefined) return
  accepted.through = Math.max(accepted.through, through) as Index
  accepted.isAsked = true
}
