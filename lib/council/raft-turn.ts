/** One step of a voter: its state, what is to come of the step, and how the log changes. */

import type { ReplicaId } from '../ids.ts'
import { assert } from '../util/assert.ts'
import { cutDurable, noteSynced, sayWhenSynced } from '../util/write-queue.ts'
import type { RaftEntry, RaftMessage, RaftOutput, RaftSnapshot, RaftWrite } from './raft-io.ts'
import { lastPlace, placeAt, type RaftRole, type RaftState } from './raft-state.ts'

/** Ticks without a leader before an election; each replica draws its own patience above it. */
export const ELECTION_TICKS = 10
/** Ticks between the rounds of a leader that has nothing to say. */
export const HEARTBEAT_TICKS = 2

export interface RaftSetup {
  readonly self: ReplicaId
  /** From 0, less than 1: no two should have the same patience for long. */
  readonly chance: () => number
  /** Entries in one message. */
  readonly entriesPerMessageMax: number
  readonly rules: RaftRules
}

/** What a test may break, to see that it is noticed. */
export interface RaftRules {
  /** Whether a leader that was asked may answer after these rounds. */
  isConfirmed(askedInRound: number, answeredRound: number): boolean
}

export const RAFT_RULES: RaftRules = {
  isConfirmed: (askedInRound, answeredRound) => answeredRound >= askedInRound
}

export class RaftTurn<C> {
  readonly state: RaftState<C>
  readonly setup: RaftSetup
  readonly outputs: RaftOutput<C>[] = []
  readonly #say = (output: RaftOutput<C>): void => this.emit(output)

  constructor(state: RaftState<C>, setup: RaftSetup) {
    this.state = state
    this.setup = setup
  }

  get self(): ReplicaId {
    return this.setup.self
  }

  emit(output: RaftOutput<C>): void {
    this.outputs.push(output)
  }

  send(to: ReplicaId, message: RaftMessage<C>): void {
    this.emit({ kind: 'send', to, message })
  }

  /** Nobody hears what a crash could make untrue. */
  sendWhenDurable(to: ReplicaId, message: RaftMessage<C>): void {
    const output = { kind: 'send', to, message } as const
    sayWhenSynced(this.state, this.state.writes, output, this.#say)
  }

  vote(term: number, votedFor: ReplicaId | 0): void {
    this.state.term = term
    this.state.votedFor = votedFor
    this.#write({ kind: 'vote', term, votedFor })
  }

  /** Leaves whatever it was; questions that a leader had not answered come to nothing. */
  become(role: RaftRole, leader: ReplicaId | 0): void {
    const { state } = this
    if (state.role.kind === 'leader') {
      for (const { token } of state.role.questions) this.emit({ kind: 'unconfirmed', token })
    }
    state.role = role
    state.ticks = 0
    state.quorumTicks = 0
    state.patience = ELECTION_TICKS + Math.floor(this.setup.chance() * ELECTION_TICKS)
    if (state.leader === leader && role.kind !== 'leader') return
    state.leader = leader
    this.emit({ kind: 'leader', leader, term: state.term })
  }

  append(entries: readonly RaftEntry<C>[]): void {
    if (entries.length === 0) return
    const { state } = this
    assert(entries[0]?.index === lastPlace(state).index + 1, 'an entry is not next in the log')
    state.entries.push(...entries)
    const write = this.#write({ kind: 'append', entries })
    state.unsynced.push({ write, index: lastPlace(state).index })
  }

  /** Drops what follows `index`, of which nothing is decided. */
  cutTo(index: number): void {
    const { state } = this
    if (index >= lastPlace(state).index) return
    assert(index >= state.commit, 'what is decided is cut off the log')
    state.entries.splice(index - state.snapshot.place.index)
    this.#write({ kind: 'cut', index })
    cutDurable(state, index)
  }

  /** What the snapshot covers leaves the log; all of it does unless it goes through its place. */
  install(snapshot: RaftSnapshot): void {
    const { state } = this
    const { place } = snapshot
    const keepsTail = placeAt(state, place.index)?.term === place.term
    const covered = place.index - state.snapshot.place.index
    state.entries = keepsTail ? state.entries.slice(covered) : []
    state.snapshot = snapshot
    const write = this.#write({ kind: 'snapshot', snapshot, keepsTail })
    if (!keepsTail) cutDurable(state, place.index)
    state.unsynced.push({ write, index: Math.max(place.index, keepsTail ? state.durable : 0) })
    state.commit = Math.max(state.commit, place.index)
    if (state.applied >= place.index) return
    state.applied = place.index
    this.emit({ kind: 'restored', snapshot })
  }

  /** Hands out what is decided and here. */
  decide(commit: number): void {
    const { state } = this
    state.commit = Math.max(state.commit, commit)
    if (state.applied >= state.commit) return
    const from = state.applied - state.snapshot.place.index
    const entries = state.entries.slice(from, from + state.commit - state.applied)
    state.applied = state.commit
    this.emit({ kind: 'decided', entries })
  }

  synced(write: number): void {
    noteSynced(this.state, write, this.#say)
  }

  #write(write: RaftWrite<C>): number {
    const number = ++this.state.writes
    this.emit({ kind: 'write', number, write })
    return number
  }
}
