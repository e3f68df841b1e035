/**
 * How often the kernel knows of inodes that have no node in memory here.
 *
 * The kernel may keep names and attributes of millions of files for days, and gives each of them
 * back by its count. So what was shed is not forgotten whole: four bytes stay, in pages of
 * neighbouring inode numbers, which are those that were made one after the other.
 */

import type { Ino } from '../ids.ts'
import { assert } from '../util/assert.ts'

/** Inodes of a page. */
const PAGE = 256
const COUNT_MAX = 2 ** 32 - 1

interface Page {
  readonly counts: Uint32Array
  /** How many of them are not 0. */
  used: number
}

export class LookupCounts {
  readonly #pages = new Map<number, Page>()

  /** Memory in use, in bytes. */
  get bytes(): number {
    return this.#pages.size * (PAGE * 4 + 200)
  }

  /** Keeps the count of an inode whose node leaves memory, and had none here. */
  put(ino: Ino, count: number): void {
    assert(count > 0 && count <= COUNT_MAX, 'a count of lookups is out of range')
    const page = this.#pageFor(ino)
    assert(page.counts[ino % PAGE] === 0, 'an inode was shed twice')
    page.counts[ino % PAGE] = count
    page.used++
  }

  /** The kernel is told of an inode once more. */
  raise(ino: Ino): void {
    const page = this.#pageFor(ino)
    const count = (page.counts[ino % PAGE] as number) + 1
    page.counts[ino % PAGE] = count
    if (count === 1) page.used++
  }

  /** Whether the kernel knows the inode. */
  has(ino: Ino): boolean {
    return (this.#pages.get(Math.floor(ino / PAGE))?.counts[ino % PAGE] ?? 0) > 0
  }

  /** Those that the kernel knows, of which `isOf` says so. */
  *select(isOf: (ino: Ino) => boolean): Generator<Ino> {
    for (const [number, { counts }] of this.#pages) {
      for (let i = 0; i < PAGE; i++) {
        const ino = (number * PAGE + i) as Ino
        if ((counts[i] as number) > 0 && isOf(ino)) yield ino
      }
    }
  }

  /** Hands the count over to the node that comes into memory. */
  take(ino: Ino): number {
    const count = this.#pages.get(Math.floor(ino / PAGE))?.counts[ino % PAGE] ?? 0
    if (count > 0) this.#set(ino, 0)
    return count
  }

  /** The kernel has given back `count` lookups. */
  lower(ino: Ino, count: number): void {
    const left = (this.#pages.get(Math.floor(ino / PAGE))?.counts[ino % PAGE] ?? 0) - count
    if (left + count > 0) this.#set(ino, Math.max(left, 0))
  }

  #pageFor(ino: Ino): Page {
    const number = Math.floor(ino / PAGE)
    let page = this.#pages.get(number)
    if (page === undefined) {
      page = { counts: new Uint32Array(PAGE), used: 0 }
      this.#pages.set(number, page)
    }
    return page
  }

  #set(ino: Ino, count: number): void {
    const number = Math.floor(ino / PAGE)
    const page = this.#pages.get(number)
    if (page === undefined) return
    page.counts[ino % PAGE] = count
    if (count === 0 && --page.used === 0) this.#pages.delete(number)
  }
}
