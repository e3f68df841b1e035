/**
 * The council's log at one replica: Raft, with pre-votes, a leader that gives up where it is not
 * heard, changes of one voter at a time, and snapshots.
 *
 * It has neither clock nor disk nor network: time comes as ticks; writes go out as values, take
 * effect in order, and are told of when durable; until then nothing is said that rests on them.
 *
 * Invariants: one leader for each term; a leader only appends; logs that agree on an entry agree
 * before it; what is decided is in the log of every later leader; no two replicas decide different
 * entries at one index.
 */

import type { ReplicaId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import type { RaftInput, RaftMessage, RaftOutput } from './raft-io.ts'
import * as election from './raft-election.ts'
import * as replication from './raft-replication.ts'
import { configOf, mayLead, placeAt, type RaftState } from './raft-state.ts'
import { RaftTurn, type RaftSetup } from './raft-turn.ts'

/** Changes `state` by `input`. @returns what is to be done, in this order */
export function stepRaft<C>(
  state: RaftState<C>,
  input: RaftInput<C>,
  setup: RaftSetup
): readonly RaftOutput<C>[] {
  const turn = new RaftTurn(state, setup)
  hear(turn, input)
  replication.evaluateLeader(turn)
  return turn.outputs
}

function hear<C>(turn: RaftTurn<C>, input: RaftInput<C>): void {
  switch (input.kind) {
    case 'message':
      return hearMessage(turn, input.from, input.message)
    case 'synced':
      turn.synced(input.write)
      return election.countVotes(turn)
    case 'propose':
      return replication.propose(turn, input)
    case 'confirm':
      return replication.confirm(turn, input.token)
    case 'learners':
      turn.state.learners = input.learners
      return
    case 'compact':
      return compact(turn, input.index, input.state)
    case 'tick':
      return tick(turn)
    default:
      return unreachable(input)
  }
}

function hearMessage<C>(turn: RaftTurn<C>, from: ReplicaId, message: RaftMessage<C>): void {
  const { state } = turn
  // A pre-vote speaks of a term that nobody is in yet, and so does the yes to one.
  const isSupposed =
    message.kind === 'preVote' || (message.kind === 'preVoted' && message.isGranted)
  if (message.term > state.term && !isSupposed) {
    if (message.kind === 'vote' && election.hearsLeader(turn)) return
    turn.vote(message.term, 0)
    turn.become({ kind: 'follower' }, 0)
  }
  switch (message.kind) {
    case 'preVote':
      return election.onPreVote(turn, from, message)
    case 'preVoted':
      return election.onPreVoted(turn, from, message)
    case 'vote':
      return election.onVote(turn, from, message)
    case 'voted':
      return election.onVoted(turn, from, message)
    case 'append':
      return replication.onAppend(turn, from, message)
    case 'appended':
      return replication.onAppended(turn, from, message)
    case 'snapshot':
      return replication.onSnapshot(turn, from, message)
    default:
      return unreachable(message)
  }
}

function tick<C>(turn: RaftTurn<C>): void {
  const { state } = turn
  state.ticks++
  if (state.role.kind === 'leader') return replication.tickLeader(turn)
  if (state.ticks < state.patience && !isAlone(turn)) return
  if (mayLead(state, turn.self)) election.askWhetherElectable(turn)
}

/** Nobody else could be the leader, so there is nobody to wait for. */
function isAlone<C>({ state, self }: RaftTurn<C>): boolean {
  const { voters } = configOf(state)
  return state.role.kind === 'follower' && voters.length === 1 && voters[0] === self
}

function compact<C>(turn: RaftTurn<C>, index: number, bytes: Buffer): void {
  const { state } = turn
  const place = placeAt(state, index)
  if (place === undefined || index > state.applied || index <= state.snapshot.place.index) return
  const covered = state.entries.slice(0, index - state.snapshot.place.index)
  const config = covered.findLast(entry => entry.config !== undefined)?.config
  turn.install({
    place: { term: place.term, index },
    config: config ?? state.snapshot.config,
    state: bytes
  })
}
