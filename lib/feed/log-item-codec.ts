/**
 * Items of the log other than entries, as bytes: a tag, the volume, and what the item says of it.
 *
 * An entry has a tag as well, and behind it the bytes that it has everywhere, so that its hash is
 * the same in every log.
 */

import { RoostError } from '../errors.ts'
import type { Epoch, Index, VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import { ByteReader, type ByteWriter } from '../util/bytes.ts'
import { HASH_SIZE } from './entry.ts'
import type { LogItem } from './log-item.ts'

/** What an item decides about entries, without being one. */
export type Decision = Exclude<LogItem, { readonly kind: 'entry' }>

/** Tags on disk; never reused for another meaning. */
export const ENTRY_TAG = 1
const TAG: Record<Decision['kind'], number> = { promise: 2, cut: 3, commit: 4, install: 5 }
const KIND_OF_TAG = new Map(Object.entries(TAG).map(([k, tag]) => [tag, k as Decision['kind']]))

export function encodeDecision(out: ByteWriter, item: Decision): void {
  out.u8(TAG[item.kind])
  out.u32(item.volume)
  switch (item.kind) {
    case 'promise':
      return out.u32(item.epoch)
    case 'cut':
      return out.u53(item.to)
    case 'commit':
      return out.u53(item.through)
    case 'install':
      out.u32(item.epoch)
      out.u53(item.index)
      return out.bytes(item.hash)
    default:
      return unreachable(item)
  }
}

/** @throws RoostError PROTOCOL unless `bytes` is one whole item that is no entry */
export function decodeDecision(bytes: Buffer): Decision {
  const input = new ByteReader(bytes)
  const tag = input.u8()
  const kind = KIND_OF_TAG.get(tag)
  if (kind === undefined) throw new RoostError('PROTOCOL', `unknown kind of item ${tag}`)
  const item = decodeFields(input, kind, input.u32() as VolumeId)
  if (input.remaining > 0) throw new RoostError('PROTOCOL', `bytes left after a ${kind}`)
  return item
}

function decodeFields(input: ByteReader, kind: Decision['kind'], volume: VolumeId): Decision {
  switch (kind) {
    case 'promise':
      return { kind, volume, epoch: input.u32() as Epoch }
    case 'cut':
      return { kind, volume, to: input.u53() as Index }
    case 'commit':
      return { kind, volume, through: input.u53() as Index }
    case 'install': {
      const [epoch, index] = [input.u32() as Epoch, input.u53() as Index]
      return { kind, volume, epoch, index, hash: Buffer.from(input.bytes(HASH_SIZE)) }
    }
    default:
      return unreachable(kind)
  }
}
