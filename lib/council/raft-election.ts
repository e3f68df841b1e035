/**
 * Who leads. A replica that has not heard of a leader for a while asks first whether it would be
 * elected (so that one that was cut off for long disturbs nobody when it is back), then asks for
 * votes in the next term. A vote is on disk before it is given, and there is one for each term.
 */

import type { ReplicaId } from '../ids.ts'
import type { LogPlace, RaftMessage } from './raft-io.ts'
import { beginTerm } from './raft-replication.ts'
import { configOf, isMajority, lastPlace } from './raft-state.ts'
import { ELECTION_TICKS, type RaftTurn } from './raft-turn.ts'

type MessageOf<C, Kind extends string> = Extract<RaftMessage<C>, { kind: Kind }>

/** Time has come for a leader that is not heard of. */
export function askWhetherElectable<C>(turn: RaftTurn<C>): void {
  const { state, self } = turn
  const config = configOf(state)
  turn.become({ kind: 'preCandidate', votes: new Set([self]) }, 0)
  for (const voter of config.voters) {
    if (voter === self) continue
    turn.send(voter, { kind: 'preVote', term: state.term + 1, last: lastPlace(state) })
  }
  countVotes(turn)
}

export function onPreVote<C>(
  turn: RaftTurn<C>,
  from: ReplicaId,
  { term, last }: MessageOf<C, 'preVote'>
): void {
  const { state } = turn
  const isGranted = term > state.term && !hearsLeader(turn) && isUpToDate(last, lastPlace(state))
  turn.send(from, { kind: 'preVoted', term: isGranted ? term : state.term, isGranted })
}

export function onPreVoted<C>(
  turn: RaftTurn<C>,
  from: ReplicaId,
  { term, isGranted }: MessageOf<C, 'preVoted'>
): void {
  const { role } = turn.state
  if (role.kind !== 'preCandidate' || !isGranted || term !== turn.state.term + 1) return
  role.votes.add(from)
  countVotes(turn)
}

export function onVote<C>(
  turn: RaftTurn<C>,
  from: ReplicaId,
  { term, last }: MessageOf<C, 'vote'>
): void {
  const { state } = turn
  const isFree = state.votedFor === 0 || state.votedFor === from
  const isGranted =
    term === state.term &&
    isFree &&
    state.role.kind === 'follower' &&
    isUpToDate(last, lastPlace(state))
  if (isGranted) {
    if (state.votedFor === 0) turn.vote(term, from)
    state.ticks = 0
  }
  turn.sendWhenDurable(from, { kind: 'voted', term: state.term, isGranted })
}

export function onVoted<C>(
  turn: RaftTurn<C>,
  from: ReplicaId,
  { term, isGranted }: MessageOf<C, 'voted'>
): void {
  const { role } = turn.state
  if (role.kind !== 'candidate' || !isGranted || term !== turn.state.term) return
  role.votes.add(from)
  countVotes(turn)
}

/** With enough votes to try, or to lead. The own vote counts when it is on disk. */
export function countVotes<C>(turn: RaftTurn<C>): void {
  const { state, self } = turn
  const { role } = state
  if (role.kind !== 'preCandidate' && role.kind !== 'candidate') return
  const config = configOf(state)
  if (role.kind === 'candidate' && state.synced < state.writes) return
  if (!isMajority(config, voter => role.votes.has(voter))) return
  if (role.kind === 'candidate') return beginTerm(turn)
  turn.vote(state.term + 1, self)
  turn.become({ kind: 'candidate', votes: new Set([self]) }, 0)
  for (const voter of config.voters) {
    if (voter === self) continue
    const message = { kind: 'vote', term: state.term, last: lastPlace(state) } as const
    turn.sendWhenDurable(voter, message)
  }
  countVotes(turn)
}

/** Whoever hears of a leader helps nobody to depose it. */
export function hearsLeader<C>({ state }: RaftTurn<C>): boolean {
  if (state.role.kind === 'leader') return true
  return state.leader !== 0 && state.ticks < ELECTION_TICKS
}

function isUpToDate(theirs: LogPlace, mine: LogPlace): boolean {
  return theirs.term > mine.term || (theirs.term === mine.term && theirs.index >= mine.index)
}
