/**
 * The form of the file in which a member keeps the council's log.
 *
 *     header  magic u32 | format u16 | spare u16 | founded u53 | crc32 u32 | spare u32
 *     frame   magic u32 | length u32 | crc32 u32 | size u32 | position u53 | durable u53
 *             version u8 | write | zeros to 8 bytes
 *
 * A frame is one write of the log, or nothing at all: a mark, which only says what is durable.
 * `position` is where the frame begins. `founded` is how far the file was durable when it got its
 * name, `durable` how far it was known to be when the frame was written: what is bad below either
 * is damage, what is bad above may be a power cut's doing and is cut off. Zeros follow the last
 * frame.
 */

import { crc32 } from 'node:zlib'
import { RoostError } from '../errors.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import type { CouncilRequest } from './command.ts'
import { takeEnd } from './council-fields.ts'
import { putRaftWrite, takeRaftWrite } from './raft-codec.ts'
import type { RaftWrite } from './raft-io.ts'

type Write = RaftWrite<CouncilRequest>

const FORMAT = 1
const VERSION = 1
const HEADER_MAGIC = 0x474c4352
const FRAME_MAGIC = 0x464c4352
const FRAME_HEADER_SIZE = 32
const ALIGN = 8
/** Where a frame's checksum begins to count. */
const CRC_FROM = 12
const HEADER_CRC_AT = 16
export const LOG_HEADER_SIZE = 24

/** What a file holds, as far as it is good. */
export interface CouncilLog {
  readonly writes: readonly Write[]
  /** Where the last good frame ends. */
  readonly end: number
  /** Something other than zeros follows. */
  readonly isTorn: boolean
}

/** @param founded bytes from the start of the file which are durable before anybody reads it */
export function encodeLogHeader(founded: number): Buffer {
  const out = new ByteWriter(LOG_HEADER_SIZE)
  out.u32(HEADER_MAGIC)
  out.u16(FORMAT)
  out.u16(0)
  out.u53(founded)
  out.u32(crc32(out.view()))
  out.u32(0)
  return out.take()
}

/**
 * @param position where it is to be written
 * @param durable how far the file is known to be durable
 */
export function encodeLogFrame(write: Write | 'mark', position: number, durable: number): Buffer {
  const out = new ByteWriter()
  out.u32(FRAME_MAGIC)
  out.u32(0)
  out.u32(0)
  out.u32(0)
  out.u53(position)
  out.u53(durable)
  if (write !== 'mark') {
    out.u8(VERSION)
    putRaftWrite(out, write)
  }
  out.patchU32(12, out.position - FRAME_HEADER_SIZE)
  while (out.position % ALIGN !== 0) out.u8(0)
  out.patchU32(4, out.position)
  out.patchU32(8, crc32(out.view().subarray(CRC_FROM)))
  return out.take()
}

/** @throws RoostError COUNCIL_DAMAGED where bytes are bad that were durable */
export function decodeLog(bytes: Buffer): CouncilLog {
  const founded = decodeHeader(bytes)
  const writes: Write[] = []
  let end = LOG_HEADER_SIZE
  for (let frame = frameAt(bytes, end); frame !== undefined; frame = frameAt(bytes, end)) {
    if (frame.payload.length > 0) writes.push(decodeWrite(frame.payload, end))
    end += frame.length
  }
  if (end < founded || wasDurable(bytes, end)) throw damaged(`the frame at byte ${end} is bad`)
  return { writes, end, isTorn: bytes.subarray(end).some(byte => byte !== 0) }
}

/** @returns how far the file was durable from its beginning */
function decodeHeader(bytes: Buffer): number {
  if (bytes.length < LOG_HEADER_SIZE) throw damaged('the header is cut off')
  const input = new ByteReader(bytes)
  if (input.u32() !== HEADER_MAGIC) throw damaged('the header is bad')
  const format = input.u16()
  input.u16()
  const founded = input.bytes(8)
  if (crc32(bytes.subarray(0, HEADER_CRC_AT)) !== input.u32()) throw damaged('the header is bad')
  if (format !== FORMAT) {
    throw new RoostError('DATA_FORMAT', `council/log has the unknown format ${format}`)
  }
  return new ByteReader(founded).u53()
}

interface Frame {
  readonly length: number
  readonly durable: number
  readonly payload: Buffer
}

/** @returns undefined where none begins that is whole */
function frameAt(bytes: Buffer, at: number): Frame | undefined {
  if (at + FRAME_HEADER_SIZE > bytes.length || bytes.readUInt32LE(at) !== FRAME_MAGIC) {
    return undefined
  }
  const length = bytes.readUInt32LE(at + 4)
  if (length < FRAME_HEADER_SIZE || length % ALIGN !== 0 || length > bytes.length - at) {
    return undefined
  }
  const frame = bytes.subarray(at, at + length)
  if (crc32(frame.subarray(CRC_FROM)) !== frame.readUInt32LE(8)) return undefined
  const input = new ByteReader(frame, CRC_FROM)
  const size = input.u32()
  if (input.u53() !== at || size > length - FRAME_HEADER_SIZE) return undefined
  return { length, durable: input.u53(), payload: input.bytes(size) }
}

function decodeWrite(payload: Buffer, at: number): Write {
  try {
    const input = new ByteReader(payload)
    const version = input.u8()
    if (version !== VERSION) throw new RoostError('PROTOCOL', `version ${version} is unknown`)
    const write = takeRaftWrite(input)
    takeEnd(input, 'a write')
    return write
  } catch (cause) {
    if (!(cause instanceof RoostError)) throw cause
    throw damaged(`the frame at byte ${at} makes no sense`, { cause })
  }
}

/** Whether a later frame says that what is bad at `end` had been durable. */
function wasDurable(bytes: Buffer, end: number): boolean {
  for (let at = end + ALIGN; at + FRAME_HEADER_SIZE <= bytes.length; at += ALIGN) {
    const frame = frameAt(bytes, at)
    if (frame !== undefined && frame.durable > end) return true
  }
  return false
}

function damaged(what: string, options?: ErrorOptions): RoostError {
  return new RoostError('COUNCIL_DAMAGED', `council/log: ${what}`, options)
}
