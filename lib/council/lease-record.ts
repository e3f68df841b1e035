/** What the council keeps of each volume: who may write it, and who has to have what is written. */

import { NO_HASH } from '../feed/entry.ts'
import type { Epoch, Index, ReplicaId, SessionId } from '../ids.ts'

/** A hash of the chain as text, so that two are equal where `===` says so. */
export type HashText = string

/**
 * A point in a volume's history: its entry `index`, which was made in `epoch`.
 *
 * The hash stands for everything up to there. Two histories are compared by epoch first and index
 * second, never by index alone: a longer one may be the work of a deposed holder.
 */
export interface HistoryPoint {
  readonly epoch: Epoch
  readonly index: Index
  readonly hash: HashText
}

/** Where a history begins. */
export const EMPTY_HISTORY: HistoryPoint = {
  epoch: 0 as Epoch,
  index: 0 as Index,
  hash: NO_HASH.toString('hex')
}

/** Negative where `a` is the older of the two, 0 where they are the same. */
export function comparePoints(a: HistoryPoint, b: HistoryPoint): number {
  return a.epoch - b.epoch || a.index - b.index
}

export interface LeaseRecord {
  /** Grows by one with each change of holder, data set or copies. */
  readonly epoch: Epoch
  /** The session that may write; 0 when nobody may. A session that has ended holds nothing. */
  readonly holder: SessionId | 0
  /** Where the history ends, acknowledged, when it was given back in good order. */
  readonly base: HistoryPoint | undefined
  /**
   * The base that was handed to the holder of this epoch, which alone may use it and only to begin;
   * without it the holder has to ask the data set.
   */
  readonly handed: HistoryPoint | undefined
  /** Replicas whose durable copies count, ascending; never empty. */
  readonly dataSet: readonly ReplicaId[]
  /** Copies that an entry needs; from 1 to the size of `dataSet`. */
  readonly copies: number
  /** An operator has taken this record over from a data set that could not be asked. */
  readonly isPossiblyCut: boolean
}

/** How many of a data set have to answer a seal: any that many share a member with any `copies`. */
export function sealSizeOf(dataSet: readonly ReplicaId[], copies: number): number {
  return dataSet.length - copies + 1
}
