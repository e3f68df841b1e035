/**
 * The names of a directory as the store lists them, packed: the listed records one behind the
 * other, where each of them begins, and a hash table over their names.
 *
 * Nothing is added to it. A name can go, which leaves its record behind without meaning; whoever
 * wants the place back makes a new one.
 */

import type { Index, Ino } from '../ids.ts'
import { encodeListed, LISTED } from '../store/records.ts'
import type { Dirent } from '../tree/inode.ts'

export interface NamedDirent {
  readonly name: string
  readonly dirent: Dirent
}

const U32_SPAN = 2 ** 32
/** The objects around the arrays: measured with directories of forty names. */
const OVERHEAD_BYTES = 1100

export class PackedNames {
  readonly #bytes: Buffer
  /** Where records begin. Invariant: ascending by cookie. */
  readonly #offsets: Uint32Array
  /** Numbers of records plus one, found by the hash of the name; 0 where there is none. */
  readonly #table: Uint32Array
  #size: number

  /** @param records in the order of their cookies, no name twice */
  constructor(records: Buffer) {
    this.#bytes = records
    this.#offsets = offsetsIn(records)
    this.#size = this.#offsets.length
    this.#table = new Uint32Array(2 ** Math.ceil(Math.log2(1.4 * this.#size + 1)))
    for (let at = 0; at < this.#size; at++) this.#enter(at)
  }

  /** Packs names, which are given in the order of their cookies. */
  static of(names: readonly NamedDirent[]): PackedNames {
    return new PackedNames(
      Buffer.concat(names.map(({ name, dirent }) => encodeListed(name, dirent)))
    )
  }

  /** Names that exist. */
  get size(): number {
    return this.#size
  }

  /** Places, with those of names that have gone. */
  get places(): number {
    return this.#offsets.length
  }

  /** Memory in use. */
  get bytes(): number {
    return OVERHEAD_BYTES + this.#bytes.length + this.#offsets.byteLength + this.#table.byteLength
  }

  get(name: string): Dirent | undefined {
    const at = this.#find(name)
    return at === undefined ? undefined : this.#direntAt(at)
  }

  /** @returns whether it was there */
  remove(name: string): boolean {
    const at = this.#find(name)
    if (at === undefined) return false
    this.#bytes.writeUInt32LE(0, this.#startOf(at) + LISTED.TYPE)
    this.#size--
    return true
  }

  /** The first place whose cookie is greater. */
  placeBehind(cookie: number): number {
    let [low, high] = [0, this.#offsets.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#cookieAt(middle) <= cookie) low = middle + 1
      else high = middle
    }
    return low
  }

  /**
   * Hands out the names from `place` on whose cookies are below `end`, in order.
   *
   * @returns the place where it ended; undefined when `take` took no more
   */
  list(place: number, end: number, take: (entry: NamedDirent) => boolean): number | undefined {
    let at = place
    for (; at < this.#offsets.length && this.#cookieAt(at) < end; at++) {
      const start = this.#startOf(at)
      if (this.#bytes.readUInt32LE(start + LISTED.TYPE) === 0) continue
      const from = start + LISTED.NAME
      const name = this.#bytes.toString('latin1', from, from + this.#lengthAt(start))
      if (!take({ name, dirent: this.#direntAt(at) })) return undefined
    }
    return at
  }

  #cookieAt(place: number): number {
    return this.#u53(this.#startOf(place) + LISTED.COOKIE)
  }

  #direntAt(place: number): Dirent {
    const start = this.#startOf(place)
    return {
      ino: this.#u53(start + LISTED.INO) as Ino,
      type: this.#bytes.readUInt32LE(start + LISTED.TYPE),
      cookie: this.#u53(start + LISTED.COOKIE) as Index
    }
  }

  #find(name: string): number | undefined {
    const mask = this.#table.length - 1
    for (let at = hashOf(name) & mask; ; at = (at + 1) & mask) {
      const place = (this.#table[at] as number) - 1
      if (place < 0) return undefined
      // One that has gone may have come again behind it.
      if (this.#isNamed(place, name)) return place
    }
  }

  #isNamed(place: number, name: string): boolean {
    const bytes = this.#bytes
    const start = this.#startOf(place)
    if (this.#lengthAt(start) !== name.length) return false
    if (bytes.readUInt32LE(start + LISTED.TYPE) === 0) return false
    const from = start + LISTED.NAME
    // From the end: names of messages begin alike.
    for (let i = name.length - 1; i >= 0; i--) {
      if (bytes[from + i] !== name.charCodeAt(i)) return false
    }
    return true
  }

  #enter(place: number): void {
    const start = this.#startOf(place)
    const from = start + LISTED.NAME
    const mask = this.#table.length - 1
    let at = hashOfBytes(this.#bytes, from, from + this.#lengthAt(start)) & mask
    while (this.#table[at] !== 0) at = (at + 1) & mask
    this.#table[at] = place + 1
  }

  #startOf(place: number): number {
    return this.#offsets[place] as number
  }

  #lengthAt(start: number): number {
    return this.#bytes.readUInt16LE(start + LISTED.LENGTH)
  }

  #u53(at: number): number {
    return this.#bytes.readUInt32LE(at + 4) * U32_SPAN + this.#bytes.readUInt32LE(at)
  }
}

function offsetsIn(records: Buffer): Uint32Array {
  let count = 0
  for (let at = 0; at < records.length; at = endOf(records, at)) count++
  const offsets = new Uint32Array(count)
  for (let at = 0, place = 0; place < count; place++) {
    offsets[place] = at
    at = endOf(records, at)
  }
  return offsets
}

function endOf(records: Buffer, start: number): number {
  return start + LISTED.NAME + records.readUInt16LE(start + LISTED.LENGTH)
}

/** FNV-1a with a last stir, as its low bits alone are used. */
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

function hashOf(name: string): number {
  let hash = FNV_OFFSET
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), FNV_PRIME)
  return hash ^ (hash >>> 15)
}

function hashOfBytes(bytes: Buffer, from: number, to: number): number {
  let hash = FNV_OFFSET
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), FNV_PRIME)
  return hash ^ (hash >>> 15)
}
