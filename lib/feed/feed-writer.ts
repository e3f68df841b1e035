/**
 * The appending end of a feed.
 *
 * `append` hands a frame to the page cache and returns: a killed process then loses nothing, a
 * power cut loses what nobody synced. Making it durable is the feed syncer's part, and preparing
 * segments the keeper's: the writer only enters segments that are there, so it never meets a full
 * disk half way through a frame.
 *
 * Invariant: after a failed append nothing more is appended, because what the disk holds from
 * there on is not known. `failed` then says why.
 */

import { RoostError } from '../errors.ts'
import type { Position, SessionId } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import { assert, present } from '../util/assert.ts'
import { ByteWriter } from '../util/bytes.ts'
import { NO_HASH } from './entry.ts'
import { encodeFrame, type FrameInput, type FrameItem, type OwnEntry } from './frame.ts'
import {
  END_MAGIC,
  FRAME_SIZE_MAX,
  SEGMENT_SIZE,
  encodeSegmentHeader,
  firstFrameOf,
  segmentOf,
  segmentPathOf
} from './segment.ts'

export type Appendable = OwnEntry

/** Entries alone make a frame of version 1, items one of version 2. */
type FrameContents =
  { readonly entries: readonly Appendable[] } | { readonly items: readonly FrameItem[] }

export class FeedWriter {
  readonly #disk: Disk
  readonly #session: SessionId
  readonly #out = new ByteWriter(64 * 1024)
  #file: DiskFile | undefined
  #segment = -1
  #end: Position = firstFrameOf(0)
  #chain: Buffer = NO_HASH
  #failed: RoostError | undefined

  constructor(disk: Disk, session: SessionId) {
    this.#disk = disk
    this.#session = session
  }

  /** Where the last frame ends; a sync through here makes everything appended durable. */
  get end(): Position {
    return this.#end
  }

  get session(): SessionId {
    return this.#session
  }

  get failed(): RoostError | undefined {
    return this.#failed
  }

  /** Bytes that can be appended before the next segment is needed. */
  get roomInSegment(): number {
    return this.#segment < 0 ? 0 : (this.#segment + 1) * SEGMENT_SIZE - this.#end
  }

  /** The segment that comes after the one in use. */
  get nextSegment(): number {
    return this.#segment + 1
  }

  /**
   * Appends one frame of entries that are history as soon as they are durable.
   *
   * @param durable how far this feed is known to be durable
   * @returns the hash of each entry
   * @throws RoostError DISK_FULL the next segment is not there, and nothing was changed;
   *   FEED_FAILED the disk refused a write, now or earlier
   */
  append(entries: readonly Appendable[], durable: Position): readonly Buffer[] {
    return this.#append({ entries }, durable)
  }

  /**
   * Appends one frame of what a replica of a cluster writes.
   *
   * @returns the hash of each entry that is made here
   * @throws as `append`
   */
  appendItems(items: readonly FrameItem[], durable: Position): readonly Buffer[] {
    return this.#append({ items }, durable)
  }

  close(): void {
    this.#file?.close()
    this.#file = undefined
  }

  #append(contents: FrameContents, durable: Position): readonly Buffer[] {
    if (this.#failed !== undefined) throw this.#failed
    let frame = this.#encode(contents, durable)
    if (frame.bytes.length > this.roomInSegment) {
      this.#enterSegment(this.nextSegment)
      frame = this.#encode(contents, durable)
    }
    this.#write(frame.bytes, this.#end)
    this.#end = (this.#end + frame.bytes.length) as Position
    this.#chain = frame.chain
    return frame.hashes
  }

  #encode(contents: FrameContents, durable: Position): ReturnType<typeof encodeFrame> {
    const input: FrameInput = {
      session: this.#session,
      position: this.#end,
      durable,
      chainBefore: this.#chain,
      ...contents
    }
    const frame = encodeFrame(this.#out, input)
    assert(frame.bytes.length <= FRAME_SIZE_MAX, `frame of ${frame.bytes.length} bytes`)
    return frame
  }

  /** Closes the segment in use with a mark and begins the next one. */
  #enterSegment(segment: number): void {
    const file = this.#openSegment(segment)
    if (this.#file !== undefined && this.roomInSegment >= 4) {
      const mark = Buffer.alloc(4)
      mark.writeUInt32LE(END_MAGIC)
      this.#write(mark, this.#end)
    }
    this.close()
    this.#file = file
    this.#segment = segment
    this.#end = firstFrameOf(segment)
  }

  #openSegment(segment: number): DiskFile {
    const header = { session: this.#session, segment, chainBefore: this.#chain }
    let file: DiskFile | undefined
    try {
      file = this.#disk.open(segmentPathOf(this.#session, segment), 'existing')
      file.write(encodeSegmentHeader(header), 0)
      return file
    } catch (error) {
      file?.close()
      throw new RoostError('DISK_FULL', `segment ${segment} is not prepared`, { cause: error })
    }
  }

  #write(bytes: Uint8Array, position: Position): void {
    try {
      const offset = position - segmentOf(position) * SEGMENT_SIZE
      present(this.#file, 'open segment').write(bytes, offset)
    } catch (error) {
      this.#failed = new RoostError('FEED_FAILED', 'a segment could not be written', {
        cause: error
      })
      throw this.#failed
    }
  }
}
