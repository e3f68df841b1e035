/**
 * Reads a feed's frames in order, checking that each follows from the one before.
 *
 * Used in two ways: to follow a feed that is being written, up to what is known to be durable,
 * where anything but a good frame is damage; and after a restart, up to wherever the good
 * frames end.
 */

import { RoostError } from '../errors.ts'
import type { Position, SessionId } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import { decodeFrame, FRAME_HEADER_SIZE, type Frame } from './frame.ts'
import {
  decodeSegmentHeader,
  END_MAGIC,
  firstFrameOf,
  FRAME_SIZE_MAX,
  framePositionOf,
  SEGMENT_HEADER_SIZE,
  SEGMENT_SIZE,
  segmentOf,
  segmentPathOf
} from './segment.ts'

/** Bytes read at once: many small frames, and room for the longest. */
const WINDOW_SIZE = 2 * FRAME_SIZE_MAX

/** Why there is no further frame at `position`. */
export interface FeedGap {
  readonly position: Position
  readonly reason: string
}

export class FeedReader {
  readonly #disk: Disk
  readonly #session: SessionId
  #file: DiskFile | undefined
  #segment = -1
  /** What `#window` holds begins here in the segment. */
  #windowFrom = 0
  #window = Buffer.alloc(0)
  #limit = Number.MAX_SAFE_INTEGER
  #position: Position
  #chain: Buffer

  /** @param position end of a frame, and `chain` the chain there; or the very beginning. */
  constructor(disk: Disk, session: SessionId, position: Position, chain: Buffer) {
    this.#disk = disk
    this.#session = session
    this.#position = framePositionOf(position)
    this.#chain = chain
  }

  /** End of the last frame read. */
  get position(): Position {
    return this.#position
  }

  get chain(): Buffer {
    return this.#chain
  }

  /**
   * The next frame, if the feed goes on with a good one.
   *
   * @throws what the disk throws, except that a missing segment is a gap
   */
  next(): Frame | FeedGap {
    const found = this.#frameHere()
    if (typeof found !== 'string') return this.#take(found)
    if (!this.#atEndMark()) return this.#gap(found)
    const next = firstFrameOf(this.#segment + 1)
    const entered = this.#enter(segmentOf(next))
    if (entered !== undefined) return { position: next, reason: entered }
    this.#position = next
    const first = this.#frameHere()
    return typeof first === 'string' ? this.#gap(first) : this.#take(first)
  }

  /**
   * Reads on through `end`, where frames are known to be durable.
   *
   * @throws RoostError FEED_DAMAGED where there is no good frame
   */
  nextBelow(end: Position): Frame | undefined {
    if (this.#position >= end) return undefined
    // Bytes beyond may still change, so they must not get into the window.
    this.#limit = end
    const next = this.next()
    if ('reason' in next) throw damageAt(this.#session, next)
    return next
  }

  close(): void {
    this.#file?.close()
    this.#file = undefined
    this.#segment = -1
  }

  #take(frame: Frame): Frame {
    // A frame that fills its segment ends where the next one's header is.
    this.#position = framePositionOf((this.#position + frame.length) as Position)
    this.#chain = frame.chain
    return frame
  }

  #gap(reason: string): FeedGap {
    return { position: this.#position, reason }
  }

  #frameHere(): Frame | string {
    const segment = segmentOf(this.#position)
    if (segment !== this.#segment) {
      const entered = this.#enter(segment)
      if (entered !== undefined) return entered
    }
    const frame = decodeFrame(this.#bytesHere(FRAME_HEADER_SIZE))
    if (frame === 'frame cut short') return this.#check(decodeFrame(this.#bytesHere(WINDOW_SIZE)))
    return this.#check(frame)
  }

  #check(frame: Frame | string): Frame | string {
    if (typeof frame === 'string') return frame
    if (frame.session !== this.#session) return 'frame of another session'
    if (frame.position !== this.#position) return 'frame of another place'
    if (!frame.chainBefore.equals(this.#chain)) return 'chain broken'
    return frame
  }

  #atEndMark(): boolean {
    if (this.#segment < 0) return false
    const here = this.#bytesHere(4)
    // A rest too short for the mark is an end as well.
    return here.length < 4 ? here.length === 0 : here.readUInt32LE(0) === END_MAGIC
  }

  /** Opens a segment. @returns why it is none, or undefined */
  #enter(segment: number): string | undefined {
    this.close()
    const path = segmentPathOf(this.#session, segment)
    if (!this.#disk.exists(path)) return 'no such segment'
    const file = this.#disk.openRead(path)
    const bytes = Buffer.alloc(SEGMENT_HEADER_SIZE)
    const header = decodeSegmentHeader(bytes.subarray(0, file.read(bytes, 0)))
    const reason = this.#refusalOf(header, segment)
    if (reason !== undefined) {
      file.close()
      return reason
    }
    this.#file = file
    this.#segment = segment
    this.#window = Buffer.alloc(0)
    return undefined
  }

  #refusalOf(header: ReturnType<typeof decodeSegmentHeader>, segment: number): string | undefined {
    if (typeof header === 'string') return header
    if (header.session !== this.#session || header.segment !== segment) {
      return 'segment of another feed'
    }
    const atStart = this.#position <= firstFrameOf(segment)
    const follows = header.chainBefore.equals(this.#chain)
    return atStart && !follows ? 'chain broken between segments' : undefined
  }

  /** At least `wanted` bytes from the position on, or what the segment has. */
  #bytesHere(wanted: number): Buffer {
    const offset = this.#position - this.#segment * SEGMENT_SIZE
    const available = this.#windowFrom + this.#window.length - offset
    if (offset >= this.#windowFrom && available >= wanted) {
      return this.#window.subarray(offset - this.#windowFrom)
    }
    const end = Math.min(SEGMENT_SIZE, this.#limit - this.#segment * SEGMENT_SIZE)
    const room = Math.max(Math.min(WINDOW_SIZE, end - offset), 0)
    const bytes = Buffer.allocUnsafe(room)
    const length = room === 0 || this.#file === undefined ? 0 : this.#file.read(bytes, offset)
    this.#windowFrom = offset
    this.#window = bytes.subarray(0, length)
    return this.#window
  }
}

/** The refusal to go on over damage, naming where it is. */
export function damageAt(session: SessionId, { position, reason }: FeedGap): RoostError {
  const segment = segmentOf(position)
  const place = `${segmentPathOf(session, segment)} at byte ${position - segment * SEGMENT_SIZE}`
  return new RoostError('FEED_DAMAGED', `${place}: ${reason}`)
}
