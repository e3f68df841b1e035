/**
 * Frames: what one append to a feed writes, whole or not at all.
 *
 *     magic u32 | length u32 | crc32 u32 | items u16 | version u16 | session u32 | own u32
 *     position u53 | durable u53 | chain before, 32 bytes | length of items u32 | of bodies u32
 *     items, each with its length before it as u32 | bodies, each likewise | zeros to 8 bytes
 *
 * In version 1 every item is an entry, and history as soon as it is durable. In version 2, which
 * replicas of a cluster write, each item begins with a tag, and an entry is history when it is
 * committed (`log-item.ts`).
 *
 * `position` is where the frame begins in its feed, so that an old frame in a reused place is
 * not taken for a new one. `durable` is how far the feed was known to be on the platter when the
 * frame was written: damage below that is damage, damage above may be a power cut's doing.
 * The chain is SHA-256 over the chain before and the hashes of the frame's items, so that it
 * stands for the whole feed; bodies enter it only through the hashes in the entries. The hash of an
 * item that is no entry is that of its bytes, tag included.
 */

import { crc32 } from 'node:zlib'
import type { Position, SessionId, VolumeId } from '../ids.ts'
import { RoostError } from '../errors.ts'
import { assert } from '../util/assert.ts'
import { ByteReader, type ByteWriter } from '../util/bytes.ts'
import { sha256 } from '../util/hash.ts'
import { HASH_SIZE, withPrevious, type Entry, type LoggedEntry } from './entry.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'
import { decodeDecision, encodeDecision, ENTRY_TAG, type Decision } from './log-item-codec.ts'
import type { LogItem } from './log-item.ts'

export const FRAME_MAGIC = 0x4d524652
const VERSION_OF_ENTRIES = 1
const VERSION_OF_ITEMS = 2
export const FRAME_HEADER_SIZE = 80
/** Frames begin at multiples of this, so that a search for one need not look at every byte. */
export const FRAME_ALIGN = 8
const CRC_FROM = 12
/** Where version 2 says whether it has entries that were made here; version 1 has no others. */
const OWN_AT = 20

export interface Frame {
  readonly session: SessionId
  readonly position: Position
  /** Bytes on disk, padding included. */
  readonly length: number
  readonly durable: Position
  readonly chainBefore: Buffer
  readonly chain: Buffer
  /** Whether its entries have to be committed to be history: version 2. */
  readonly isReplicated: boolean
  readonly items: readonly LogItem[]
  /** The entries among the items. */
  readonly entries: readonly LoggedEntry[]
  /** Whether any of them was made here, for an op, and not sent by another replica. */
  readonly hasOwn: boolean
}

/** An entry that is made here, and gets its hash with the frame. */
export interface OwnEntry {
  readonly entry: Entry
  readonly bodies: readonly Uint8Array[]
}

/** What a frame of version 2 takes. Entries that have their hash keep it, and so do their bytes. */
export type FrameItem = OwnEntry | LogItem

interface FramePlace {
  readonly session: SessionId
  readonly position: Position
  readonly durable: Position
  readonly chainBefore: Buffer
}

/** With `entries` a frame of version 1, with `items` one of version 2. */
export type FrameInput = FramePlace &
  ({ readonly entries: readonly OwnEntry[] } | { readonly items: readonly FrameItem[] })

export interface EncodedFrame {
  /** Lies in the writer's buffer until its next use. */
  readonly bytes: Buffer
  readonly chain: Buffer
  /** Of each entry that was made here, in order. */
  readonly hashes: readonly Buffer[]
}

/**
 * Writes a frame into `out`, which is emptied first.
 *
 * Of several own entries of one volume only the first needs its `previous`; the others follow what
 * is before them in the frame, unless that is a cut or a checkpoint.
 */
export function encodeFrame(out: ByteWriter, input: FrameInput): EncodedFrame {
  out.reset()
  const isReplicated = 'items' in input
  const items: readonly FrameItem[] = isReplicated ? input.items : input.entries
  writeHeader(out, input, items.length, isReplicated ? VERSION_OF_ITEMS : VERSION_OF_ENTRIES)
  if (isReplicated && items.some(isOwn)) out.patchU32(OWN_AT, 1)
  const { chain, own } = writeItems(out, items, isReplicated)
  const bodiesFrom = out.position
  for (const item of items) {
    for (const body of bodiesOf(item)) {
      out.u32(body.length)
      out.bytes(body)
    }
  }
  out.patchU32(FRAME_HEADER_SIZE - 8, bodiesFrom - FRAME_HEADER_SIZE)
  out.patchU32(FRAME_HEADER_SIZE - 4, out.position - bodiesFrom)
  while (out.position % FRAME_ALIGN !== 0) out.u8(0)
  out.patchU32(4, out.position)
  out.patchU32(8, crc32(out.view().subarray(CRC_FROM)))
  return { bytes: out.view(), chain: chainOf(input.chainBefore, chain), hashes: own }
}

/** @returns the hashes of all items, and of the entries that are made here */
function writeItems(
  out: ByteWriter,
  items: readonly FrameItem[],
  hasTags: boolean
): { chain: Buffer[]; own: Buffer[] } {
  const [chain, own]: [Buffer[], Buffer[]] = [[], []]
  const last = new Map<VolumeId, Buffer>()
  for (const item of items) {
    const at = out.position
    out.u32(0)
    if (isDecision(item)) {
      encodeDecision(out, item)
      chain.push(sha256(out.view().subarray(at + 4)))
      if (item.kind === 'cut' || item.kind === 'install') last.delete(item.volume)
    } else {
      if (hasTags) out.u8(ENTRY_TAG)
      const from = out.position
      encodeEntry(out, entryToWrite(item, last))
      const hash = sha256(out.view().subarray(from))
      if (!isOwn(item)) assert(hash.equals(item.logged.hash), 'an entry has another hash')
      else own.push(hash)
      chain.push(hash)
      last.set(entryOf(item).volume, hash)
    }
    out.patchU32(at, out.position - at - 4)
  }
  return { chain, own }
}

function entryToWrite(
  item: Exclude<FrameItem, Decision>,
  last: ReadonlyMap<VolumeId, Buffer>
): Entry {
  const entry = entryOf(item)
  const previous = isOwn(item) ? last.get(entry.volume) : undefined
  return previous === undefined ? entry : withPrevious(entry, previous)
}

/** Whether the entry is made here, and its hash not known yet. */
function isOwn(item: FrameItem): item is OwnEntry {
  return !('kind' in item)
}

function isDecision(item: FrameItem): item is Decision {
  return 'kind' in item && item.kind !== 'entry'
}

function entryOf(item: Exclude<FrameItem, Decision>): Entry {
  return isOwn(item) ? item.entry : item.logged.entry
}

function bodiesOf(item: FrameItem): readonly Uint8Array[] {
  if (isDecision(item)) return []
  return isOwn(item) ? item.bodies : item.logged.bodies
}

function writeHeader(out: ByteWriter, input: FramePlace, count: number, version: number): void {
  out.u32(FRAME_MAGIC)
  out.u32(0)
  out.u32(0)
  out.u16(count)
  out.u16(version)
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
  if (version !== VERSION_OF_ENTRIES && version !== VERSION_OF_ITEMS) {
    throw new RoostError('PROTOCOL', `frame version ${version}`)
  }
  const isReplicated = version === VERSION_OF_ITEMS
  const session = input.u32() as SessionId
  const hasOwn = input.u32() === 1 || !isReplicated
  const position = input.u53() as Position
  const durable = input.u53() as Position
  const chainBefore = input.bytes(HASH_SIZE)
  const itemsLength = input.u32()
  const bodiesLength = input.u32()
  const itemsEnd = FRAME_HEADER_SIZE + itemsLength
  const bodies = new ByteReader(bytes, itemsEnd, itemsEnd + bodiesLength)
  const items: LogItem[] = []
  const entries: LoggedEntry[] = []
  const hashes: Buffer[] = []
  for (let i = 0; i < count; i++) {
    const encoded = input.bytes(input.u32())
    if (isReplicated && encoded[0] !== ENTRY_TAG) {
      items.push(decodeDecision(encoded))
      hashes.push(sha256(encoded))
      continue
    }
    const logged = readEntry(isReplicated ? encoded.subarray(1) : encoded, bodies)
    items.push({ kind: 'entry', logged })
    entries.push(logged)
    hashes.push(logged.hash)
  }
  if (input.position !== itemsEnd) throw new RoostError('PROTOCOL', 'items of another length')
  const chain = chainOf(chainBefore, hashes)
  const place = { session, position, length: bytes.length, durable, chainBefore, chain }
  return { ...place, isReplicated, items, entries, hasOwn }
}

function readEntry(encoded: Buffer, bodies: ByteReader): LoggedEntry {
  const entry = decodeEntry(encoded)
  return { entry, hash: sha256(encoded), bodies: readBodies(bodies, entry) }
}

function readBodies(input: ByteReader, { change }: Entry): Buffer[] {
  if (change.kind !== 'seal') return []
  return change.riding.map(() => input.bytes(input.u32()))
}

function chainOf(before: Buffer, hashes: readonly Buffer[]): Buffer {
  return sha256(Buffer.concat([before, ...hashes]))
}
