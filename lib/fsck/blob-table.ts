/**
 * How often each blob is named, for as many blobs as a disk holds.
 *
 * Twenty-eight bytes a blob: a spool of ten million messages takes 280 MB. Blobs are told apart by
 * the first half of their hash; they are added in its order and found by bisection.
 */

import type { BlobId } from '../ids.ts'

const PREFIX_SIZE = 16
const GROWTH = 2

export class BlobTable {
  #hashes = Buffer.alloc(1024 * PREFIX_SIZE)
  #stored = new Uint32Array(1024)
  #found = new Uint32Array(1024)
  /** Bytes that a blob must have at least, for what names it. */
  #ends = new Uint32Array(1024)
  #count = 0
  /** Blobs that were never added, and how often they are named. */
  readonly unknown = new Map<BlobId, number>()

  get count(): number {
    return this.#count
  }

  /** @param references what the store counts */
  add(blob: BlobId, references: number): void {
    if (this.#count === this.#stored.length) this.#grow()
    Buffer.from(blob.slice(0, 2 * PREFIX_SIZE), 'hex').copy(this.#hashes, this.#count * PREFIX_SIZE)
    this.#stored[this.#count++] = references
  }

  /** An extent names the blob, up to `end`. */
  note(blob: BlobId, end: number): void {
    const at = this.#indexOf(blob)
    if (at < 0) {
      this.unknown.set(blob, (this.unknown.get(blob) ?? 0) + 1)
      return
    }
    this.#found[at] = (this.#found[at] ?? 0) + 1
    this.#ends[at] = Math.max(this.#ends[at] ?? 0, end)
  }

  has(blob: BlobId): boolean {
    return this.#indexOf(blob) >= 0
  }

  /** What the store counts and what was found, in the order in which blobs were added. */
  countsAt(at: number): { stored: number; found: number; end: number } {
    const [stored, found, end] = [this.#stored[at], this.#found[at], this.#ends[at]]
    return { stored: stored ?? 0, found: found ?? 0, end: end ?? 0 }
  }

  #indexOf(blob: BlobId): number {
    const wanted = Buffer.from(blob.slice(0, 2 * PREFIX_SIZE), 'hex')
    let [low, high] = [0, this.#count - 1]
    while (low <= high) {
      const middle = (low + high) >>> 1
      const at = middle * PREFIX_SIZE
      const order = this.#hashes.compare(wanted, 0, PREFIX_SIZE, at, at + PREFIX_SIZE)
      if (order === 0) return middle
      if (order < 0) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  #grow(): void {
    const size = this.#stored.length * GROWTH
    const [hashes, stored] = [this.#hashes, this.#stored]
    const [found, ends] = [this.#found, this.#ends]
    this.#hashes = Buffer.alloc(size * PREFIX_SIZE)
    this.#hashes.set(hashes)
    this.#stored = new Uint32Array(size)
    this.#stored.set(stored)
    this.#found = new Uint32Array(size)
    this.#found.set(found)
    this.#ends = new Uint32Array(size)
    this.#ends.set(ends)
  }
}
