/**
 * A volume's history as one replica has it: entries chained by hash behind a base.
 *
 * What lies at or below the base is acknowledged and the same everywhere; its entries are not kept
 * here. An epoch has one holder and a holder only appends, so two histories that have an entry of
 * the same epoch at the same index have the same one there, and the same all the way before it.
 */

import type { HashText, HistoryPoint } from '../council/lease-record.ts'
import type { Epoch, Index } from '../ids.ts'
import { assert, present } from '../util/assert.ts'

/** What has to be known of an entry to decide about it; what it says is nobody's business here. */
export interface LogEntry {
  readonly epoch: Epoch
  readonly index: Index
  readonly hash: HashText
  /** Hash of the entry before. */
  readonly previous: HashText
  /** Whether it names bodies that do not come with it. */
  readonly hasBodies: boolean
}

export interface History<E extends LogEntry> {
  base: HistoryPoint
  /** From base.index + 1 on, without a gap. */
  entries: E[]
}

/** Entries of one epoch that follow each other. */
export interface EpochRun {
  readonly epoch: Epoch
  readonly last: Index
}

/**
 * Enough of a history to find where it parts from another: what is known to be acknowledged, which
 * both have, and the epochs above that.
 */
export interface HistoryTail {
  readonly commit: Index
  /** Ascending, above `commit`. */
  readonly runs: readonly EpochRun[]
}

export function headOf(history: History<LogEntry>): HistoryPoint {
  const last = history.entries.at(-1)
  return last === undefined ? history.base : pointOf(last)
}

/** @returns undefined below the base and above the head */
export function pointAt(history: History<LogEntry>, index: number): HistoryPoint | undefined {
  if (index === history.base.index) return history.base
  const entry = history.entries[index - history.base.index - 1]
  return entry === undefined ? undefined : pointOf(entry)
}

/** Whether the history goes through `point`; of one below the base that is taken for granted. */
export function hasPoint(history: History<LogEntry>, point: HistoryPoint): boolean {
  return point.index < history.base.index || pointAt(history, point.index)?.hash === point.hash
}

export function entriesFrom<E extends LogEntry>(
  history: History<E>,
  index: number,
  count: number
): readonly E[] {
  const from = index - history.base.index - 1
  assert(from >= 0, 'entries below the base are asked for')
  return history.entries.slice(from, from + count)
}

export function appendEntries<E extends LogEntry>(
  history: History<E>,
  entries: readonly E[]
): void {
  for (const entry of entries) {
    const head = headOf(history)
    assert(entry.index === head.index + 1, `entry ${entry.index} is put behind ${head.index}`)
    assert(entry.previous === head.hash, `entry ${entry.index} has another predecessor`)
    assert(entry.epoch >= head.epoch, `entry ${entry.index} is of an epoch before its predecessor`)
    history.entries.push(entry)
  }
}

/** Drops what follows `index`. @returns that */
export function cutHistory<E extends LogEntry>(history: History<E>, index: number): E[] {
  assert(index >= history.base.index, 'a history is cut below its base')
  return history.entries.splice(index - history.base.index)
}

/** Keeps only what follows `index`, which has to be acknowledged. */
export function raiseBase(history: History<LogEntry>, index: number): void {
  if (index <= history.base.index) return
  const base = present(pointAt(history, index), 'new base')
  history.entries.splice(0, index - history.base.index)
  history.base = base
}

export function tailOf(history: History<LogEntry>, commit: Index): HistoryTail {
  const runs: EpochRun[] = []
  for (const { epoch, index } of entriesFrom(history, commit + 1, Infinity)) {
    if (runs.at(-1)?.epoch === epoch) runs.pop()
    runs.push({ epoch, last: index })
  }
  return { commit, runs }
}

/** The last index up to which the other history, whose tail this is, is the same as `history`. */
export function forkOf(history: History<LogEntry>, { commit, runs }: HistoryTail): Index {
  for (const { epoch, last } of runs.toReversed()) {
    const mine = lastOfEpoch(history, epoch)
    if (mine !== undefined) return Math.max(commit, Math.min(last, mine)) as Index
  }
  return commit
}

function lastOfEpoch({ base, entries }: History<LogEntry>, epoch: Epoch): Index | undefined {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle] as LogEntry).epoch <= epoch) low = middle + 1
    else high = middle
  }
  const last = low === 0 ? base : (entries[low - 1] as LogEntry)
  return last.epoch === epoch ? last.index : undefined
}

function pointOf({ epoch, index, hash }: LogEntry): HistoryPoint {
  return { epoch, index, hash }
}
