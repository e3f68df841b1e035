/**
 * A checkpoint of one volume as bytes: all that its history came to at one point.
 *
 *     magic u32 | version u32 | volume u32 | epoch u32 | index u53 | hash of the entry, 32 bytes
 *     item: length u32, kind u8, fields | item ...
 *     0 u32 | SHA-256 of all before, 32 bytes
 *
 * The items are the store's keys and values (the volume's record first), then containers, each
 * followed by its bytes as far as these are not zeros. Bodies are not part of it: the extents
 * name them.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import { RoostError } from '../errors.ts'
import { HASH_SIZE } from '../feed/entry.ts'
import { VOLUME_ID_MAX, type Epoch, type Index, type Ino, type VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'

export interface CheckpointHeader {
  readonly volume: VolumeId
  readonly point: HistoryPoint
}

export type CheckpointItem =
  | { readonly kind: 'key'; readonly key: string; readonly value: Buffer }
  /** A container of that size begins; its bytes follow. */
  | { readonly kind: 'container'; readonly ino: Ino; readonly size: number }
  | { readonly kind: 'bytes'; readonly offset: number; readonly bytes: Buffer }

const MAGIC = 0x54504352
const VERSION = 1
export const CHECKPOINT_HEADER_SIZE = 24 + HASH_SIZE
/** Bytes of an item's length. */
export const ITEM_LENGTH_SIZE = 4
/** Longer than any item is; what claims to be longer is damage. */
export const ITEM_SIZE_MAX = 64 * 1024 * 1024

/** Numbers of the kinds are their places here; new ones go to the end. */
const KINDS: readonly CheckpointItem['kind'][] = ['key', 'container', 'bytes']

export function encodeCheckpointHeader({ volume, point }: CheckpointHeader): Buffer {
  const out = new ByteWriter(CHECKPOINT_HEADER_SIZE)
  out.u32(MAGIC)
  out.u32(VERSION)
  out.u32(volume)
  out.u32(point.epoch)
  out.u53(point.index)
  out.bytes(Buffer.from(point.hash, 'hex'))
  return out.take()
}

/** @throws RoostError CHECKPOINT_DAMAGED */
export function decodeCheckpointHeader(bytes: Buffer): CheckpointHeader {
  return readingCheckpoint(() => {
    const input = new ByteReader(bytes)
    const [magic, version] = [input.u32(), input.u32()]
    if (magic !== MAGIC) throw new RoostError('PROTOCOL', 'no checkpoint begins here')
    if (version !== VERSION) throw new RoostError('PROTOCOL', `unknown version ${version}`)
    const volume = input.u32() as VolumeId
    if (volume > VOLUME_ID_MAX) throw new RoostError('PROTOCOL', `there is no volume ${volume}`)
    const [epoch, index] = [input.u32() as Epoch, input.u53() as Index]
    return { volume, point: { epoch, index, hash: input.bytes(HASH_SIZE).toString('hex') } }
  })
}

/** With its length before it. */
export function encodeCheckpointItem(item: CheckpointItem): Buffer {
  const out = new ByteWriter(128)
  out.u32(0)
  out.u8(KINDS.indexOf(item.kind))
  putFields(out, item)
  out.patchU32(0, out.position - ITEM_LENGTH_SIZE)
  return out.view()
}

/** @param bytes without the length, and shared. @throws RoostError CHECKPOINT_DAMAGED */
export function decodeCheckpointItem(bytes: Buffer): CheckpointItem {
  return readingCheckpoint(() => {
    const input = new ByteReader(bytes)
    const code = input.u8()
    const kind = KINDS[code]
    if (kind === undefined) throw new RoostError('PROTOCOL', `unknown kind of item ${code}`)
    const item = takeFields(input, kind)
    if (input.remaining > 0) throw new RoostError('PROTOCOL', `bytes left after a ${kind}`)
    return item
  })
}

function putFields(out: ByteWriter, item: CheckpointItem): void {
  switch (item.kind) {
    case 'key':
      out.text(item.key)
      return out.bytes(item.value)
    case 'container':
      out.u53(item.ino)
      return out.u53(item.size)
    case 'bytes':
      out.u53(item.offset)
      return out.bytes(item.bytes)
    default:
      unreachable(item)
  }
}

function takeFields(input: ByteReader, kind: CheckpointItem['kind']): CheckpointItem {
  switch (kind) {
    case 'key':
      return { kind, key: input.text(), value: input.bytes(input.remaining) }
    case 'container':
      return { kind, ino: input.u53() as Ino, size: input.u53() }
    case 'bytes':
      return { kind, offset: input.u53(), bytes: input.bytes(input.remaining) }
    default:
      return unreachable(kind)
  }
}

/** Runs a task that decodes, for which bytes without a meaning are a damaged checkpoint. */
export function readingCheckpoint<T>(task: () => T): T {
  try {
    return task()
  } catch (error) {
    if (!(error instanceof RoostError) || error.code !== 'PROTOCOL') throw error
    throw new RoostError('CHECKPOINT_DAMAGED', 'a checkpoint makes no sense', { cause: error })
  }
}
