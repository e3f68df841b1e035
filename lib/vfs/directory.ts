/**
 * The names of a directory that are in memory.
 *
 * While not `complete`, a name that is not here may be in the store, unless it is marked as absent,
 * which the store may not know yet. A complete directory also knows the order of its names, which
 * is that of their cookies: a new name has the highest, so the list only grows at its end, and a
 * listing goes on anywhere by binary search.
 */

import type { Index, Position } from '../ids.ts'
import type { Dirent } from '../tree/inode.ts'
import type { StoredName } from './ports.ts'

/** Memory that names and attributes take, as near as one can tell. */
export interface MemoryUse {
  bytes: number
}

export interface NamedDirent {
  readonly name: string
  readonly dirent: Dirent
}

/** A place in the order; `dirent` is undefined when the name has gone. */
interface Slot {
  readonly name: string
  readonly cookie: Index
  dirent: Dirent | undefined
}

/** Places of gone names are cleared away when they are more than this and more than half. */
const GONE_MAX = 64

export class Directory {
  readonly #use: MemoryUse
  readonly #names = new Map<string, Dirent>()
  /** Names known not to exist, each with where the log ended when that was last found out. */
  readonly #absent = new Map<string, Position>()
  #complete: boolean
  /** What a listing in progress has brought so far. */
  #listed: StoredName[] | undefined
  /** Invariant: ascending by cookie; when complete, has every name that exists. */
  #order: Slot[] = []
  #gone = 0

  /** @param use is told what the names take */
  constructor(complete: boolean, use: MemoryUse = { bytes: 0 }) {
    this.#complete = complete
    this.#use = use
  }

  get complete(): boolean {
    return this.#complete
  }

  /** Whether a listing is on its way, whose parts will look for this object. */
  get isListing(): boolean {
    return this.#listed !== undefined
  }

  /** It leaves memory: what its names took is free. */
  dispose(): void {
    for (const name of this.#names.keys()) this.#use.bytes -= bytesOf(name)
    this.#names.clear()
  }

  /** Names that exist, when complete. */
  get size(): number {
    return this.#order.length - this.#gone
  }

  /** @returns 'unknown' when the store has to be asked */
  get(name: string): Dirent | undefined | 'unknown' {
    const dirent = this.#names.get(name)
    if (dirent !== undefined) return dirent
    return this.#complete || this.#absent.has(name) ? undefined : 'unknown'
  }

  set(name: string, dirent: Dirent): void {
    this.#put(name, dirent)
    this.#absent.delete(name)
    if (!this.#complete) return
    const at = this.#slotBehind(dirent.cookie - 1)
    const slot = this.#order[at]
    if (slot?.cookie === dirent.cookie) slot.dirent = dirent
    else this.#order.splice(at, 0, { name, cookie: dirent.cookie, dirent })
  }

  /**
   * @param position where the log ends with the removal
   * @returns whether a mark stays that the caller has to take away when the store knows
   */
  remove(name: string, position: Position): boolean {
    const dirent = this.#names.get(name)
    if (this.#names.delete(name)) this.#use.bytes -= bytesOf(name)
    if (!this.#complete) {
      this.#absent.set(name, position)
      return true
    }
    if (dirent !== undefined) this.#removeSlot(dirent.cookie)
    return false
  }

  /**
   * Takes away the mark of a name that the store, which has the log through `applied`, does not
   * have any more either. A name that came and went again since is still marked for the later
   * removal: the store may be in between.
   */
  forgetAbsent(name: string, applied: Position): void {
    // While a listing comes in, it may still bring what was there when it began.
    if (this.#listed !== undefined) return
    const position = this.#absent.get(name)
    if (position !== undefined && position <= applied) this.#absent.delete(name)
  }

  /** Takes what the store says of a name, unless it is known already. */
  learn(name: string, dirent: Dirent | undefined, position: Position): void {
    if (this.#complete || this.#names.has(name) || this.#absent.has(name)) return
    if (dirent === undefined) this.#absent.set(name, position)
    else this.#put(name, dirent)
  }

  /** A listing is on its way: marks of absent names must stay. */
  beginListing(): void {
    if (!this.#complete) this.#listed ??= []
  }

  /** Takes a part of the listing from the store. */
  learnListing(names: readonly StoredName[], last: boolean): void {
    if (this.#complete || this.#listed === undefined) return
    for (const name of names) this.#listed.push(name)
    if (last) this.#finishListing(this.#listed)
  }

  /**
   * Hands out the names behind `cookie`, in order, while `take` says that it took one.
   *
   * The caller has made sure that the directory is complete.
   */
  list(cookie: number, take: (entry: NamedDirent) => boolean): void {
    for (let at = this.#slotBehind(cookie); at < this.#order.length; at++) {
      const slot = this.#order[at]
      if (slot?.dirent === undefined) continue
      if (!take({ name: slot.name, dirent: slot.dirent })) return
    }
  }

  #put(name: string, dirent: Dirent): void {
    if (!this.#names.has(name)) this.#use.bytes += bytesOf(name)
    this.#names.set(name, dirent)
  }

  /** Position of the first slot whose cookie is greater. */
  #slotBehind(cookie: number): number {
    let [low, high] = [0, this.#order.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#order[middle] as Slot).cookie <= cookie) low = middle + 1
      else high = middle
    }
    return low
  }

  #removeSlot(cookie: Index): void {
    const slot = this.#order[this.#slotBehind(cookie - 1)]
    if (slot?.cookie !== cookie) return
    slot.dirent = undefined
    this.#gone++
    if (this.#gone > GONE_MAX && this.#gone > this.#order.length / 2) {
      this.#order = this.#order.filter(({ dirent }) => dirent !== undefined)
      this.#gone = 0
    }
  }

  #finishListing(listed: readonly StoredName[]): void {
    // What is known here is newer than what the store said.
    for (const { name, dirent } of listed) {
      if (!this.#names.has(name) && !this.#absent.has(name)) this.#put(name, dirent)
    }
    this.#absent.clear()
    this.#order = Array.from(this.#names, ([name, dirent]) => {
      return { name, cookie: dirent.cookie, dirent }
    })
    this.#order.sort((a, b) => a.cookie - b.cookie)
    this.#gone = 0
    this.#listed = undefined
    this.#complete = true
  }
}

/** A name, its entry and its place in the order: measured with a million of them. */
function bytesOf(name: string): number {
  return NAME_BYTES + name.length
}

const NAME_BYTES = 220
