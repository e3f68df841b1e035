/**
 * Numbers, times and names written into a message for the kernel, without allocating.
 */

import { assert } from '../util/assert.ts'
import { OUT_HEADER_SIZE, UNIQUE_RESENT } from './abi.ts'

const U32_SPAN = 2 ** 32
const NSEC_PER_SEC = 1_000_000_000
const MS_PER_SEC = 1000
const NSEC_PER_MS = 1_000_000
/** 68 years: the kernel has no longer time to live than this, or little so. */
const TTL_SEC_MAX = 2 ** 31 - 1
/** The kernel's OFFSET_MAX, for an Infinity: its high half; the low half has all bits set. */
const OFFSET_MAX_HIGH = 0x7fffffff
const TOP_BIT_OF_BYTE = 0x80

export function putU16(out: Buffer, at: number, value: number): void {
  out[at] = value
  out[at + 1] = value >>> 8
}

export function putU32(out: Buffer, at: number, value: number): void {
  out[at] = value
  out[at + 1] = value >>> 8
  out[at + 2] = value >>> 16
  out[at + 3] = value >>> 24
}

/** Writes an integer of at most 53 bits, below 0 in two's complement; Infinity as 2^63 - 1. */
export function putI64(out: Buffer, at: number, value: number): void {
  if (value === Infinity) {
    putU32(out, at, 0xffffffff)
    putU32(out, at + 4, OFFSET_MAX_HIGH)
    return
  }
  const high = Math.floor(value / U32_SPAN)
  putU32(out, at, value - high * U32_SPAN)
  putU32(out, at + 4, high)
}

/** Begins a message of `length` bytes in all. @param error a negative errno, 0, or a code. */
export function putHeader(
  out: Buffer,
  at: number,
  length: number,
  error: number,
  unique: number
): void {
  assert(at + length <= out.length, 'a message exceeds its buffer')
  putU32(out, at, length)
  putU32(out, at + 4, error)
  if (unique < UNIQUE_RESENT) return putI64(out, at + 8, unique)
  putI64(out, at + 8, unique - UNIQUE_RESENT)
  out[at + 15] = (out[at + 15] as number) | TOP_BIT_OF_BYTE
}

/** Writes the bytes of a name, without a NUL. */
export function putName(out: Buffer, at: number, name: string): void {
  const length = name.length
  for (let i = 0; i < length; i++) out[at + i] = name.charCodeAt(i)
}

/** Writes a time to live: the seconds at one place, the nanoseconds after them at another. */
export function putTtl(out: Buffer, secAt: number, nsecAt: number, ttlMs: number): void {
  const sec = Math.min(Math.floor(ttlMs / MS_PER_SEC), TTL_SEC_MAX)
  const isForever = sec === TTL_SEC_MAX
  putI64(out, secAt, sec)
  putU32(out, nsecAt, isForever ? 0 : Math.round((ttlMs - sec * MS_PER_SEC) * NSEC_PER_MS))
}

/** One time, seen as a bigint and as its two halves: the way to split it without BigInt sums. */
const time = new BigInt64Array(1)
const timeHalves = new Int32Array(time.buffer)

/**
 * Writes nanoseconds since 1970 as seconds, rounded down also before 1970, and the nanoseconds
 * after those.
 *
 * Divides by hand, 16 bits at a time from the top, so that every step is exact in a double.
 */
export function putTime(out: Buffer, secAt: number, nsecAt: number, ns: bigint): void {
  time[0] = ns
  const low = (timeHalves[0] as number) >>> 0
  const high = timeHalves[1] as number
  const top = Math.floor(high / NSEC_PER_SEC)
  const upper = (high - top * NSEC_PER_SEC) * 0x10000 + (low >>> 16)
  const middle = Math.floor(upper / NSEC_PER_SEC)
  const lower = (upper - middle * NSEC_PER_SEC) * 0x10000 + (low & 0xffff)
  const bottom = Math.floor(lower / NSEC_PER_SEC)
  putI64(out, secAt, (top * 0x10000 + middle) * 0x10000 + bottom)
  putU32(out, nsecAt, lower - bottom * NSEC_PER_SEC)
}

/** Bytes that a message of `payload` bytes has with its header. */
export function messageSize(payload: number): number {
  return OUT_HEADER_SIZE + payload
}
