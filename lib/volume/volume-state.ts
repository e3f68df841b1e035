/**
 * All that a volume at a replica knows, as plain values: what is on disk, and what a run of the
 * replica knows besides.
 *
 * A restart begins as a follower, whatever was before: authority belongs to a session.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import type { Epoch, Index, ReplicaId, SessionId } from '../ids.ts'
import { emptyWriteQueue, type WriteQueue } from '../util/write-queue.ts'
import type { DurableVolume } from './durable-volume.ts'
import { headOf, type LogEntry } from './history.ts'
import type { LeaseView, VolumeOutput } from './volume-io.ts'
import type { CopyRule } from './volume-rules.ts'

/** What a holder knows of a follower, in its epoch. */
export interface Progress {
  /** Durable there, as its acks of this epoch say; 0 before the first. */
  acked: Index
  /** The next entry to send. */
  next: number
  /** Where to send from when nothing has been acked. */
  probe: number
  /** One message is on its way whose answer decides where to go on; till then there is no other. */
  isProbing: boolean
  /** How far it knows what is acknowledged. */
  commit: Index
  /** Ticks since it was last heard of, or sent to again. */
  ticks: number
}

export interface Resize {
  readonly rule: CopyRule
  /** Number of the proposal, once it is made; from then on both rules are in force. */
  proposal: number | undefined
}

/** The volume is to go to session `to`, or back to the council if that is 0. */
export interface HandOver {
  readonly to: SessionId | 0
  readonly asker: { readonly replica: ReplicaId; readonly number: number } | undefined
  isParked: boolean
}

/** Somebody elsewhere who waits for the lease. */
export interface Asker {
  readonly session: SessionId
  readonly replica: ReplicaId
  readonly number: number
  readonly waited: number
}

export interface Holding {
  /** `handing`: the end of history is told to the council; nothing is appended in this epoch. */
  kind: 'holding' | 'handing'
  epoch: Epoch
  /** First epoch that this replica held without a break, up to this one. */
  since: Epoch
  /** Index of this epoch's first entry. */
  begin: Index
  rule: CopyRule
  followers: Map<ReplicaId, Progress>
  resize: Resize | undefined
  handOver: HandOver | undefined
  /** Who is to have it when it may be given away: whoever has waited longest. */
  next: Asker | undefined
  /** Ticks since the epoch's first entry was acknowledged. */
  ticks: number
}

export interface Recovering {
  readonly kind: 'recovering'
  readonly epoch: Epoch
  readonly rule: CopyRule
  /** The write that makes the own promise durable. */
  readonly promise: number
  answers: Map<ReplicaId, { readonly last: HistoryPoint; readonly commit: HistoryPoint }>
  /** What to go on with, and who has it. */
  chosen: { readonly owner: ReplicaId; readonly last: HistoryPoint } | undefined
  ticks: number
}

export interface WaitingBase {
  readonly kind: 'waitingBase'
  readonly epoch: Epoch
  readonly rule: CopyRule
  readonly base: HistoryPoint
  /** How many times it was asked for; everybody is asked in turn. */
  asked: number
  ticks: number
}

export type Phase =
  | { readonly kind: 'follower' }
  /** The lease is lost; nothing is answered. */
  | { readonly kind: 'fenced'; readonly epoch: Epoch }
  | WaitingBase
  | Recovering
  | Holding

/** The holder whose history this replica follows. */
export interface Accepted {
  readonly epoch: Epoch
  readonly from: ReplicaId
  /** The write that makes the promise of this epoch durable. */
  readonly promise: number
  /** Up to here the history here is the holder's. */
  through: Index
  /** Told to the holder. */
  acked: Index
  /** The holder has sent something since. */
  isAsked: boolean
}

/** An op here waits for the lease. */
export interface Want {
  /** Ticks until somebody is asked again, or the council. */
  ticks: number
  /** Ticks since it began. */
  waited: number
}

export interface VolumeState<E extends LogEntry>
  extends DurableVolume<E>, WriteQueue<VolumeOutput<E>, Index> {
  /** The last write that something may wait for: all but `commit`. */
  urgent: number
  /** Entries that name bodies which are not here, referenced durably; ascending. */
  lacking: Index[]
  /** Ticks until those are asked for again; 0 while nobody has failed to give them. */
  askBodiesIn: number
  /** Shown to the kernel. */
  exposed: Index
  session: SessionId | 0
  peers: readonly ReplicaId[]
  lease: LeaseView | undefined
  phase: Phase
  /** The latest epoch that this replica has left; none up to it is ever held again. */
  retired: Epoch
  accepted: Accepted | undefined
  want: Want | undefined
  /** Number of the last ask. */
  asks: number
  /** Number of the last proposal, and whether it is unanswered. */
  proposals: number
  isProposing: boolean
}

/**
 * A volume after a start, with what the disk has of it. Takes `durable` over.
 *
 * @param hasBodies whether all bodies that an entry names are here, referenced durably
 */
export function startVolume<E extends LogEntry>(
  durable: DurableVolume<E>,
  hasBodies: (entry: E) => boolean
): VolumeState<E> {
  const { base, entries } = durable.history
  const head = entries.at(-1)?.index ?? base.index
  const lacking = entries.filter(entry => entry.hasBodies && !hasBodies(entry))
  return {
    ...durable,
    ...emptyWriteQueue(head),
    urgent: 0,
    lacking: lacking.map(({ index }) => index),
    askBodiesIn: lacking.length > 0 ? 1 : 0,
    exposed: Math.min(durable.commit.index, head) as Index,
    session: 0,
    peers: [],
    lease: undefined,
    phase: { kind: 'follower' },
    retired: 0 as Epoch,
    accepted: undefined,
    want: undefined,
    asks: 0,
    proposals: 0,
    isProposing: false
  }
}

/** All bodies that entries up to here name are here too. */
export function heldThrough<E extends LogEntry>({ history, lacking }: VolumeState<E>): Index {
  const [first] = lacking
  return first === undefined ? headOf(history).index : ((first - 1) as Index)
}
