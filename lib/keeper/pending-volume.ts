/**
 * What the log has of one volume's history beyond what is committed: a queue of entries, each
 * following the one before, the first following `base`.
 *
 * An entry may come again: whoever writes the log appends anew what has been pending for long, so
 * that the log before it can go. Reading may begin with the second copies only when all that is
 * pending has come again in order, and until then the first ones count.
 */

import type { LoggedEntry } from '../feed/entry.ts'
import { RoostError } from '../errors.ts'
import type { Index, Position, VolumeId } from '../ids.ts'
import type { FeedMark, StoredPoint } from '../store/records.ts'

/** A point of a volume's history. The hash is of the entry `index`. */
export type LogPoint = StoredPoint

/** Where an item of the log is. */
export interface LogPlace {
  /** Where its frame begins. */
  readonly mark: FeedMark
  /** The same in the feed of this session; its beginning for what an earlier one has left. */
  readonly since: Position
}

export interface Pending {
  logged: LoggedEntry
  /** Whoever reads the log from here on comes by this entry, and all that follow it, in order. */
  mark: FeedMark
  /** The frame of the copy that may take the place of `mark`. */
  again: FeedMark | undefined
  /** Where it was first seen in this session; this never moves. */
  readonly since: Position
  /** Set when it leaves the queue. */
  isGone: boolean
}

/** What became of an entry that was read. */
export type Taken = 'known' | 'pending' | 'stray'

export class PendingVolume {
  readonly #volume: VolumeId
  #base: LogPoint
  #queue: Pending[] = []
  /** Committed, as far as was heard; undefined where that is no more than `base`. */
  #noted: LogPoint | undefined
  /** Committed as the log says that was read. */
  said = 0
  /** The first entry that did not follow, as long as nothing explains it. */
  #stray: { readonly index: Index; readonly text: string } | undefined

  constructor(volume: VolumeId, base: LogPoint) {
    this.#volume = volume
    this.#base = base
  }

  /** Entries through here are committed. */
  get base(): LogPoint {
    return this.#base
  }

  get queue(): readonly Pending[] {
    return this.#queue
  }

  /** Why something that was read is in no history, in a sentence. */
  get stray(): string | undefined {
    return this.#stray?.text
  }

  /** Committed as far as is known; at least `base`. */
  get committed(): Index {
    return this.#noted?.index ?? this.#base.index
  }

  /** Takes an entry that was read: at the end of the queue, or as another copy of what is there. */
  take(logged: LoggedEntry, place: LogPlace): Taken {
    const { entry, hash } = logged
    const offset = entry.index - this.#base.index - 1
    if (offset < 0) return 'known'
    const there = this.#queue[offset]
    if (there?.logged.hash.equals(hash) === true) {
      this.#noteAgain(offset, place.mark)
      return 'pending'
    }
    const tail = this.#tail
    const follows = offset === this.#queue.length && entry.previous.equals(tail.hash)
    if (!follows) {
      const text = `entry ${entry.index} of volume ${this.#volume}`
      this.#noteStray(entry.index, `${text} does not follow entry ${tail.index}`)
      return 'stray'
    }
    this.#queue.push({ logged, ...place, again: undefined, isGone: false })
    if (this.#stray !== undefined && this.#stray.index <= entry.index) this.#stray = undefined
    return 'pending'
  }

  /**
   * Entries through `through` are committed.
   *
   * @returns those of them that were pending
   * @throws RoostError FEED_DAMAGED when they are not there
   */
  commit(through: Index): LoggedEntry[] {
    this.said = Math.max(this.said, through)
    const count = through - this.#base.index
    if (count <= 0) return []
    if (count > this.#queue.length) {
      const what = `entry ${through} of volume ${this.#volume} is committed`
      throw new RoostError('FEED_DAMAGED', `${what}, and the log ends at ${this.#tail.index}`)
    }
    return this.#leave(count)
  }

  /**
   * As `commit`, from elsewhere than the log, so the entry may not have been read yet.
   *
   * What was read may still be what a cut behind it takes away. But of an epoch there is one
   * history: entries of the point's own epoch, up to it, are committed with it.
   *
   * @returns what is known to be committed by now
   */
  note(point: LogPoint): LoggedEntry[] {
    if (point.index > this.committed) this.#noted = point
    return this.takeNoted()
  }

  /** What was noted and has come since. @throws RoostError FEED_DAMAGED where it is another */
  takeNoted(): LoggedEntry[] {
    const noted = this.#noted
    if (noted === undefined) return []
    const count = Math.min(noted.index - this.#base.index, this.#queue.length)
    const last = this.#queue[count - 1]?.logged
    if (last?.entry.epoch !== noted.epoch) return []
    if (last.entry.index === noted.index && !last.hash.equals(noted.hash)) {
      const what = `entry ${noted.index} of volume ${this.#volume}`
      throw new RoostError('FEED_DAMAGED', `${what} is another one than was committed`)
    }
    return this.#leave(count)
  }

  /** Takes away what is pending behind `to`. @returns that */
  cut(to: Index): LoggedEntry[] {
    if (this.#stray !== undefined && to < this.#stray.index) this.#stray = undefined
    const gone = this.#queue.splice(Math.max(to - this.#base.index, 0))
    this.#settleCopies()
    return goneOf(gone)
  }

  /** All is replaced by what goes through `point`. @returns what was pending */
  install(point: LogPoint): LoggedEntry[] {
    this.#stray = undefined
    const gone = goneOf(this.#queue)
    this.#queue = []
    if (point.index > this.#base.index) this.#moveBase(point)
    return gone
  }

  /** An entry that needs no commit. @throws RoostError FEED_DAMAGED when something is pending */
  pass({ entry, hash }: LoggedEntry): void {
    if (this.#queue.length > 0) {
      const what = `entry ${entry.index} of volume ${this.#volume}`
      throw new RoostError('FEED_DAMAGED', `${what} comes while others wait to be committed`)
    }
    this.#moveBase({ epoch: entry.epoch, index: entry.index, hash })
  }

  get #tail(): { readonly index: Index; readonly hash: Buffer } {
    const last = this.#queue.at(-1)?.logged
    return last === undefined ? this.#base : { index: last.entry.index, hash: last.hash }
  }

  #leave(count: number): LoggedEntry[] {
    const gone = goneOf(this.#queue.splice(0, count))
    const last = gone.at(-1)
    if (last !== undefined) {
      const { epoch, index } = last.entry
      this.#moveBase({ epoch, index, hash: last.hash })
    }
    this.#settleCopies()
    return gone
  }

  #moveBase(base: LogPoint): void {
    this.#base = base
    if (this.#noted !== undefined && this.#noted.index <= base.index) this.#noted = undefined
  }

  /** Copies count only in one row from the first that is pending. */
  #noteAgain(offset: number, mark: FeedMark): void {
    const pending = this.#queue[offset]
    if (pending === undefined) return
    if (offset === 0) for (const each of this.#queue) each.again = undefined
    else if (this.#queue[offset - 1]?.again === undefined) return
    pending.again = mark
    this.#settleCopies()
  }

  #settleCopies(): void {
    if (this.#queue.at(-1)?.again === undefined) return
    for (const pending of this.#queue) {
      pending.mark = pending.again ?? pending.mark
      pending.again = undefined
    }
  }

  #noteStray(index: Index, text: string): void {
    if (this.#stray === undefined || index < this.#stray.index) this.#stray = { index, text }
  }
}

function goneOf(gone: readonly Pending[]): LoggedEntry[] {
  return gone.map(pending => {
    pending.isGone = true
    return pending.logged
  })
}
