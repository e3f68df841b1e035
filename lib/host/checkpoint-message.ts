/**
 * What replicas say to each other while a checkpoint goes from one to the other, as bytes.
 *
 *     version u8 | kind u8 | number of the transfer u53 | fields
 */

import { RoostError } from '../errors.ts'
import { VOLUME_ID_MAX, type Index, type VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'

export type CheckpointMessage =
  /** Send one of the volume that goes to `index` at least. */
  | {
      readonly kind: 'want'
      readonly number: number
      readonly volume: VolumeId
      readonly index: Index
    }
  | { readonly kind: 'chunk'; readonly number: number; readonly bytes: Buffer }
  /** All chunks were sent; the bodies that it names stay until `done`. */
  | { readonly kind: 'end'; readonly number: number }
  /** From the sender: there is none, or no more of it. */
  | { readonly kind: 'none'; readonly number: number; readonly why: string }
  /** From the receiver: so many bytes are taken. Also said to go on being waited for. */
  | { readonly kind: 'taken'; readonly number: number; readonly size: number }
  /** From the receiver: it has all, or wants no more. */
  | { readonly kind: 'done'; readonly number: number }

const VERSION = 1
/** Numbers of the kinds on the wire are their places here; new ones go to the end. */
const KINDS: readonly CheckpointMessage['kind'][] = [
  'want',
  'chunk',
  'end',
  'none',
  'taken',
  'done'
]
const WHY_SIZE_MAX = 500

export function encodeCheckpointMessage(message: CheckpointMessage): Buffer {
  const out = new ByteWriter(message.kind === 'chunk' ? message.bytes.length + 10 : 32)
  out.u8(VERSION)
  out.u8(KINDS.indexOf(message.kind))
  out.u53(message.number)
  putFields(out, message)
  return out.view()
}

/** @throws RoostError PROTOCOL unless `bytes`, which are shared, are one whole message */
export function decodeCheckpointMessage(bytes: Buffer): CheckpointMessage {
  const input = new ByteReader(bytes)
  const version = input.u8()
  if (version !== VERSION) throw new RoostError('PROTOCOL', `version ${version} about checkpoints`)
  const [code, number] = [input.u8(), input.u53()]
  const kind = KINDS[code]
  if (kind === undefined) throw new RoostError('PROTOCOL', `unknown kind ${code} of checkpoints`)
  const message = takeFields(input, kind, number)
  if (input.remaining > 0) throw new RoostError('PROTOCOL', `bytes left after message "${kind}"`)
  return message
}

function putFields(out: ByteWriter, message: CheckpointMessage): void {
  switch (message.kind) {
    case 'want':
      out.u32(message.volume)
      return out.u53(message.index)
    case 'chunk':
      return out.bytes(message.bytes)
    case 'none':
      return out.text(Buffer.from(message.why).toString('latin1').slice(0, WHY_SIZE_MAX))
    case 'taken':
      return out.u53(message.size)
    case 'end':
    case 'done':
      return
    default:
      unreachable(message)
  }
}

function takeFields(
  input: ByteReader,
  kind: CheckpointMessage['kind'],
  number: number
): CheckpointMessage {
  switch (kind) {
    case 'want': {
      const volume = input.u32() as VolumeId
      if (volume > VOLUME_ID_MAX) throw new RoostError('PROTOCOL', `there is no volume ${volume}`)
      return { kind, number, volume, index: input.u53() as Index }
    }
    case 'chunk':
      return { kind, number, bytes: input.bytes(input.remaining) }
    case 'none':
      return { kind, number, why: Buffer.from(input.text(), 'latin1').toString() }
    case 'taken':
      return { kind, number, size: input.u53() }
    case 'end':
    case 'done':
      return { kind, number }
    default:
      return unreachable(kind)
  }
}
