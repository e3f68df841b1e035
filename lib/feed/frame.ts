/**
 * Frames: what one append to a feed writes, whole or not at all.
 *
 *     magic u32 | length u32 | crc32 u32 | entries u16 | version u16 | session u32 | spare u32
 *     position u53 | durable u53 | chain before, 32 bytes | length of entries u32 | of bodies u32
 *     entries, each with its length before it as u32 | bodies, each likewise | zeros to 8 bytes
 *
 * `position` is where the frame begins in its feed, so that an old frame in a reused place is
 * not taken for a new one. `durable` is how far the feed was known to be on the platter when the
 * frame was written: damage below that is damage, damage above may be a power cut's doing.
 * The chain is SHA-256 over the chain before and the hashes of the frame's entries, so that it
 * stands for the whole feed; bodies enter it only through the hashes in the entries.
 */

import { crc32 } from 'node:zlib'
import type { Position, SessionId, VolumeId } from '../ids.ts'
import { RoostError } from '../errors.ts'
import { ByteReader, type ByteWriter } from '../util/bytes.ts'
import { sha256 } from '../util/hash.ts'
import { HASH_SIZE, withPrevious, type Entry, type LoggedEntry } from './entry.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'

export const FRAME_MAGIC = 0x4d524652
const FRAME_VERSION = 1
export const FRAME_HEADER_SIZE = 80
/** Frames begin at multiples of this, so that a search for one need not look at every byte. */
export const FRAME_ALIGN = 8
const CRC_FROM = 12

export interface Frame {
  readonly session: SessionId
  readonly position: Position
  /** Bytes on disk, padding included. */
  readonly length: number
  readonly durable: Position
  readonly chainBefore: Buffer
  readonly chain: Buffer
  readonly entries: readonly LoggedEntry[]
}

export interface FrameInput {
  readonly session: SessionId
  readonly position: Position
  readonly durable: Position
  readonly chainBefore: Buffer
  readonly entries: readonly { readonly entry: Entry; readonly bodies: readonly Uint8Array[] }[]
}

export interface EncodedFrame {
  /** Lies in the writer's buffer until its next use. */
  readonly bytes: Buffer
  readonly chain: Buffer
  /** Of each entry, in order. */
  readonly hashes: readonly Buffer[]
}

/**
 * Writes a frame into `out`, which is emptied first.
 *
 * Of several entries of one volume only the first needs its `previous`; the others follow it.
 */
export function encodeFrame(out: ByteWriter, input: FrameInput): EncodedFrame {
  out.reset()
  writeHeader(out, input)
  const entriesFrom = out.position
  const hashes: Buffer[] = []
  const last = new Map<VolumeId, Buffer>()
  for (const { entry } of input.entries) {
    const at = out.position
    out.u32(0)
    const previous = last.get(entry.volume)
    encodeEntry(out, previous === undefined ? entry : withPrevious(entry, previous))
    out.patchU32(at, out.position - at - 4)
    const hash = sha256(out.view().subarray(at + 4))
    hashes.push(hash)
    last.set(entry.volume, hash)
  }
  const bodiesFrom = out.position
  for (const { bodies } of input.entries) {
    for (const body of bodies) {
      out.u32(body.length)
      out.bytes(body)
    }
  }
  out.patchU32(FRAME_HEADER_SIZE - 8, bodiesFrom - entriesFrom)
  out.patchU32(FRAME_HEADER_SIZE - 4, out.position - bodiesFrom)
  while (out.position % FRAME_ALIGN !== 0) out.u8(0)
  out.patchU32(4, out.position)
  out.patchU32(8, crc32(out.view().subarray(CRC_FROM)))
  return { bytes: out.view(), chain: chainOf(input.chainBefore, hashes), hashes }
}

function writeHeader(out: ByteWriter, input: FrameInput): void {
  out.u32(FRAME_MAGIC)
  out.u32(0)
  out.u32(0)
  out.u16(input.entries.length)
  out.u16(FRAME_VERSION)
  out.u32(input.session)
  out.u32(0)
  out.u53(input.position)
  out.u53(input.durable)
  out.bytes(input.chainBefore)
  out.u32(0)
  out.u32(0)
}

/**
 * Looks at the bytes where a frame should begin.
 *
 * @returns the frame, or in words why there is none
 */
export function decodeFrame(bytes: Buffer): Frame | string {
  if (bytes.length < FRAME_HEADER_SIZE) return 'too short for a frame'
  const magic = bytes.readUInt32LE(0)
  if (magic === 0) return 'no frame'
  if (magic !== FRAME_MAGIC) return 'no frame magic'
  const length = bytes.readUInt32LE(4)
  if (length < FRAME_HEADER_SIZE || length % FRAME_ALIGN !== 0) return 'impossible frame length'
  if (length > bytes.length) return 'frame cut short'
  const frame = bytes.subarray(0, length)
  if (crc32(frame.subarray(CRC_FROM)) !== frame.readUInt32LE(8)) return 'wrong checksum'
  try {
    return readFrame(frame)
  } catch (error) {
    if (error instanceof RoostError && error.code === 'PROTOCOL') return error.message
    throw error
  }
}

function readFrame(bytes: Buffer): Frame {
  const input = new ByteReader(bytes, CRC_FROM)
  const count = input.u16()
  const version = input.u16()
  if (version !== FRAME_VERSION) throw new RoostError('PROTOCOL', `frame version ${version}`)
  const session = input.u32() as SessionId
  input.u32()
  const position = input.u53() as Position
  const durable = input.u53() as Position
  const chainBefore = input.bytes(HASH_SIZE)
  const entriesLength = input.u32()
  const bodiesLength = input.u32()
  const entriesEnd = FRAME_HEADER_SIZE + entriesLength
  const bodies = new ByteReader(bytes, entriesEnd, entriesEnd + bodiesLength)
  const entries: LoggedEntry[] = []
  for (let i = 0; i < count; i++) {
    const encoded = input.bytes(input.u32())
    const entry = decodeEntry(encoded)
    entries.push({ entry, hash: sha256(encoded), bodies: readBodies(bodies, entry) })
  }
  if (input.position !== entriesEnd) throw new RoostError('PROTOCOL', 'entries of another length')
  const hashes = entries.map(logged => logged.hash)
  const chain = chainOf(chainBefore, hashes)
  return { session, position, length: bytes.length, durable, chainBefore, chain, entries }
}

function readBodies(input: ByteReader, { change }: Entry): Buffer[] {
  if (change.kind !== 'seal') return []
  return change.riding.map(() => input.bytes(input.u32()))
}

function chainOf(before: Buffer, hashes: readonly Buffer[]): Buffer {
  return sha256(Buffer.concat([before, ...hashes]))
}
