/** A voter or learner: its log, its vote, and what it knows of the others. */

import type { ReplicaId } from '../ids.ts'
import { assert, present } from '../util/assert.ts'
import { emptyWriteQueue, type WriteQueue } from '../util/write-queue.ts'
import type {
  LogPlace,
  RaftConfig,
  RaftEntry,
  RaftOutput,
  RaftSnapshot,
  RaftWrite
} from './raft-io.ts'

/** What is on disk. */
export interface DurableRaft<C> {
  term: number
  votedFor: ReplicaId | 0
  /** The log begins behind it. */
  snapshot: RaftSnapshot
  entries: RaftEntry<C>[]
}

/** What a leader knows of a member. */
export interface RaftProgress {
  /** Durable there and the same as here. */
  match: number
  next: number
  /** The last of our rounds that it answered. */
  round: number
  /** How much it was told to be decided. */
  told: number
  /** Heard of since the last look. */
  isHeard: boolean
}

export type RaftRole =
  | { readonly kind: 'follower' }
  | { readonly kind: 'preCandidate' | 'candidate'; readonly votes: Set<ReplicaId> }
  | {
      readonly kind: 'leader'
      readonly progress: Map<ReplicaId, RaftProgress>
      /** Index of the first entry of this term. */
      readonly begin: number
      round: number
      /** Questions, each with the round that has to be answered. */
      questions: { readonly token: number; readonly round: number }[]
    }

export interface RaftState<C> extends DurableRaft<C>, WriteQueue<RaftOutput<C>> {
  role: RaftRole
  /** Who gets the log without a vote, as far as they do not vote. */
  learners: readonly ReplicaId[]
  leader: ReplicaId | 0
  commit: number
  /** Handed out as decided. */
  applied: number
  /** Ticks since a leader, or the own election, was heard of; of a leader: since its last round. */
  ticks: number
  /** Of a leader: ticks since it last looked whether it is heard. */
  quorumTicks: number
  /** Ticks without a leader after which an election begins. */
  patience: number
}

export function emptyRaft<C>(config: RaftConfig, state: Buffer): DurableRaft<C> {
  return {
    term: 0,
    votedFor: 0,
    snapshot: { place: { term: 0, index: 0 }, config, state },
    entries: []
  }
}

/** Takes `durable` over. */
export function startRaft<C>(durable: DurableRaft<C>, patience: number): RaftState<C> {
  const { index } = durable.snapshot.place
  return {
    ...durable,
    role: { kind: 'follower' },
    learners: [],
    leader: 0,
    commit: index,
    applied: index,
    ...emptyWriteQueue(index + durable.entries.length),
    ticks: 0,
    quorumTicks: 0,
    patience
  }
}

export function applyRaftWrite<C>(durable: DurableRaft<C>, write: RaftWrite<C>): void {
  const { index } = durable.snapshot.place
  switch (write.kind) {
    case 'vote':
      durable.term = write.term
      durable.votedFor = write.votedFor
      return
    case 'append':
      durable.entries.push(...write.entries)
      return
    case 'cut':
      durable.entries.splice(write.index - index)
      return
    case 'snapshot':
      durable.entries = write.keepsTail
        ? durable.entries.slice(write.snapshot.place.index - index)
        : []
      durable.snapshot = write.snapshot
      return
  }
}

export function lastPlace<C>({ entries, snapshot }: DurableRaft<C>): LogPlace {
  const { term, index } = entries.at(-1) ?? snapshot.place
  return { term, index }
}

/** @returns undefined where the log does not reach, at either end */
export function placeAt<C>(raft: DurableRaft<C>, index: number): LogPlace | undefined {
  const { place } = raft.snapshot
  return index === place.index ? place : raft.entries[index - place.index - 1]
}

export function entriesBehind<C>(
  { entries, snapshot }: DurableRaft<C>,
  index: number,
  count: number
): readonly RaftEntry<C>[] {
  const from = index - snapshot.place.index
  assert(from >= 0, 'entries behind a snapshot are asked for')
  return entries.slice(from, from + count)
}

/** In force: the last one in the log, decided or not. */
export function configOf<C>({ entries, snapshot }: DurableRaft<C>): RaftConfig {
  return entries.findLast(entry => entry.config !== undefined)?.config ?? snapshot.config
}

/**
 * Whether `self` has a vote by any config that may be the decided one.
 *
 * One that is on its way out may have the only log that can still win: the others wait for its
 * decision, which it alone can bring about.
 */
export function mayLead<C>(raft: RaftState<C>, self: ReplicaId): boolean {
  const { entries, snapshot, commit } = raft
  const decided = commit - snapshot.place.index
  const before = entries.slice(0, decided).findLast(entry => entry.config !== undefined)
  const later = entries.slice(decided).map(entry => entry.config)
  return [before?.config ?? snapshot.config, ...later].some(
    config => config?.voters.includes(self) === true
  )
}

/** Whether a change of the config is in the log and not decided. */
export function isChanging<C>({ entries, snapshot, commit }: RaftState<C>): boolean {
  return entries
    .slice(Math.max(0, commit - snapshot.place.index))
    .some(entry => entry.config !== undefined)
}

export function isMajority(config: RaftConfig, has: (voter: ReplicaId) => boolean): boolean {
  return config.voters.filter(has).length * 2 > config.voters.length
}

/** The highest index that a majority has reached. */
export function majorityIndex(config: RaftConfig, indexOf: (voter: ReplicaId) => number): number {
  const sorted = config.voters.map(indexOf).sort((a, b) => b - a)
  return present(sorted[Math.floor(config.voters.length / 2)], 'voter')
}
