/**
 * Reads what an ended session left behind, and tells a torn tail from damage.
 *
 * A power cut may take or tear whatever was not synced, in any order, so behind a bad frame
 * there may be good ones. Those are cut off with it, as long as nothing says that the bad one had
 * been durable. What says so is a later frame's `durable`, or the caller, who knows from the
 * store how far the feed was applied (only durable frames are). Then it is damage, and refused.
 */

import type { Position, SessionId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { damageAt, FeedReader, type FeedGap } from './feed-reader.ts'
import { decodeFrame, FRAME_ALIGN, FRAME_MAGIC, type Frame } from './frame.ts'
import {
  feedDirectoryOf,
  SEGMENT_HEADER_SIZE,
  SEGMENT_SIZE,
  segmentOf,
  segmentPathOf
} from './segment.ts'

export interface FeedTail {
  /** End of the last good frame. */
  readonly end: Position
  readonly chain: Buffer
  /** Why the feed was cut there, where it did not simply end; undefined after an orderly end. */
  readonly torn: FeedGap | undefined
}

/**
 * Yields every good frame from `from` on, in order, and returns how the feed ends.
 *
 * @param attested below here the feed is known to have been durable
 * @throws RoostError FEED_DAMAGED when what was durable is not good
 */
export function* scanFeed(
  disk: Disk,
  session: SessionId,
  from: { readonly position: Position; readonly chain: Buffer },
  attested: Position
): Generator<Frame, FeedTail> {
  const reader = new FeedReader(disk, session, from.position, from.chain)
  try {
    for (;;) {
      const next = reader.next()
      if ('reason' in next) return tailAt(disk, session, reader, next, attested)
      yield next
    }
  } finally {
    reader.close()
  }
}

function tailAt(
  disk: Disk,
  session: SessionId,
  reader: FeedReader,
  gap: FeedGap,
  attested: Position
): FeedTail {
  const end = reader.position
  const later = laterFrames(disk, session, gap.position)
  const durable = Math.max(attested, later.durable)
  if (durable > end) throw damageAt(session, gap)
  const clean = !later.found && (gap.reason === 'no frame' || gap.reason === 'no such segment')
  return { end, chain: reader.chain, torn: clean ? undefined : gap }
}

/** Looks for good frames behind `position`, and for how far they say the feed was durable. */
function laterFrames(
  disk: Disk,
  session: SessionId,
  position: Position
): { found: boolean; durable: number } {
  const result = { found: false, durable: 0 }
  const first = segmentOf(position)
  for (const segment of segmentsOf(disk, session)) {
    if (segment < first) continue
    const bytes = readWhole(disk, segmentPathOf(session, segment))
    const from = segment === first ? position - segment * SEGMENT_SIZE : SEGMENT_HEADER_SIZE
    for (const frame of framesIn(bytes, from)) {
      if (frame.session !== session || segmentOf(frame.position) !== segment) continue
      result.found = true
      result.durable = Math.max(result.durable, frame.durable)
    }
  }
  return result
}

function* framesIn(bytes: Buffer, from: number): Generator<Frame> {
  const magic = Buffer.alloc(4)
  magic.writeUInt32LE(FRAME_MAGIC)
  for (let at = from; (at = bytes.indexOf(magic, at)) >= 0; at += FRAME_ALIGN) {
    at -= at % FRAME_ALIGN
    const frame = decodeFrame(bytes.subarray(at))
    if (typeof frame !== 'string') yield frame
  }
}

/** Numbers of the segments that a feed has on disk, ascending. */
export function segmentsOf(disk: Disk, session: SessionId): number[] {
  const directory = feedDirectoryOf(session)
  if (!disk.exists(directory)) return []
  const named = disk.list(directory).map(name => /^(\d{8})\.seg$/.exec(name)?.[1])
  return named
    .filter(digits => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b)
}

function readWhole(disk: Disk, path: string): Buffer {
  const file = disk.openRead(path)
  try {
    const bytes = Buffer.alloc(file.size())
    return bytes.subarray(0, file.read(bytes, 0))
  } finally {
    file.close()
  }
}
