/**
 * The inodes in memory, within a limit.
 *
 * What the store has as it is can leave: it is read again when it is asked for. So beyond the
 * limit whatever was not used lately goes, found by a hand that goes round (CLOCK, a cheap
 * likeness of least recently used). What stays in any case: what the store does not have yet,
 * what was written and not sealed, what is open, and what has no name. The limit is passed when
 * there is too much of that; the hand then rests until the store has caught up.
 *
 * The kernel's count of a node that leaves stays behind in `LookupCounts`.
 */

import { ROOT_INO, type Ino, type Position } from '../ids.ts'
import { LookupCounts } from './lookup-counts.ts'
import type { MemoryUse } from './directory.ts'
import type { Node } from './node.ts'

/** What a node takes with its attributes and its place in tables: measured with a million. */
const NODE_BYTES = 700
/** Nodes that one call of `shed` looks at, at the most: some hundred microseconds. */
const SHED_STEP_MAX = 4096
/** At least: far beyond the limit it is more, for a listing brings a thousand inodes at once. */
const SHED_STEP_MIN = 64

export class NodeTable {
  readonly #nodes = new Map<Ino, Node>()
  readonly #counts = new LookupCounts()
  readonly #bytesMax: number
  #hand: Iterator<Node> = this.#nodes.values()
  /** Nodes that the hand has passed since one left. */
  #passed = 0
  /** What names and attributes take. */
  readonly use: MemoryUse = { bytes: 0 }

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get size(): number {
    return this.#nodes.size
  }

  /** Memory in use, in bytes. */
  get bytes(): number {
    return this.use.bytes + this.#counts.bytes
  }

  has(ino: Ino): boolean {
    return this.#nodes.has(ino)
  }

  get(ino: Ino): Node | undefined {
    const node = this.#nodes.get(ino)
    if (node !== undefined) node.used = true
    return node
  }

  /** A new inode, or one that comes from the store. */
  add(node: Node): void {
    const { ino } = node.attr
    node.nlookup = ino === ROOT_INO ? 1 : this.#counts.take(ino)
    this.#nodes.set(ino, node)
    this.use.bytes += NODE_BYTES
  }

  delete(node: Node): void {
    if (!this.#nodes.delete(node.attr.ino)) return
    this.use.bytes -= NODE_BYTES
    node.directory?.dispose()
  }

  /** The kernel gives back lookups of an inode that is not in memory. */
  forgetAbsent(ino: Ino, count: number): void {
    this.#counts.lower(ino, count)
  }

  /** Whether there is something for `shed` to do. */
  get isSheddable(): boolean {
    return this.bytes > this.#bytesMax && this.#passed <= 2 * this.#nodes.size
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
    // Twice round and no more: the first time only takes away the marks of use.
    if (!this.isSheddable) return
    const excess = Math.ceil((this.bytes - this.#bytesMax) / NODE_BYTES)
    const step = Math.min(Math.max(2 * excess, SHED_STEP_MIN), SHED_STEP_MAX)
    for (let looked = 0; looked < step && this.bytes > this.#bytesMax; looked++) {
      const next = this.#hand.next()
      if (next.done === true) {
        this.#hand = this.#nodes.values()
        continue
      }
      this.#passed++
      const node = next.value
      if (!node.used && canLeave(node, applied)) this.#shedOne(node, leave)
      node.used = false
    }
  }

  #shedOne(node: Node, leave: (node: Node) => void): void {
    leave(node)
    this.delete(node)
    if (node.nlookup > 0) this.#counts.put(node.attr.ino, node.nlookup)
    this.#passed = 0
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
