/**
 * The log, from its leader to all others. An entry is decided when a majority has it on disk and it
 * is of the leader's own term, or comes before one that is.
 */

import type { ReplicaId } from '../ids.ts'
import { assert, present } from '../util/assert.ts'
import type { LogPlace, RaftEntry, RaftInput, RaftMessage } from './raft-io.ts'
import {
  configOf,
  entriesBehind,
  isChanging,
  isMajority,
  lastPlace,
  majorityIndex,
  placeAt,
  type RaftProgress,
  type RaftRole
} from './raft-state.ts'
import { ELECTION_TICKS, HEARTBEAT_TICKS, type RaftTurn } from './raft-turn.ts'

type MessageOf<C, Kind extends string> = Extract<RaftMessage<C>, { kind: Kind }>
type Leader = Extract<RaftRole, { kind: 'leader' }>

/** Entries on the way to one member; it is to take some before it gets more. */
const IN_FLIGHT_MAX = 1024

export function beginTerm<C>(turn: RaftTurn<C>): void {
  const { state } = turn
  const begin = lastPlace(state).index + 1
  turn.become({ kind: 'leader', progress: new Map(), begin, round: 0, questions: [] }, turn.self)
  turn.append([{ term: state.term, index: begin, command: undefined, config: undefined }])
  beginRound(turn)
}

export function propose<C>(
  turn: RaftTurn<C>,
  { commands, config }: Extract<RaftInput<C>, { kind: 'propose' }>
): void {
  const { state } = turn
  const { role, term } = state
  if (role.kind !== 'leader') return turn.emit({ kind: 'notProposed' })
  if (config !== undefined) {
    // Two changes that are not decided could make two majorities without a voter in common, and so
    // could one of this term and one of an earlier leader's, hence the entry of this term first.
    const mayChange = !isChanging(state) && state.commit >= role.begin
    if (!mayChange || !isOneStep(configOf(state).voters, config.voters)) {
      return turn.emit({ kind: 'notProposed' })
    }
  }
  const first = lastPlace(state).index + 1
  turn.append(
    commands.map((command, i): RaftEntry<C> => ({ term, index: first + i, command, config }))
  )
}

/** Asks whether this is still the leader: by a round that begins now. */
export function confirm<C>(turn: RaftTurn<C>, token: number): void {
  const { role } = turn.state
  if (role.kind !== 'leader') return turn.emit({ kind: 'unconfirmed', token })
  role.questions.push({ token, round: role.round + 1 })
  beginRound(turn)
}

export function onAppend<C>(
  turn: RaftTurn<C>,
  from: ReplicaId,
  { term, previous, entries, commit, round }: MessageOf<C, 'append'>
): void {
  const { state } = turn
  const answer = (isTaken: boolean, index: number): void =>
    turn.sendWhenDurable(from, { kind: 'appended', term: state.term, isTaken, index, round })
  if (term < state.term) return answer(false, 0)
  follow(turn, from)
  const base = state.snapshot.place
  if (previous.index > base.index && placeAt(state, previous.index)?.term !== previous.term) {
    return answer(false, Math.min(previous.index - 1, behindConflict(turn, previous)))
  }
  const news = entries.filter(entry => entry.index > base.index)
  const at = news.findIndex(entry => placeAt(state, entry.index)?.term !== entry.term)
  if (at >= 0) {
    turn.cutTo(present(news[at], 'entry').index - 1)
    turn.append(news.slice(at))
  }
  const same = previous.index + entries.length
  turn.decide(Math.min(commit, Math.max(same, state.commit)))
  answer(true, Math.max(same, base.index))
}

export function onSnapshot<C>(
  turn: RaftTurn<C>,
  from: ReplicaId,
  { term, snapshot, round }: MessageOf<C, 'snapshot'>
): void {
  const { state } = turn
  const { index } = snapshot.place
  if (term === state.term) {
    follow(turn, from)
    if (index > state.commit) turn.install(snapshot)
  }
  const isTaken = term === state.term
  turn.sendWhenDurable(from, { kind: 'appended', term: state.term, isTaken, index, round })
}

export function onAppended<C>(
  turn: RaftTurn<C>,
  from: ReplicaId,
  { term, isTaken, index, round }: MessageOf<C, 'appended'>
): void {
  const { role } = turn.state
  const progress = role.kind === 'leader' ? role.progress.get(from) : undefined
  if (progress === undefined || term !== turn.state.term) return
  progress.isHeard = true
  progress.round = Math.max(progress.round, round)
  if (isTaken) {
    progress.match = Math.max(progress.match, index)
    progress.next = Math.max(progress.next, index + 1)
  } else if (index >= progress.match) {
    progress.next = Math.max(progress.match, Math.min(index, progress.next - 1)) + 1
  }
}

/** What a leader does after each step. */
export function evaluateLeader<C>(turn: RaftTurn<C>): void {
  const { state, self } = turn
  const { role } = state
  if (role.kind !== 'leader') return
  const config = configOf(state)
  const decided = majorityIndex(config, voter => {
    return voter === self ? state.durable : (role.progress.get(voter)?.match ?? 0)
  })
  if (decided >= role.begin && decided > state.commit) {
    turn.decide(decided)
    // Led until its own leaving was decided.
    if (!config.voters.includes(self) && !isChanging(state)) {
      return turn.become({ kind: 'follower' }, 0)
    }
  }
  answerQuestions(turn, role)
  pushEntries(turn, role)
  tellDecisions(turn, role)
}

export function tickLeader<C>(turn: RaftTurn<C>): void {
  const { state, self } = turn
  const { role } = state
  if (role.kind !== 'leader') return
  if (state.ticks >= HEARTBEAT_TICKS) beginRound(turn, true)
  if (++state.quorumTicks < ELECTION_TICKS) return
  state.quorumTicks = 0
  // One that a majority does not hear leads nobody, and had better not be asked.
  const isHeard = (voter: ReplicaId): boolean =>
    voter === self || role.progress.get(voter)?.isHeard === true
  if (!isMajority(configOf(state), isHeard)) return turn.become({ kind: 'follower' }, 0)
  for (const progress of role.progress.values()) progress.isHeard = false
}

function follow<C>(turn: RaftTurn<C>, leader: ReplicaId): void {
  const { state } = turn
  assert(state.role.kind !== 'leader', `two replicas lead in term ${state.term}`)
  if (state.role.kind !== 'follower' || state.leader !== leader) {
    turn.become({ kind: 'follower' }, leader)
  }
  state.ticks = 0
}

/**
 * Sends to everybody, also where there is nothing new, and asks to be answered.
 *
 * @param sendsAgain also what was sent and is not answered: it may be lost
 */
function beginRound<C>(turn: RaftTurn<C>, sendsAgain = false): void {
  const { state, self } = turn
  const { role } = state
  if (role.kind !== 'leader') return
  role.round++
  state.ticks = 0
  const members = [...new Set([...configOf(state).voters, ...state.learners])].filter(
    member => member !== self
  )
  for (const known of role.progress.keys()) {
    if (!members.includes(known)) role.progress.delete(known)
  }
  for (const member of members) {
    let progress = role.progress.get(member)
    if (progress === undefined) {
      const next = lastPlace(state).index + 1
      role.progress.set(member, (progress = { match: 0, next, round: 0, told: 0, isHeard: true }))
    } else if (sendsAgain && progress.match > 0) {
      progress.next = progress.match + 1
    }
    sendTo(turn, role, member, progress)
  }
}

function pushEntries<C>(turn: RaftTurn<C>, role: Leader): void {
  for (const [member, progress] of role.progress) {
    while (progress.next <= lastPlace(turn.state).index) {
      if (progress.match > 0 && progress.next - progress.match > IN_FLIGHT_MAX) break
      if (!sendTo(turn, role, member, progress)) break
    }
  }
}

/** Who waits for a decision elsewhere is not to wait for the next round as well. */
function tellDecisions<C>(turn: RaftTurn<C>, role: Leader): void {
  const { state } = turn
  for (const [member, progress] of role.progress) {
    // More entries are on their way to the others, or will be, and bring the news along.
    const hasAll = progress.match > 0 && progress.next > lastPlace(state).index
    if (hasAll && progress.told < state.commit) sendTo(turn, role, member, progress)
  }
}

/** @returns whether entries were sent */
function sendTo<C>(
  turn: RaftTurn<C>,
  { round }: Leader,
  member: ReplicaId,
  progress: RaftProgress
): boolean {
  const { state } = turn
  const { term, snapshot, commit } = state
  if (progress.next <= snapshot.place.index) {
    turn.send(member, { kind: 'snapshot', term, snapshot, round })
    progress.next = snapshot.place.index + 1
    return false
  }
  const previous = present(placeAt(state, progress.next - 1), 'predecessor')
  const entries = entriesBehind(state, previous.index, turn.setup.entriesPerMessageMax)
  const { index } = previous
  const place = { term: previous.term, index }
  turn.send(member, { kind: 'append', term, previous: place, entries, commit, round })
  progress.next += entries.length
  progress.told = commit
  return entries.length > 0
}

/** Once this term has decided something, all that was decided before is known to be so. */
function answerQuestions<C>(turn: RaftTurn<C>, role: Leader): void {
  const { state, self } = turn
  if (state.commit < role.begin) return
  const answered = majorityIndex(configOf(state), voter =>
    voter === self ? role.round : (role.progress.get(voter)?.round ?? 0)
  )
  role.questions = role.questions.filter(({ token, round }) => {
    if (!turn.setup.rules.isConfirmed(round, answered)) return true
    turn.emit({ kind: 'confirmed', token, index: state.commit })
    return false
  })
}

/** Where to try next: before all entries of the term that stands in the way here. */
function behindConflict<C>({ state }: RaftTurn<C>, previous: LogPlace): number {
  const last = lastPlace(state)
  if (last.index < previous.index) return last.index
  const term = placeAt(state, previous.index)?.term
  const first = state.entries.find(entry => entry.term === term)
  return first === undefined ? state.snapshot.place.index : first.index - 1
}

function isOneStep(before: readonly ReplicaId[], after: readonly ReplicaId[]): boolean {
  const added = after.filter(voter => !before.includes(voter))
  const removed = before.filter(voter => !after.includes(voter))
  return added.length + removed.length <= 1 && after.length > 0
}
