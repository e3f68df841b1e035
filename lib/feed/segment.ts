/**
 * The files of a feed: where a position lies, and the header that each file begins with.
 *
 * A feed is one run of one replica. Its segments all have the same size and are filled with
 * zeros before use, because fdatasync of a file that neither grows nor gets new blocks need not
 * touch the journal of the file system below. Frames do not cross segments; the rest of a
 * segment that no frame fits into is marked.
 */

import { crc32 } from 'node:zlib'
import type { Position, SessionId } from '../ids.ts'
import { ByteWriter } from '../util/bytes.ts'
import { HASH_SIZE } from './entry.ts'

/** Bytes of a segment: large beside a frame, small beside a disk; filled in 10 ms. */
export const SEGMENT_SIZE = 16 * 1024 * 1024
export const SEGMENT_HEADER_SIZE = 64
/** No frame is longer, so that at least a dozen fit into a segment. */
export const FRAME_SIZE_MAX = 1280 * 1024
/** Stands where a frame would begin when the rest of the segment is unused. */
export const END_MAGIC = 0x444e4552
const SEGMENT_MAGIC = 0x47455352
const SEGMENT_VERSION = 1

export const FEEDS_DIRECTORY = 'feeds'

export function feedDirectoryOf(session: SessionId): string {
  return `${FEEDS_DIRECTORY}/${String(session).padStart(10, '0')}`
}

export function segmentPathOf(session: SessionId, segment: number): string {
  return `${feedDirectoryOf(session)}/${String(segment).padStart(8, '0')}.seg`
}

export function segmentOf(position: number): number {
  return Math.floor(position / SEGMENT_SIZE)
}

/** Where the first frame of a segment begins. */
export function firstFrameOf(segment: number): Position {
  return (segment * SEGMENT_SIZE + SEGMENT_HEADER_SIZE) as Position
}

/** `position`, or the first frame of its segment where it points at the segment's header. */
export function framePositionOf(position: Position): Position {
  const first = firstFrameOf(segmentOf(position))
  return position < first ? first : position
}

export interface SegmentHeader {
  readonly session: SessionId
  readonly segment: number
  /** The chain at the end of the segment before; zeros in the first. */
  readonly chainBefore: Buffer
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const out = new ByteWriter(SEGMENT_HEADER_SIZE)
  out.u32(SEGMENT_MAGIC)
  out.u32(SEGMENT_VERSION)
  out.u32(header.session)
  out.u32(header.segment)
  out.bytes(header.chainBefore)
  while (out.position < SEGMENT_HEADER_SIZE - 4) out.u8(0)
  out.u32(crc32(out.view()))
  return out.view()
}

/** @returns the header, or in words why these bytes are none */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | string {
  if (bytes.length < SEGMENT_HEADER_SIZE) return 'segment too short'
  const crcAt = SEGMENT_HEADER_SIZE - 4
  // Prepared, and never written to.
  if (bytes.readUInt32LE(0) === 0) return 'no frame'
  if (bytes.readUInt32LE(0) !== SEGMENT_MAGIC) return 'no segment header'
  if (crc32(bytes.subarray(0, crcAt)) !== bytes.readUInt32LE(crcAt)) return 'wrong header checksum'
  const version = bytes.readUInt32LE(4)
  if (version !== SEGMENT_VERSION) return `segment version ${version}`
  return {
    session: bytes.readUInt32LE(8) as SessionId,
    segment: bytes.readUInt32LE(12),
    chainBefore: Buffer.from(bytes.subarray(16, 16 + HASH_SIZE))
  }
}
