/**
 * An invite as text that one person hands to another: 'roost1-' and base64url.
 *
 *     inviter's key (32), invite (8), secret (32), expires (u53, ms since 1970),
 *     number of addresses (u8), each as text; then the first 4 bytes of the SHA-256 of all that
 */

import { createHash } from 'node:crypto'
import { RoostError } from '../errors.ts'
import { addressOf } from '../io/tcp.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'

export interface InviteToken {
  /** Public key of the inviter, 64 hex digits: whoever answers with another is somebody else. */
  readonly key: string
  /** Where the inviter may be reached. */
  readonly addresses: readonly string[]
  /** Which of the inviter's invites it is, 16 hex digits. */
  readonly invite: string
  readonly secret: Buffer
  /** Milliseconds since 1970. */
  readonly expiresMs: number
}

const PREFIX = 'roost1-'
const KEY_BYTES = 32
export const INVITE_BYTES = 8
export const SECRET_BYTES = 32
const CHECK_BYTES = 4

export function encodeToken({ key, addresses, invite, secret, expiresMs }: InviteToken): string {
  const out = new ByteWriter()
  out.bytes(Buffer.from(key, 'hex'))
  out.bytes(Buffer.from(invite, 'hex'))
  out.bytes(secret)
  out.u53(expiresMs)
  out.u8(addresses.length)
  for (const address of addresses) out.text(address)
  out.bytes(checkOf(out.view()))
  return PREFIX + out.take().toString('base64url')
}

/** @throws RoostError PEER_FAILED it is no invite, or not all of one */
export function decodeToken(text: string): InviteToken {
  try {
    return decode(text.trim())
  } catch (cause) {
    const what = 'this is not an invite; one begins with "roost1-" and is copied as a whole'
    throw new RoostError('PEER_FAILED', what, { cause })
  }
}

function decode(text: string): InviteToken {
  if (!/^roost1-[\w-]{1,4096}$/.test(text)) throw new RoostError('PROTOCOL', 'it is no token')
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url')
  const end = bytes.length - CHECK_BYTES
  if (end < 0 || !checkOf(bytes.subarray(0, end)).equals(bytes.subarray(end))) {
    throw new RoostError('PROTOCOL', 'its check does not fit')
  }
  const reader = new ByteReader(bytes, 0, end)
  const key = reader.bytes(KEY_BYTES).toString('hex')
  const invite = reader.bytes(INVITE_BYTES).toString('hex')
  const secret = Buffer.from(reader.bytes(SECRET_BYTES))
  const expiresMs = reader.u53()
  const addresses = Array.from({ length: reader.u8() }, () => reader.text())
  for (const address of addresses) addressOf(address)
  if (reader.remaining > 0) throw new RoostError('PROTOCOL', 'bytes are left')
  return { key, invite, secret, expiresMs, addresses }
}

function checkOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, CHECK_BYTES)
}
