/**
 * The names of a directory that are in memory.
 *
 * While not `complete`, a name that is not here may be in the store, unless it is marked as absent,
 * which the store may not know yet. A complete directory also knows the order of its names, which
 * is that of their cookies: a listing goes on anywhere by binary search. Most of its names are
 * packed as the store listed them; those that came since lie beside them, until there are many.
 */

import type { Index, Position } from '../ids.ts'
import type { Dirent } from '../tree/inode.ts'
import { joinBytes } from '../util/join-bytes.ts'
import { PackedNames, type NamedDirent } from './packed-names.ts'

export type { NamedDirent } from './packed-names.ts'

/** Memory that names and attributes take, as near as one can tell. */
export interface MemoryUse {
  bytes: number
}

/** A place in the order of names that are not packed; `dirent` is undefined when it has gone. */
interface Slot {
  readonly name: string
  readonly cookie: Index
  dirent: Dirent | undefined
}

/** Places of gone names are cleared away when they are more than this and more than half. */
const GONE_MAX = 64
/** Fewer names of a listing are not worth packing. */
const PACKED_MIN = 32
/** Names that are not packed become so when they are more than this and more than a quarter. */
const LOOSE_MAX = 256
/** A name, its entry and its place in the order: 170 measured, and the slack of the heap. */
const NAME_BYTES = 220

export class Directory {
  readonly #use: MemoryUse
  /** Those that are not packed. */
  readonly #names = new Map<string, Dirent>()
  /** Names known not to exist, each with where the log ended when that was last found out. */
  readonly #absent = new Map<string, Position>()
  #complete: boolean
  /** What a listing in progress has brought so far, as the store has it. */
  #listed: Uint8Array[] | undefined
  /** Invariant: none while not complete, and no name that is in `#names` as well. */
  #packed: PackedNames | undefined
  /** Invariant: ascending by cookie; when complete, has every name of `#names`. */
  #order: Slot[] = []
  #gone = 0
  #bytes = 0

  /** @param use is told what the names take */
  constructor(complete: boolean, use: MemoryUse = { bytes: 0 }) {
    this.#complete = complete
    this.#use = use
  }

  get complete(): boolean {
    return this.#complete
  }

  /** Memory that the names take. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether a listing is on its way, whose parts will look for this object. */
  get isListing(): boolean {
    return this.#listed !== undefined
  }

  /** It leaves memory: what its names took is free. */
  dispose(): void {
    this.#take(-this.#bytes)
    this.#names.clear()
    this.#packed = undefined
  }

  /** Names that exist, when complete. */
  get size(): number {
    return this.#order.length - this.#gone + (this.#packed?.size ?? 0)
  }

  /** @returns 'unknown' when the store has to be asked */
  get(name: string): Dirent | undefined | 'unknown' {
    const dirent = this.#names.get(name) ?? this.#packed?.get(name)
    if (dirent !== undefined) return dirent
    return this.#complete || this.#absent.has(name) ? undefined : 'unknown'
  }

  set(name: string, dirent: Dirent): void {
    this.#packed?.remove(name)
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
    if (this.#names.delete(name)) this.#take(-bytesOf(name))
    if (!this.#complete) {
      this.#absent.set(name, position)
      return true
    }
    if (dirent !== undefined) this.#removeSlot(dirent.cookie)
    else this.#packed?.remove(name)
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

  /** A listing on its way is out of date. */
  abortListing(): void {
    if (this.#listed === undefined) return
    for (const records of this.#listed) this.#take(-records.length)
    this.#listed = undefined
  }

  /** Somebody else has made the name stand for this. */
  outdate(name: string, dirent: Dirent): void {
    if (this.#complete) {
      // A name that replaces another keeps its place, which is by the cookie.
      this.remove(name, 0 as Position)
      this.set(name, dirent)
    } else {
      this.forget(name)
    }
  }

  /** Somebody else has taken the name away. */
  outdateAbsent(name: string): void {
    if (this.#complete) this.remove(name, 0 as Position)
    else this.forget(name)
  }

  /** What is known of a name is out of date. */
  forget(name: string): void {
    if (this.#names.delete(name)) this.#take(-bytesOf(name))
    this.#absent.delete(name)
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

  /** Takes a part of the listing from the store: its records, one behind the other. */
  learnListing(records: Uint8Array, last: boolean): void {
    if (this.#complete || this.#listed === undefined) return
    this.#listed.push(records)
    this.#take(records.length)
    if (last) this.#finishListing(this.#listed)
  }

  /**
   * Hands out the names behind `cookie`, in order, while `take` says that it took one.
   *
   * The caller has made sure that the directory is complete.
   */
  list(cookie: number, take: (entry: NamedDirent) => boolean): void {
    const packed = this.#packed
    let place = packed?.placeBehind(cookie)
    for (let at = this.#slotBehind(cookie); at < this.#order.length; at++) {
      const { name, cookie: next, dirent } = this.#order[at] as Slot
      if (place !== undefined) {
        place = packed?.list(place, next, take)
        if (place === undefined) return
      }
      if (dirent !== undefined && !take({ name, dirent })) return
    }
    if (place !== undefined) packed?.list(place, Infinity, take)
  }

  /** Packs the names that came since the listing, where there are many. For a quiet moment. */
  pack(): void {
    if (!this.#complete) return
    const packed = this.#packed?.size ?? 0
    const waste = this.#names.size + (this.#packed?.places ?? 0) - packed
    if (waste <= LOOSE_MAX || waste <= packed / 4) return
    const names: NamedDirent[] = []
    this.list(0, entry => names.push(entry) > 0)
    this.#pack(PackedNames.of(names))
  }

  #put(name: string, dirent: Dirent): void {
    if (!this.#names.has(name)) this.#take(bytesOf(name))
    this.#names.set(name, dirent)
  }

  #take(bytes: number): void {
    this.#bytes += bytes
    this.#use.bytes += bytes
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

  #finishListing(listed: readonly Uint8Array[]): void {
    this.#listed = undefined
    const records = joinBytes(listed)
    this.#take(-records.length)
    const packed = new PackedNames(records)
    // What is known here is newer than what the store said, which may have changed meanwhile.
    for (const name of this.#names.keys()) while (packed.remove(name));
    for (const name of this.#absent.keys()) while (packed.remove(name));
    this.#absent.clear()
    if (packed.size >= PACKED_MIN) {
      this.#packed = packed
      this.#take(packed.bytes)
    } else {
      packed.list(0, Infinity, ({ name, dirent }) => {
        this.#put(name, dirent)
        return true
      })
    }
    this.#order = Array.from(this.#names, ([name, dirent]) => {
      return { name, cookie: dirent.cookie, dirent }
    })
    this.#order.sort((a, b) => a.cookie - b.cookie)
    this.#gone = 0
    this.#complete = true
  }

  #pack(packed: PackedNames): void {
    this.#names.clear()
    this.#order = []
    this.#gone = 0
    this.#packed = packed
    this.#take(packed.bytes - this.#bytes)
  }
}

function bytesOf(name: string): number {
  return NAME_BYTES + name.length
}
