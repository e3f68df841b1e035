/** What a voter or learner of the council's log hears and says. */

import type { ReplicaId } from '../ids.ts'

/** Who votes. A change of it is an entry, in force as soon as it is in the log. */
export interface RaftConfig {
  /** Ascending. */
  readonly voters: readonly ReplicaId[]
}

/** The place of an entry; a log is newer than another by its last term, then by its length. */
export interface LogPlace {
  readonly term: number
  readonly index: number
}

export interface RaftEntry<C> extends LogPlace {
  /** Nothing in the entry with which a leader begins its term. */
  readonly command: C | undefined
  readonly config: RaftConfig | undefined
}

/** What stands for the log up to `place`. */
export interface RaftSnapshot {
  readonly place: LogPlace
  readonly config: RaftConfig
  readonly state: Buffer
}

export type RaftMessage<C> =
  /** Would I be elected? Changes nothing at whoever answers. */
  | { readonly kind: 'preVote'; readonly term: number; readonly last: LogPlace }
  | { readonly kind: 'preVoted'; readonly term: number; readonly isGranted: boolean }
  | { readonly kind: 'vote'; readonly term: number; readonly last: LogPlace }
  | { readonly kind: 'voted'; readonly term: number; readonly isGranted: boolean }
  | {
      readonly kind: 'append'
      readonly term: number
      readonly previous: LogPlace
      readonly entries: readonly RaftEntry<C>[]
      readonly commit: number
      /** Counts the leader's rounds, so that an answer tells how late it was still followed. */
      readonly round: number
    }
  | {
      readonly kind: 'appended'
      readonly term: number
      /** Where not, the leader is to try behind `index`. */
      readonly isTaken: boolean
      readonly index: number
      readonly round: number
    }
  | {
      readonly kind: 'snapshot'
      readonly term: number
      readonly snapshot: RaftSnapshot
      readonly round: number
    }

export type RaftWrite<C> =
  | { readonly kind: 'vote'; readonly term: number; readonly votedFor: ReplicaId | 0 }
  | { readonly kind: 'append'; readonly entries: readonly RaftEntry<C>[] }
  | { readonly kind: 'cut'; readonly index: number }
  /** The log begins behind it. Entries that follow it stay if `keepsTail`. */
  | { readonly kind: 'snapshot'; readonly snapshot: RaftSnapshot; readonly keepsTail: boolean }

export type RaftInput<C> =
  | { readonly kind: 'message'; readonly from: ReplicaId; readonly message: RaftMessage<C> }
  /** All writes up to this number are durable. */
  | { readonly kind: 'synced'; readonly write: number }
  /** Commands for the log, by the leader; one with a config waits for the one before it. */
  | {
      readonly kind: 'propose'
      readonly commands: readonly C[]
      readonly config?: RaftConfig
    }
  /** Who else is to get the log. */
  | { readonly kind: 'learners'; readonly learners: readonly ReplicaId[] }
  /** Is this the leader, at some moment from now on? */
  | { readonly kind: 'confirm'; readonly token: number }
  /** The state through `index`, which has been applied, may stand for the log. */
  | { readonly kind: 'compact'; readonly index: number; readonly state: Buffer }
  /** Some time has passed: the unit in which elections and rounds are counted. */
  | { readonly kind: 'tick' }

export type RaftOutput<C> =
  | { readonly kind: 'send'; readonly to: ReplicaId; readonly message: RaftMessage<C> }
  | { readonly kind: 'write'; readonly number: number; readonly write: RaftWrite<C> }
  /** Decided, in order. */
  | { readonly kind: 'decided'; readonly entries: readonly RaftEntry<C>[] }
  /** The state begins anew from here. */
  | { readonly kind: 'restored'; readonly snapshot: RaftSnapshot }
  /** It was the leader after the question; what was decided before it is at or below `index`. */
  | { readonly kind: 'confirmed'; readonly token: number; readonly index: number }
  /** Not the leader, or not any more: a proposal or a question came to nothing, or may have. */
  | { readonly kind: 'unconfirmed'; readonly token: number }
  | { readonly kind: 'notProposed' }
  /** Who leads has changed, as far as is known here; 0: nobody. */
  | { readonly kind: 'leader'; readonly leader: ReplicaId | 0; readonly term: number }
