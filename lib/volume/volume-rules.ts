/**
 * The decisions on which it rests that nothing acknowledged is lost: one function each, so that
 * each can be read, and broken in a test that has to notice.
 */

import { comparePoints, type HistoryPoint } from '../council/lease-record.ts'
import type { Epoch, Index, ReplicaId } from '../ids.ts'

/** A data set and the copies that it owes each entry. */
export interface CopyRule {
  readonly dataSet: readonly ReplicaId[]
  readonly copies: number
}

export interface VolumeRules {
  /**
   * Whether history through `a` is the one to go on with, rather than `b`. The epoch decides: a
   * deposed holder may have appended more than its successor.
   */
  isNewer(a: HistoryPoint, b: HistoryPoint): boolean

  /** Whether something of `epoch` may be accepted. A promise is what makes a seal hold. */
  mayAccept(promised: Epoch, epoch: Epoch): boolean

  /**
   * The first index that the holder may count copies of. An older entry counts only through one of
   * this epoch behind it: copies of it alone would not outweigh a later history that lacks it.
   */
  countsFrom(begin: Index): Index

  /** How far a history is acknowledged by these durable copies. */
  committedThrough(rule: CopyRule, durableOf: (replica: ReplicaId) => number): number

  /** What a replica may say it has: what is synced, of what it has taken. */
  durableThrough(durable: Index, head: Index): Index

  /** The rules that an entry has to satisfy while a change of the data set is under way. */
  rulesDuring(current: CopyRule, proposed: CopyRule): readonly CopyRule[]

  /** How far the new data set has to be before the change is proposed. */
  catchUpThrough(begin: Index, commit: Index): Index

  /** How far a follower shows history to its kernel. */
  exposedThrough(durable: Index, commit: Index): Index

  /** Epochs whose writers and lock owners may not go on by their open handles. */
  poisonedBy(
    since: Epoch,
    lost: Epoch
  ): { readonly since: Epoch; readonly through: Epoch } | undefined
}

export const VOLUME_RULES: VolumeRules = {
  isNewer: (a, b) => comparePoints(a, b) > 0,
  mayAccept: (promised, epoch) => promised <= epoch,
  countsFrom: begin => begin,
  committedThrough: ({ dataSet, copies }, durableOf) =>
    dataSet.map(durableOf).sort((a, b) => b - a)[copies - 1] ?? 0,
  durableThrough: durable => durable,
  rulesDuring: (current, proposed) => [current, proposed],
  catchUpThrough: (begin, commit) => Math.max(begin, commit) as Index,
  exposedThrough: (durable, commit) => Math.min(durable, commit) as Index,
  poisonedBy: (since, through) => ({ since, through })
}
