/**
 * What replicas say to each other about bodies, as bytes.
 *
 *     version u8 | kind u8 | number of the question u53 | 'want': blob, 32 bytes; 'body': its bytes
 */

import { RoostError } from '../errors.ts'
import type { BlobId } from '../ids.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import { BLOB_SIZE_MAX } from './blob-store.ts'

export type BodyMessage =
  | { readonly kind: 'want'; readonly number: number; readonly blob: BlobId }
  | { readonly kind: 'body'; readonly number: number; readonly bytes: Buffer }
  /** The sender does not have it, or not whole. */
  | { readonly kind: 'none'; readonly number: number }

const VERSION = 1
/** Numbers of the kinds on the wire are their places here; new ones go to the end. */
const KINDS: readonly BodyMessage['kind'][] = ['want', 'body', 'none']
const HEADER_SIZE = 10
const BLOB_ID_SIZE = 32

export function encodeBodyMessage(message: BodyMessage): Buffer {
  const bodySize = message.kind === 'body' ? message.bytes.length : BLOB_ID_SIZE
  const out = new ByteWriter(HEADER_SIZE + bodySize)
  out.u8(VERSION)
  out.u8(KINDS.indexOf(message.kind))
  out.u53(message.number)
  if (message.kind === 'want') out.bytes(Buffer.from(message.blob, 'hex'))
  if (message.kind === 'body') out.bytes(message.bytes)
  return out.view()
}

/** @throws RoostError PROTOCOL unless `bytes`, which are shared, are one whole message */
export function decodeBodyMessage(bytes: Buffer): BodyMessage {
  const input = new ByteReader(bytes)
  const version = input.u8()
  if (version !== VERSION) throw new RoostError('PROTOCOL', `version ${version} about a body`)
  const [code, number] = [input.u8(), input.u53()]
  const message = takeRest(input, code, number)
  if (input.remaining > 0) throw new RoostError('PROTOCOL', 'bytes left after a body message')
  return message
}

function takeRest(input: ByteReader, code: number, number: number): BodyMessage {
  const kind = KINDS[code]
  if (kind === undefined) throw new RoostError('PROTOCOL', `unknown kind ${code} about a body`)
  if (kind === 'none') return { kind, number }
  if (kind === 'want') {
    return { kind, number, blob: input.bytes(BLOB_ID_SIZE).toString('hex') as BlobId }
  }
  if (input.remaining > BLOB_SIZE_MAX) {
    throw new RoostError('PROTOCOL', `no body has ${input.remaining} bytes`)
  }
  return { kind, number, bytes: input.bytes(input.remaining) }
}
