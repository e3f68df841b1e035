/**
 * Attributes of inodes that nothing uses now, as the store has them, packed.
 *
 * Records lie one behind the other in pages, and a page goes as a whole: the oldest of its
 * generation first. What was asked for again since it came moves from the 'fresh' generation to
 * the 'kept' one, or to its newest page; the rest is dropped (S3-FIFO, without ghosts). So whoever
 * walks once through everything drives out what others have walked through once, and no more.
 *
 * Nothing is changed here. An inode that is to be used is taken out.
 */

import type { Ino } from '../ids.ts'
import { decodeInode } from '../store/records.ts'
import type { Inode } from '../tree/inode.ts'

export type Generation = 'fresh' | 'kept'

/** Records begin at multiples of this. */
const UNIT = 8
/** The objects around a page. */
const PAGE_OVERHEAD = 200
/** In front of a record: its length as a u16, and its uses. */
const HEADER = 3
/** A record that was taken out, or lies elsewhere now. */
const DEAD = 255
const U32_SPAN = 2 ** 32
const TABLE_MIN = 64

interface Page {
  readonly number: number
  readonly generation: Generation
  readonly bytes: Buffer
  end: number
}

export class PackedInodes {
  readonly #pageBytes: number
  readonly #units: number
  /** By their numbers, of which 0 is none. */
  readonly #pages: (Page | undefined)[] = [undefined]
  /** Numbers of pages that are free. */
  readonly #free: number[] = []
  /** Oldest first; records are added to the last. */
  readonly #generations: Record<Generation, Page[]> = { fresh: [], kept: [] }
  /** Page number * #units + place in it, found by the hash of the inode number; 0 for none. */
  #table = new Uint32Array(TABLE_MIN)
  #size = 0

  /** @param pageBytes a power of two */
  constructor(pageBytes = 64 * 1024) {
    this.#pageBytes = pageBytes
    this.#units = pageBytes / UNIT
  }

  get size(): number {
    return this.#size
  }

  /** Memory in use, in bytes. */
  get bytes(): number {
    return this.bytesOf('fresh') + this.bytesOf('kept') + this.#table.byteLength
  }

  bytesOf(generation: Generation): number {
    return this.#generations[generation].length * (this.#pageBytes + PAGE_OVERHEAD)
  }

  has(ino: Ino): boolean {
    return this.#slotOf(ino) >= 0
  }

  /** Takes the record of an inode that is not here. One that is too long is left out. */
  put(record: Uint8Array, generation: Generation): void {
    if (spaceFor(record.length) > this.#pageBytes) return
    if (this.#size >= this.#table.length * 0.7) this.#rehash(this.#table.length * 2)
    const place = this.#append(record, generation)
    this.#table[this.#emptySlotFor(this.#inoAt(place))] = place
    this.#size++
  }

  /** The inode as it is here, for a look. */
  get(ino: Ino): Inode | undefined {
    const slot = this.#slotOf(ino)
    if (slot < 0) return undefined
    const place = this.#table[slot] as number
    const { bytes } = this.#pageOf(place)
    const at = this.#atOf(place)
    bytes[at + 2] = Math.min((bytes[at + 2] as number) + 1, DEAD - 1)
    return decodeInode(bytes.subarray(at + HEADER, at + HEADER + bytes.readUInt16LE(at)))
  }

  /** Takes the inode out. */
  take(ino: Ino): { readonly inode: Inode; readonly generation: Generation } | undefined {
    const inode = this.get(ino)
    if (inode === undefined) return undefined
    const slot = this.#slotOf(ino)
    const place = this.#table[slot] as number
    const page = this.#pageOf(place)
    page.bytes[this.#atOf(place) + 2] = DEAD
    this.#removeSlot(slot)
    return { inode, generation: page.generation }
  }

  /** Those here of which `isOf` says so. */
  *select(isOf: (ino: Ino) => boolean): Generator<Ino> {
    for (const place of this.#table) {
      if (place === 0) continue
      const ino = this.#inoAt(place)
      if (isOf(ino)) yield ino
    }
  }

  /** Clears the oldest page of a generation. @returns whether there was one */
  reclaim(generation: Generation): boolean {
    const page = this.#generations[generation].shift()
    if (page === undefined) return false
    for (let at = 0; at < page.end;) {
      const length = page.bytes.readUInt16LE(at)
      if (page.bytes[at + 2] !== DEAD) this.#settle(page, at, length, generation)
      at += spaceFor(length)
    }
    this.#pages[page.number] = undefined
    this.#free.push(page.number)
    if (this.#table.length > TABLE_MIN && this.#size < this.#table.length * 0.2) {
      this.#rehash(this.#table.length / 2)
    }
    return true
  }

  /** Carries a record over to the kept generation if it was used, and else drops it. */
  #settle(page: Page, at: number, length: number, generation: Generation): void {
    const uses = page.bytes[at + 2] as number
    const slot = this.#slotOf(this.#inoAt(page.number * this.#units + at / UNIT))
    // The first use is what it came for.
    if (uses > (generation === 'fresh' ? 1 : 0)) {
      const record = page.bytes.subarray(at + HEADER, at + HEADER + length)
      this.#table[slot] = this.#append(record, 'kept')
    } else {
      this.#removeSlot(slot)
    }
  }

  /** @returns the place of the record */
  #append(record: Uint8Array, generation: Generation): number {
    const space = spaceFor(record.length)
    let page = this.#generations[generation].at(-1)
    if (page === undefined || page.end + space > this.#pageBytes) page = this.#newPage(generation)
    const at = page.end
    page.bytes.writeUInt16LE(record.length, at)
    page.bytes[at + 2] = 0
    page.bytes.set(record, at + HEADER)
    page.end += space
    return page.number * this.#units + at / UNIT
  }

  #newPage(generation: Generation): Page {
    const number = this.#free.pop() ?? this.#pages.length
    const page = { number, generation, bytes: Buffer.allocUnsafeSlow(this.#pageBytes), end: 0 }
    this.#pages[number] = page
    this.#generations[generation].push(page)
    return page
  }

  #pageOf(place: number): Page {
    return this.#pages[Math.floor(place / this.#units)] as Page
  }

  #inoAt(place: number): Ino {
    const { bytes } = this.#pageOf(place)
    const at = this.#atOf(place) + HEADER
    return (bytes.readUInt32LE(at + 4) * U32_SPAN + bytes.readUInt32LE(at)) as Ino
  }

  #atOf(place: number): number {
    return (place % this.#units) * UNIT
  }

  /** @returns -1 where the inode is not here */
  #slotOf(ino: Ino): number {
    const mask = this.#table.length - 1
    for (let slot = hashOf(ino) & mask; ; slot = (slot + 1) & mask) {
      const place = this.#table[slot] as number
      if (place === 0) return -1
      if (this.#inoAt(place) === ino) return slot
    }
  }

  #emptySlotFor(ino: Ino): number {
    const mask = this.#table.length - 1
    let slot = hashOf(ino) & mask
    while (this.#table[slot] !== 0) slot = (slot + 1) & mask
    return slot
  }

  /** Empties a slot, and moves up those behind it that would not be found any more. */
  #removeSlot(slot: number): void {
    const table = this.#table
    const mask = table.length - 1
    this.#size--
    let empty = slot
    for (let at = (slot + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const home = hashOf(this.#inoAt(table[at] as number)) & mask
      if (((at - home) & mask) < ((at - empty) & mask)) continue
      table[empty] = table[at] as number
      empty = at
    }
    table[empty] = 0
  }

  #rehash(length: number): void {
    const places = this.#table
    this.#table = new Uint32Array(length)
    for (const place of places) {
      if (place !== 0) this.#table[this.#emptySlotFor(this.#inoAt(place))] = place
    }
  }
}

/** Bytes that a record of `length` takes in a page. */
function spaceFor(length: number): number {
  return Math.ceil((HEADER + length) / UNIT) * UNIT
}

/** Inodes of a volume are numbered one after the other, and should not lie so. */
function hashOf(ino: Ino): number {
  const high = Math.floor(ino / U32_SPAN)
  const mixed = Math.imul((ino >>> 0) ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}
