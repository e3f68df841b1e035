/**
 * The log as the serving thread writes it: knows which segments are prepared, and has the next
 * one prepared in time.
 */

import { RoostError } from '../errors.ts'
import type { Appendable } from '../feed/feed-writer.ts'
import type { FrameItem } from '../feed/frame.ts'
import type { FeedProgress } from '../feed/feed-progress.ts'
import { FeedWriter } from '../feed/feed-writer.ts'
import type { Position, SessionId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import type { Journal } from '../vfs/ports.ts'

export class SegmentedJournal implements Journal {
  readonly #writer: FeedWriter
  readonly #progress: FeedProgress
  readonly #prepare: (segment: number) => void
  /** The last segment that is there. */
  #prepared = 0
  /** The segment that is being prepared, if one is. */
  #preparing = 0

  constructor(
    disk: Disk,
    session: SessionId,
    progress: FeedProgress,
    prepare: (segment: number) => void
  ) {
    this.#writer = new FeedWriter(disk, session)
    this.#progress = progress
    this.#prepare = prepare
  }

  get session(): SessionId {
    return this.#writer.session
  }

  get end(): Position {
    return this.#writer.end
  }

  hasRoomFor(bytes: number): boolean {
    this.#prepareAhead()
    return this.#writer.roomInSegment >= bytes || this.#prepared >= this.#writer.nextSegment
  }

  append(items: readonly Appendable[]): readonly Buffer[] {
    this.#checkState()
    return this.#writer.append(items, this.#progress.durable)
  }

  /** Appends what a replica of a cluster writes. @returns the hashes of entries made here */
  appendItems(items: readonly FrameItem[]): readonly Buffer[] {
    this.#checkState()
    return this.#writer.appendItems(items, this.#progress.durable)
  }

  /** A segment was asked for, and is there or could not be made. */
  prepared(segment: number, isThere: boolean): void {
    this.#preparing = 0
    if (isThere) this.#prepared = Math.max(this.#prepared, segment)
  }

  close(): void {
    this.#writer.close()
  }

  #checkState(): void {
    if (this.#progress.state !== 'failed') return
    throw new RoostError('FEED_FAILED', 'the log cannot be synced')
  }

  /** Keeps one segment ready beyond the one in use. */
  #prepareAhead(): void {
    const next = this.#writer.nextSegment
    if (next === 0 || this.#prepared >= next || this.#preparing > 0) return
    this.#preparing = next
    this.#prepare(next)
  }
}
