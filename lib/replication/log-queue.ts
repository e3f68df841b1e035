/**
 * Items that wait for their place in the log, and writes that wait to be durable.
 *
 * Items are gathered while one input is dealt with, and go into the log as one frame. What nobody
 * waits for (that something is acknowledged) waits a little for company.
 */

import { entrySizeOf } from '../feed/entry-size.ts'
import { FRAME_HEADER_SIZE } from '../feed/frame.ts'
import type { LogItem } from '../feed/log-item.ts'
import type { Position, VolumeId } from '../ids.ts'
import type { Clock } from '../io/clock.ts'

/** The log, as far as items are concerned. */
export interface ItemLog {
  readonly end: Position
  /** Whether a frame with `bytes` of items can be appended now. */
  hasRoomFor(bytes: number): boolean
  appendItems(items: readonly LogItem[]): unknown
}

interface Queued {
  readonly volume: VolumeId
  readonly write: number
  readonly items: readonly LogItem[]
}

interface Placed {
  readonly volume: VolumeId
  readonly write: number
  readonly position: Position
}

/** Bytes of items in one frame, well below the largest. */
const FRAME_BYTES = 512 * 1024
/** Longer than this, what nobody waits for does not wait for company. */
const LAZY_MS = 20
/** More than an item takes that is no entry. */
const DECISION_BYTES = 128

export class LogQueue {
  readonly #log: ItemLog
  readonly #clock: Clock
  #queued: Queued[] = []
  #placed: Placed[] = []
  #isUrgent = false
  #lazySince = 0

  constructor(log: ItemLog, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  get isEmpty(): boolean {
    return this.#queued.length === 0
  }

  /** Of one write; in several frames where they are too many for one. */
  push(volume: VolumeId, write: number, items: readonly LogItem[]): void {
    const parts = partsOf(items)
    // The write is durable when the last part is.
    for (const [at, part] of parts.entries()) {
      this.#queued.push({ volume, write: at === parts.length - 1 ? write : write - 1, items: part })
    }
    const isLazy = items.every(({ kind }) => kind === 'commit')
    if (!isLazy) this.#isUrgent = true
    else if (this.#lazySince === 0) this.#lazySince = this.#clock.monotonicMs()
  }

  /** This write is in the log already, which ends with it at `position`. */
  alreadyAt(volume: VolumeId, write: number, position: Position): void {
    if (this.#queued.some(queued => queued.volume === volume && queued.write === write)) return
    this.#placed.push({ volume, write, position })
  }

  /** @returns whether something went into the log that somebody waits for */
  flush(): boolean {
    if (this.#queued.length === 0) return false
    const isDue = this.#clock.monotonicMs() - this.#lazySince >= LAZY_MS
    if (!this.#isUrgent && !isDue) return false
    return this.flushAll()
  }

  /** As `flush`, whether anybody waits or not: what comes next must be behind all this. */
  flushAll(): boolean {
    const wasUrgent = this.#isUrgent
    while (this.#queued.length > 0) if (!this.#flushSome()) return false
    this.#isUrgent = false
    this.#lazySince = 0
    return wasUrgent
  }

  /** Writes that are durable now: the last of each volume. */
  takeDurable(position: Position): Map<VolumeId, number> {
    const durable = new Map<VolumeId, number>()
    let count = 0
    for (const placed of this.#placed) {
      if (placed.position > position) break
      durable.set(placed.volume, placed.write)
      count++
    }
    this.#placed.splice(0, count)
    return durable
  }

  #flushSome(): boolean {
    let bytes = 0
    let count = 0
    for (const { items } of this.#queued) {
      const size = items.reduce((sum, item) => sum + sizeOf(item), 0)
      if (count > 0 && bytes + size > FRAME_BYTES) break
      bytes += size
      count++
    }
    if (!this.#log.hasRoomFor(bytes + FRAME_HEADER_SIZE)) return false
    const some = this.#queued.splice(0, count)
    this.#log.appendItems(some.flatMap(({ items }) => items))
    const position = this.#log.end
    for (const { volume, write } of some) this.#placed.push({ volume, write, position })
    return true
  }
}

/** Each of no more than a frame's bytes, or one item. */
function partsOf(items: readonly LogItem[]): LogItem[][] {
  const parts: LogItem[][] = [[]]
  let bytes = 0
  for (const item of items) {
    const size = sizeOf(item)
    if (bytes > 0 && bytes + size > FRAME_BYTES) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)?.push(item)
    bytes += size
  }
  return parts
}

/** No less than what an item takes in the log. */
function sizeOf(item: LogItem): number {
  return item.kind === 'entry' ? entrySizeOf(item.logged) : DECISION_BYTES
}
