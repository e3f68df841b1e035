/**
 * An epoch at its holder: entries are appended, pushed to whoever follows, and acknowledged when
 * enough of the data set has them.
 *
 * Copies count in this epoch only and from its first entry on, the holder's own like any other's.
 * No acknowledgement rests on a clock: it stays true when the lease is gone.
 */

import type { LeaseRecord } from '../council/lease-record.ts'
import type { Epoch, Index, ReplicaId } from '../ids.ts'
import { assert, present } from '../util/assert.ts'
import { hurryBodies } from './bodies.ts'
import { forkOf, pointAt, type LogEntry } from './history.ts'
import { probe, pushToAll, tellCommit, tickFollowers } from './push.ts'
import type { VolumeMessageOf } from './volume-message.ts'
import type { CopyRule } from './volume-rules.ts'
import type { Holding, Progress } from './volume-state.ts'
import type { VolumeTurn } from './volume-turn.ts'

/** Begins `epoch` behind what is history here. */
export function startHolding<E extends LogEntry>(
  turn: VolumeTurn<E>,
  epoch: Epoch,
  since: Epoch,
  rule: CopyRule
): void {
  const { state } = turn
  assert(state.session !== 0, 'an epoch begins without a session')
  turn.promise(epoch)
  state.accepted = undefined
  const entry = turn.setup.beginEntry(epoch, state.session, turn.head)
  assert(entry.epoch === epoch && entry.index === turn.head.index + 1, 'a begin entry is not next')
  turn.append([entry], true)
  const begin = entry.index
  state.phase = {
    kind: 'holding',
    epoch,
    since,
    begin,
    rule,
    followers: new Map(state.peers.map(peer => [peer, unknownProgress(begin)])),
    resize: undefined,
    handOver: undefined,
    next: undefined,
    ticks: 0
  }
  turn.emit({ kind: 'holding', epoch, begin })
  turn.expose(begin)
}

/** The council has made our change of the data set: the next epoch begins where this one stands. */
export function continueHolding<E extends LogEntry>(
  turn: VolumeTurn<E>,
  holding: Holding,
  { epoch, dataSet, copies }: LeaseRecord
): void {
  turn.state.retired = holding.epoch
  const { handOver, since, next } = holding
  startHolding(turn, epoch, since, { dataSet, copies })
  const { phase } = turn.state
  if (phase.kind === 'holding') Object.assign(phase, { handOver, next })
}

export function appendOwn<E extends LogEntry>(turn: VolumeTurn<E>, entries: readonly E[]): void {
  const { phase } = turn.state
  assert(phase.kind === 'holding', 'entries are appended without the lease')
  assert(phase.handOver?.isParked !== true, 'entries are appended to a parked volume')
  assert(
    entries.every(({ epoch }) => epoch === phase.epoch),
    'an entry is not of the epoch that is held'
  )
  turn.append(entries, true)
  turn.expose(turn.head.index)
}

export function onAck<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { epoch, through, commit }: VolumeMessageOf<E, 'ack'>
): void {
  const holding = holdingOf(turn)
  const progress = holding?.followers.get(from)
  if (holding?.epoch !== epoch || progress === undefined) return
  assert(through <= turn.head.index, 'a replica acks what nobody wrote')
  progress.acked = Math.max(progress.acked, through) as Index
  progress.commit = Math.max(progress.commit, commit) as Index
  progress.next = Math.max(progress.next, through + 1)
  progress.ticks = 0
  progress.isProbing = false
}

export function onMissing<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { epoch, tail }: VolumeMessageOf<E, 'missing'>
): void {
  const holding = holdingOf(turn)
  const progress = holding?.followers.get(from)
  if (holding?.epoch !== epoch || progress === undefined) return
  const fork = forkOf(turn.state.history, tail)
  progress.commit = Math.max(progress.commit, tail.commit) as Index
  const isKnown = progress.isProbing && progress.probe === fork + 1
  if (fork < progress.acked || isKnown) return
  progress.probe = fork + 1
  progress.next = fork + 1
  probe(turn, holding, from, progress)
}

export function setPeers<E extends LogEntry>(
  turn: VolumeTurn<E>,
  peers: readonly ReplicaId[]
): void {
  const { peers: before } = turn.state
  turn.state.peers = peers.filter(peer => peer !== turn.self)
  if (turn.state.peers.some(peer => !before.includes(peer))) hurryBodies(turn)
  const holding = holdingOf(turn)
  if (holding === undefined) return
  for (const known of [...holding.followers.keys()]) {
    if (!turn.state.peers.includes(known)) holding.followers.delete(known)
  }
  for (const peer of turn.state.peers) {
    if (!holding.followers.has(peer)) holding.followers.set(peer, unknownProgress(holding.begin))
  }
}

/** Takes a change of the data set up, unless another, or a hand-over, is under way. */
export function wantResize<E extends LogEntry>(turn: VolumeTurn<E>, rule: CopyRule): void {
  const { phase } = turn.state
  if (phase.kind !== 'holding' || phase.resize !== undefined || phase.handOver !== undefined) return
  phase.resize = { rule, proposal: undefined }
}

/** Acknowledges what can be, proposes what is due, sends what is there to send. */
export function evaluateHolding<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const holding = holdingOf(turn)
  if (holding === undefined) return
  const isNews = commitWhatCounts(turn, holding)
  if (holding.kind === 'holding') proposeResize(turn, holding)
  pushToAll(turn, holding)
  if (isNews) tellCommit(turn, holding)
}

export function tickHolding<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const holding = holdingOf(turn)
  if (holding === undefined) return
  // Before the first entry is acknowledged nobody here could have used the volume.
  if (turn.state.commit.index >= holding.begin) holding.ticks++
  tickFollowers(turn, holding)
}

export function holdingOf<E extends LogEntry>(turn: VolumeTurn<E>): Holding | undefined {
  const { phase } = turn.state
  return phase.kind === 'holding' || phase.kind === 'handing' ? phase : undefined
}

function commitWhatCounts<E extends LogEntry>(turn: VolumeTurn<E>, holding: Holding): boolean {
  const { rule, resize, begin } = holding
  const isProposed = resize?.proposal !== undefined
  const rules = isProposed ? turn.rules.rulesDuring(rule, resize.rule) : [rule]
  const through = Math.min(...rules.map(each => copiesThrough(turn, holding, each)))
  if (through < turn.rules.countsFrom(begin) || through <= turn.state.commit.index) return false
  const point = present(pointAt(turn.state.history, through), 'acknowledged point')
  if (!turn.learnCommit(point)) return false
  turn.emit({ kind: 'committed', point })
  return true
}

function copiesThrough<E extends LogEntry>(
  turn: VolumeTurn<E>,
  { followers }: Holding,
  rule: CopyRule
): number {
  return turn.rules.committedThrough(rule, replica =>
    replica === turn.self ? turn.ackable : (followers.get(replica)?.acked ?? 0)
  )
}

function proposeResize<E extends LogEntry>(turn: VolumeTurn<E>, holding: Holding): void {
  const { resize, begin, epoch } = holding
  if (resize === undefined || resize.proposal !== undefined || turn.state.isProposing) return
  const needed = turn.rules.catchUpThrough(begin, turn.state.commit.index)
  if (copiesThrough(turn, holding, resize.rule) < needed) return
  const proposal = turn.propose({ kind: 'resize', epoch, ...resize.rule })
  holding.resize = { ...resize, proposal }
}

function unknownProgress(begin: Index): Progress {
  return {
    acked: 0 as Index,
    next: begin,
    probe: begin,
    isProbing: false,
    commit: 0 as Index,
    ticks: 0
  }
}
