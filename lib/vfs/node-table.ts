/**
 * The inodes in memory, within a limit.
 *
 * What the store has as it is can leave: it is read again when it is asked for. So beyond the
 * limit whatever was not used lately goes, found by a hand that goes round (CLOCK, a cheap
 * likeness of least recently used): a node first, whose attributes stay behind in packed form,
 * and later those. What stays in any case: what the store does not have yet, what was written and
 * not sealed, what is open, and what has no name. The limit is passed when there is too much of
 * that; the hand then rests until the store has caught up.
 *
 * What was used only when it came is 'fresh', and has no more than a part of the limit: a walk
 * through everything, as a backup makes, does not drive out what is in use. What was used again
 * after the hand had passed is 'kept'.
 *
 * Invariant: of an inode there is a node or a packed record, or neither. The kernel's count is in
 * its node; without one it is in `LookupCounts`.
 */

import { ROOT_INO, type Ino, type Position } from '../ids.ts'
import { encodeInode } from '../store/records.ts'
import type { Inode } from '../tree/inode.ts'
import { LookupCounts } from './lookup-counts.ts'
import type { Directory, MemoryUse } from './directory.ts'
import { Node } from './node.ts'
import { PackedInodes, type Generation } from './packed-inodes.ts'

/** A node with its attributes and its place in tables: 500 measured, and the slack of the heap. */
const NODE_BYTES = 700
/** Part of the limit for what was used only when it came. */
const FRESH_SHARE = 1 / 8
/** And part of it for nodes among that: packed they take an eighth. */
const LOOSE_SHARE = 1 / 16
/** Nodes that one call of `shed` looks at, at the most: some hundred microseconds. */
const SHED_STEP_MAX = 4096
/** At least: far beyond the limit it is more, for a listing brings a thousand names at once. */
const SHED_STEP_MIN = 64
/** Clearing a page of packed records takes as long as looking at so many nodes. */
const PAGE_STEPS = 512
/** Pages are small where the limit is, so that they are many. */
const [PAGE_BYTES_MIN, PAGE_BYTES_MAX, PAGES_MIN] = [1024, 64 * 1024, 64]

/** What only this replica knows of an inode, whatever others do to it. */
interface Outdated {
  /** As they were. */
  readonly attr: Inode
  handles: number
  readonly lockless: boolean
  readonly linkable: boolean
  readonly directory: Directory | undefined
}

export class NodeTable {
  readonly #nodes = new Map<Ino, Node>()
  readonly #packed: PackedInodes
  readonly #counts = new LookupCounts()
  /** What stays of nodes whose attributes are out of date, until those come anew. */
  readonly #outdated = new Map<Ino, Outdated>()
  readonly #bytesMax: number
  #hand: Iterator<Node> = this.#nodes.values()
  /** Nodes that the hand has passed since one left. */
  #passed = 0
  /** What kept nodes took when they were last looked at. */
  #keptBytes = 0
  #keptNodes = 0
  readonly #isTakeover: boolean
  /** What nodes and names take. */
  readonly use: MemoryUse = { bytes: 0 }

  /** @param isTakeover the kernel may know any inode from a session before this one */
  constructor(bytesMax: number, isTakeover = false) {
    this.#isTakeover = isTakeover
    this.#bytesMax = bytesMax
    const pageBytes = 2 ** Math.floor(Math.log2(bytesMax / PAGES_MIN + 1))
    this.#packed = new PackedInodes(Math.min(Math.max(pageBytes, PAGE_BYTES_MIN), PAGE_BYTES_MAX))
  }

  /** Inodes in memory. */
  get size(): number {
    return this.#nodes.size + this.#packed.size
  }

  /** Memory in use, in bytes. */
  get bytes(): number {
    return this.use.bytes + this.#packed.bytes + this.#counts.bytes
  }

  has(ino: Ino): boolean {
    return this.#nodes.has(ino) || this.#packed.has(ino)
  }

  /** The node of an inode that is in memory. */
  get(ino: Ino): Node | undefined {
    const node = this.#nodes.get(ino)
    if (node === undefined) return this.#unpack(ino)
    node.used = true
    return node
  }

  /** The node, if there is one. */
  live(ino: Ino): Node | undefined {
    return this.#nodes.get(ino)
  }

  /** The attributes of an inode that is in memory, for a look. */
  peek(ino: Ino): Inode | undefined {
    const node = this.#nodes.get(ino)
    if (node === undefined) return this.#packed.get(ino)
    node.used = true
    return node.attr
  }

  /** A new inode, or one that comes from the store. */
  add(node: Node): void {
    const { ino } = node.attr
    node.nlookup = ino === ROOT_INO ? 1 : this.#counts.take(ino)
    const outdated = this.#outdated.get(ino)
    if (outdated !== undefined) {
      this.#outdated.delete(ino)
      const { handles, lockless, linkable, directory } = outdated
      Object.assign(node, { handles, lockless, linkable, directory })
    }
    this.#nodes.set(ino, node)
    this.use.bytes += NODE_BYTES
  }

  /**
   * What is in memory of an inode is out of date: it has to be asked for anew.
   *
   * @param leave is told of the node that goes, if there is one
   */
  outdate(ino: Ino, leave: (node: Node) => void): void {
    const node = this.#nodes.get(ino) ?? this.#unpack(ino)
    if (node === undefined || node.removedElsewhere) return
    leave(node)
    const { attr, handles, lockless, linkable, directory } = node
    node.directory = undefined
    this.delete(node)
    if (node.nlookup > 0 && ino !== ROOT_INO) this.#counts.put(ino, node.nlookup)
    if (handles > 0 || directory !== undefined) {
      this.#outdated.set(ino, { attr, handles, lockless, linkable, directory })
    }
  }

  /**
   * Another replica has removed an inode: whoever has it open here keeps what is known of it, and
   * can look at it and lock it as any file without a name.
   *
   * @returns whether anybody has
   */
  keepOpen(ino: Ino): boolean {
    const outdated = this.#outdated.get(ino)
    let node = this.#nodes.get(ino)
    if (node === undefined && outdated !== undefined && outdated.handles > 0) {
      node = new Node(outdated.attr)
      this.add(node)
    }
    if (node === undefined || node.handles === 0) return false
    node.gone = node.removedElsewhere = true
    node.attr.nlink = 0
    return true
  }

  /** The names of a directory that are in memory, also when its attributes are out of date. */
  namesOf(ino: Ino): Directory | undefined {
    return this.#nodes.get(ino)?.directory ?? this.#outdated.get(ino)?.directory
  }

  /** The names of a directory are out of date as a whole. */
  forgetNames(ino: Ino): void {
    const node = this.#nodes.get(ino)
    node?.directory?.dispose()
    if (node !== undefined) node.directory = undefined
    const outdated = this.#outdated.get(ino)
    if (outdated?.directory === undefined) return
    outdated.directory.dispose()
    if (outdated.handles === 0) this.#outdated.delete(ino)
    else this.#outdated.set(ino, { ...outdated, directory: undefined })
  }

  /** Handles that are open on an inode, whether it is in memory or not. */
  handlesOf(ino: Ino): number {
    return this.#nodes.get(ino)?.handles ?? this.#outdated.get(ino)?.handles ?? 0
  }

  /** A handle of an inode was closed that is not in memory. */
  closeOutdated(ino: Ino): void {
    const outdated = this.#outdated.get(ino)
    if (outdated === undefined) return
    outdated.handles--
    if (outdated.handles === 0 && outdated.directory === undefined) this.#outdated.delete(ino)
  }

  /** Whether the kernel knows an inode, or may. */
  isKnown(ino: Ino): boolean {
    if (this.#isTakeover) return true
    const node = this.#nodes.get(ino)
    return ino === ROOT_INO || (node === undefined ? this.#counts.has(ino) : node.nlookup > 0)
  }

  /** Those that the kernel knows, of which `isOf` says so. */
  *selectKnown(isOf: (ino: Ino) => boolean): Generator<Ino> {
    for (const [ino, { nlookup }] of this.#nodes) if (nlookup > 0 && isOf(ino)) yield ino
    yield* this.#counts.select(isOf)
  }

  /** Those in memory of which `isOf` says so. */
  *select(isOf: (ino: Ino) => boolean): Generator<Ino> {
    for (const ino of this.#nodes.keys()) if (isOf(ino)) yield ino
    for (const ino of this.#outdated.keys()) if (isOf(ino)) yield ino
    yield* this.#packed.select(isOf)
  }

  /** The record of an inode that is not in memory, as the store has it. */
  addPacked(record: Uint8Array): void {
    this.#packed.put(record, 'fresh')
  }

  delete(node: Node): void {
    if (!this.#nodes.delete(node.attr.ino)) return
    this.use.bytes -= NODE_BYTES
    if (node.keptBytes > 0) this.#keptNodes--
    this.#keptBytes -= node.keptBytes
    node.keptBytes = 0
    node.directory?.dispose()
  }

  /** A reply names an inode that is in memory. */
  noteLookup(ino: Ino): void {
    const node = this.#nodes.get(ino)
    if (node === undefined) this.#counts.raise(ino)
    else node.nlookup++
  }

  /** The kernel gives back lookups of an inode that has no node. */
  forgetAbsent(ino: Ino, count: number): void {
    this.#counts.lower(ino, count)
  }

  /** Whether there is something for `shed` to do. */
  get isSheddable(): boolean {
    return this.#isOver && (!this.#handRests || this.#pagesToShed !== undefined)
  }

  /** The store has caught up: what had to stay may be able to leave now. */
  wakeHand(): void {
    this.#passed = 0
  }

  /**
   * Lets go of a little, while there is more than the limit. For between two ops.
   *
   * @param applied how far the store has the log
   * @param leave is told of each node that goes
   */
  shed(applied: Position, leave: (node: Node) => void): void {
    const excess = Math.ceil((this.bytes - this.#bytesMax) / NODE_BYTES)
    let steps = Math.min(Math.max(2 * excess, SHED_STEP_MIN), SHED_STEP_MAX)
    while (steps > 0 && this.isSheddable) {
      const isMostlyPacked = this.#packed.bytes > this.use.bytes
      const pages = isMostlyPacked || this.#handRests ? this.#pagesToShed : undefined
      if (pages !== undefined) {
        this.#packed.reclaim(pages)
        steps -= PAGE_STEPS
      } else {
        this.#moveHand(applied, leave)
        steps--
      }
    }
  }

  get #isOver(): boolean {
    return this.bytes > this.#bytesMax || this.#isFreshOver || this.#isLooseOver
  }

  get #isFreshOver(): boolean {
    const fresh = this.use.bytes - this.#keptBytes + this.#packed.bytesOf('fresh')
    return fresh > this.#bytesMax * FRESH_SHARE
  }

  get #isLooseOver(): boolean {
    const loose = this.#nodes.size - this.#keptNodes
    return loose * NODE_BYTES > this.#bytesMax * LOOSE_SHARE
  }

  /** Twice round and no more: the first time only takes away the marks of use. */
  get #handRests(): boolean {
    return this.#passed > 2 * this.#nodes.size
  }

  /** Which packed records can be cleared for what is too much. */
  get #pagesToShed(): Generation | undefined {
    const [fresh, kept] = [this.#packed.bytesOf('fresh'), this.#packed.bytesOf('kept')]
    if (fresh > 0 && this.#isFreshOver) return 'fresh'
    if (this.bytes <= this.#bytesMax || fresh + kept === 0) return undefined
    return kept > 0 ? 'kept' : 'fresh'
  }

  #moveHand(applied: Position, leave: (node: Node) => void): void {
    const next = this.#hand.next()
    if (next.done === true) {
      this.#hand = this.#nodes.values()
      return
    }
    this.#passed++
    const node = next.value
    if (node.used) {
      node.used = false
      if (node.seen) this.#keep(node)
      node.seen = true
      node.directory?.pack()
    } else if (this.#mayLeave(node) && canLeave(node, applied)) {
      this.#shedOne(node, leave)
    }
  }

  /** Whether its leaving is of use: what is kept stays within the limit, as do names. */
  #mayLeave({ keptBytes, directory }: Node): boolean {
    if (this.bytes > this.#bytesMax) return true
    return keptBytes === 0 && (directory === undefined || this.#isFreshOver)
  }

  /** It counts as kept, with what it takes now. */
  #keep(node: Node): void {
    if (node.keptBytes === 0) this.#keptNodes++
    this.#keptBytes -= node.keptBytes
    node.keptBytes = NODE_BYTES + (node.directory?.bytes ?? 0)
    this.#keptBytes += node.keptBytes
  }

  #shedOne(node: Node, leave: (node: Node) => void): void {
    leave(node)
    const generation = node.keptBytes > 0 ? 'kept' : 'fresh'
    this.delete(node)
    this.#packed.put(encodeInode(node.attr), generation)
    if (node.nlookup > 0) this.#counts.put(node.attr.ino, node.nlookup)
    this.#passed = 0
  }

  #unpack(ino: Ino): Node | undefined {
    const taken = this.#packed.take(ino)
    if (taken === undefined) return undefined
    const node = new Node(taken.inode)
    node.seen = taken.generation === 'kept'
    node.isStored = true
    this.add(node)
    return node
  }
}

function canLeave(node: Node, applied: Position): boolean {
  const { attr, changedPosition, contentPosition, body, directory } = node
  return (
    changedPosition <= applied &&
    contentPosition <= applied &&
    attr.nlink > 0 &&
    attr.ino !== ROOT_INO &&
    !node.gone &&
    node.handles === 0 &&
    node.sealErrno === 0 &&
    body?.dirty !== true &&
    directory?.isListing !== true
  )
}
