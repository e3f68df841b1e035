/**
 * Little-endian encoding and decoding of bytes: the one way in which Roost's own formats are
 * written and read. Both classes walk forward over one Buffer and allocate nothing per field.
 *
 * A writer that is given a value which does not fit has met a bug (InvariantError). A reader that
 * meets bytes which make no sense has met damage or a stranger (RoostError PROTOCOL); it never
 * reads outside the range it was given.
 */

import { RoostError } from '../errors.ts'
import { assert } from './assert.ts'

const U16_MAX = 0xffff
const U32_SPAN = 2 ** 32
/** The high half of Number.MAX_SAFE_INTEGER: what a 53-bit number has above its low 32 bits. */
const U53_HIGH_MAX = 2 ** 21 - 1
/** Holds a usual entry or message without growing. */
const SIZE_DEFAULT = 256

/**
 * Appends fields to a Buffer, which grows as needed unless it was given.
 *
 * What `view` returned is overwritten by what is written after `reset`; `take` hands over a copy
 * that stays.
 */
export class ByteWriter {
  #buffer: Buffer
  #position = 0
  readonly #grows: boolean

  /**
   * @param initial the size in bytes to begin with, or a Buffer to write into; a given Buffer
   *   does not grow, so that whoever gave it finds the bytes in it.
   */
  constructor(initial: number | Buffer = SIZE_DEFAULT) {
    this.#grows = typeof initial === 'number'
    this.#buffer = typeof initial === 'number' ? Buffer.allocUnsafe(initial) : initial
  }

  /** Number of bytes written so far. */
  get position(): number {
    return this.#position
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.#position = 0
  }

  /** What was written so far, without a copy: valid until the next write or `reset`. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#position)
  }

  /** A copy of what was written so far; the writer begins anew. */
  take(): Buffer {
    const copy = Buffer.from(this.view())
    this.#position = 0
    return copy
  }

  u8(value: number): void {
    const at = this.#advance(1)
    this.#buffer[at] = value
  }

  u16(value: number): void {
    assert(value >= 0 && value <= U16_MAX, 'a u16 is out of range')
    const at = this.#advance(2)
    this.#buffer[at] = value
    this.#buffer[at + 1] = value >>> 8
  }

  u32(value: number): void {
    assert(value >= 0 && value < U32_SPAN, 'a u32 is out of range')
    this.#putU32(this.#advance(4), value)
  }

  /** Writes an integer from 0 to 2^53 - 1 as 8 bytes. */
  u53(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a u53 is out of range')
    const at = this.#advance(8)
    this.#putU32(at, value)
    this.#putU32(at + 4, value / U32_SPAN)
  }

  u64(value: bigint): void {
    const at = this.#advance(8)
    this.#buffer.writeBigUInt64LE(value, at)
  }

  i64(value: bigint): void {
    const at = this.#advance(8)
    this.#buffer.writeBigInt64LE(value, at)
  }

  /** Writes the bytes alone; whoever reads them back must know how many there are. */
  bytes(value: Uint8Array): void {
    const at = this.#advance(value.length)
    this.#buffer.set(value, at)
  }

  /** Writes a string of one byte per character, after its length as a u16. */
  text(latin1: string): void {
    const length = latin1.length
    this.u16(length)
    const at = this.#advance(length)
    const buffer = this.#buffer
    let seen = 0
    for (let i = 0; i < length; i++) {
      const code = latin1.charCodeAt(i)
      buffer[at + i] = code
      seen |= code
    }
    assert(seen <= 0xff, 'a text has a character of more than one byte')
  }

  /** Replaces the u32 at `at`, which was written before: for a length known only afterwards. */
  patchU32(at: number, value: number): void {
    assert(at >= 0 && at + 4 <= this.#position, 'a patch lies outside what was written')
    assert(value >= 0 && value < U32_SPAN, 'a u32 is out of range')
    this.#putU32(at, value)
  }

  #putU32(at: number, value: number): void {
    const buffer = this.#buffer
    buffer[at] = value
    buffer[at + 1] = value >>> 8
    buffer[at + 2] = value >>> 16
    buffer[at + 3] = value >>> 24
  }

  /** May replace the Buffer, so it is called before `#buffer` is looked at. */
  #advance(count: number): number {
    const at = this.#position
    const end = at + count
    if (end > this.#buffer.length) this.#grow(end)
    this.#position = end
    return at
  }

  #grow(sizeMin: number): void {
    assert(this.#grows, 'a given buffer is full')
    const grown = Buffer.allocUnsafe(Math.max(sizeMin, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#position)
    this.#buffer = grown
  }
}

/**
 * Takes fields from a range of a Buffer, front to back.
 *
 * Every method throws RoostError PROTOCOL where the range ends before the field does, and then
 * leaves `position` where the field began.
 */
export class ByteReader {
  readonly #buffer: Buffer
  readonly #end: number
  #position: number

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    assert(start >= 0 && start <= end && end <= buffer.length, 'a reader lies outside its buffer')
    this.#buffer = buffer
    this.#position = start
    this.#end = end
  }

  /** Where the next field begins, counted from the start of the Buffer. */
  get position(): number {
    return this.#position
  }

  /** Number of bytes not read yet. */
  get remaining(): number {
    return this.#end - this.#position
  }

  u8(): number {
    return this.#buffer[this.#advance(1)] as number
  }

  u16(): number {
    const at = this.#advance(2)
    return (this.#buffer[at] as number) | ((this.#buffer[at + 1] as number) << 8)
  }

  u32(): number {
    return this.#getU32(this.#advance(4))
  }

  /** Reads 8 bytes as an integer. @throws RoostError PROTOCOL also when it exceeds 2^53 - 1. */
  u53(): number {
    const at = this.#advance(8)
    const high = this.#getU32(at + 4)
    if (high > U53_HIGH_MAX) {
      this.#position = at
      throw new RoostError('PROTOCOL', `the number at byte ${at} needs more than 53 bits`)
    }
    return high * U32_SPAN + this.#getU32(at)
  }

  u64(): bigint {
    return this.#buffer.readBigUInt64LE(this.#advance(8))
  }

  i64(): bigint {
    return this.#buffer.readBigInt64LE(this.#advance(8))
  }

  /** The next `count` bytes, without a copy: they change when the Buffer does. */
  bytes(count: number): Buffer {
    const at = this.#advance(count)
    return this.#buffer.subarray(at, at + count)
  }

  /** Reads what `ByteWriter.text` wrote. */
  text(): string {
    // The length is left in place until all that it counts is known to be there.
    const length = this.u16()
    this.#position -= 2
    const at = this.#advance(2 + length) + 2
    return this.#buffer.toString('latin1', at, at + length)
  }

  #getU32(at: number): number {
    const b = this.#buffer
    const low = (b[at] as number) | ((b[at + 1] as number) << 8) | ((b[at + 2] as number) << 16)
    return low + (b[at + 3] as number) * 0x1000000
  }

  #advance(count: number): number {
    const at = this.#position
    if (!(count >= 0 && count <= this.#end - at)) {
      throw new RoostError('PROTOCOL', `${count} bytes wanted at byte ${at} of ${this.#end}`)
    }
    this.#position = at + count
    return at
  }
}
