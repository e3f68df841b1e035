/**
 * Operations on ranges of files: room made ahead, holes made and found, copies between files.
 *
 * Only bodies have holes. In a file whose writes are kept in history a range is emptied by writing
 * zeros, and all of it counts as data.
 */

import { FsError } from '../errors.ts'
import type { Change } from '../feed/entry.ts'
import { volumeOf, type Ino } from '../ids.ts'
import { isRegular, modeWithoutPrivileges } from '../tree/inode.ts'
import { windowOf, WINDOW_SIZE } from '../tree/window.ts'
import { FILE_SIZE_MAX, hasBody, type DataOperations } from './data-operations.ts'
import type { Node } from './node.ts'
import type { VfsParts } from './parts.ts'
import type { Sealer } from './sealer.ts'

/** Modes of fallocate(2). */
const KEEP_SIZE = 1
const PUNCH_HOLE = 2
const ZERO_RANGE = 16
const MODES = [0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE]

/** What lseek(2) calls these. */
const SEEK_DATA = 3
const SEEK_HOLE = 4

/** Zeros that one entry writes, in files that are kept in history. */
const ZEROS_MAX = 1024 * 1024
/** What such an entry takes on the disk besides its bytes. */
const OVERHEAD = 1024
/** Bytes copied for one request; the program asks again for the rest. */
const COPY_MAX = 1024 * 1024
/** Windows that a seek looks at. It may find less than there is, and programs go on from there. */
const SEEK_WINDOWS_MAX = 64

export interface FallocateRequest {
  readonly ino: Ino
  readonly mode: number
  readonly offset: number
  readonly length: number
  /** See WriteRequest. */
  readonly killsPrivileges: boolean
}

export interface CopyRequest {
  readonly from: Ino
  readonly offset: number
  readonly to: Ino
  readonly offsetOut: number
  readonly length: number
  /** See WriteRequest. */
  readonly killsPrivileges: boolean
}

export class RangeOperations {
  readonly #parts: VfsParts
  readonly #data: DataOperations
  readonly #sealer: Sealer

  constructor(parts: VfsParts, data: DataOperations, sealer: Sealer) {
    this.#parts = parts
    this.#data = data
    this.#sealer = sealer
  }

  /**
   * Makes a file as long as the range needs, or makes the range read as zeros.
   *
   * That there is room for the range is looked at, not promised: what is written later takes
   * room of its own, as it does in any log.
   *
   * @throws FsError EOPNOTSUPP another mode, or more zeros than fit into an entry; ENODEV no
   *   regular file; EFBIG, ENOSPC, ESTALE
   */
  fallocate({ ino, mode, offset, length, killsPrivileges }: FallocateRequest): void {
    const node = this.#parts.tree.node(ino)
    if (node.gone) throw new FsError('ESTALE')
    if (!isRegular(node.attr)) throw new FsError('ENODEV')
    if (!MODES.includes(mode)) throw new FsError('EOPNOTSUPP')
    const end = offset + length
    if (end > FILE_SIZE_MAX) throw new FsError('EFBIG')
    const { size } = node.attr
    const empties = (mode & (PUNCH_HOLE | ZERO_RANGE)) !== 0
    const grows = (mode & KEEP_SIZE) === 0 && end > size
    if ((mode & PUNCH_HOLE) === 0) this.#checkRoom(end - size)
    if (grows) this.#data.prepareTruncate(node, end)
    const changes: Change[] = []
    const kept = modeWithoutPrivileges(node.attr.mode)
    if (killsPrivileges && kept !== node.attr.mode) {
      changes.push({ kind: 'setattr', ino, attr: { mode: kept } })
    }
    if (empties && offset < size) changes.push(this.#emptying(node, offset, Math.min(end, size)))
    if (grows) changes.push({ kind: 'setattr', ino, attr: { size: end } })
    if (changes.length === 0) return
    this.#parts.recorder.record(changes.map(change => ({ volume: volumeOf(ino), change })))
  }

  /**
   * The first data or hole at or behind `offset`, as lseek(2) finds it.
   *
   * @throws FsError ENXIO there is none before the end; EINVAL another `whence`
   */
  seek(ino: Ino, offset: number, whence: number): number {
    const node = this.#parts.tree.node(ino)
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw new FsError('EINVAL')
    if (offset >= node.attr.size) throw new FsError('ENXIO')
    if (whence === SEEK_HOLE) return hasBody(node) ? this.#findHole(node, offset) : node.attr.size
    const found = hasBody(node) ? this.#findData(node, offset) : offset
    if (found === undefined) throw new FsError('ENXIO')
    return found
  }

  /**
   * Copies a part of the range, at least a byte where there is one.
   *
   * @returns how many bytes
   * @throws FsError those of `read` and `write`
   */
  copy({ from, offset, to, offsetOut, length, killsPrivileges }: CopyRequest): number {
    const data = this.#data.read(from, offset, Math.min(length, COPY_MAX))
    this.#data.write({ ino: to, offset: offsetOut, data, flags: 0, killsPrivileges })
    return data.length
  }

  #checkRoom(bytes: number): void {
    if (bytes > this.#parts.space.totals().freeBytes) throw new FsError('ENOSPC')
  }

  /** What makes [start, end) read as zeros. All that it needs is in memory then. */
  #emptying(node: Node, start: number, end: number): Change {
    const { ino } = node.attr
    const length = end - start
    if (hasBody(node)) {
      this.#sealer.seal(node)
      this.#parts.tree.bodyOf(node, start, 1)
      this.#parts.tree.bodyOf(node, end - 1, 1)
      return { kind: 'punch', ino, offset: start, length }
    }
    if (length > ZEROS_MAX) throw new FsError('EOPNOTSUPP')
    this.#parts.tree.contentOf(node, start, length)
    if (!this.#parts.space.reserve(length + OVERHEAD)) throw new FsError('ENOSPC')
    return { kind: 'write', ino, offset: start, bytes: Buffer.alloc(length) }
  }

  #findData(node: Node, offset: number): number | undefined {
    for (const [start, end] of windowsFrom(offset, node.attr.size)) {
      if (windowOf(start) - windowOf(offset) >= SEEK_WINDOWS_MAX) return start
      const [first] = this.#parts.tree.bodyOf(node, start, end - start).pieces(start, end - start)
      if (first !== undefined) return Math.max(first.offset, start)
    }
    return undefined
  }

  #findHole(node: Node, offset: number): number {
    const { size } = node.attr
    let at = offset
    for (const [start, end] of windowsFrom(offset, size)) {
      if (windowOf(start) - windowOf(offset) >= SEEK_WINDOWS_MAX) return size
      for (const piece of this.#parts.tree.bodyOf(node, start, end - start).pieces(at, end - at)) {
        if (piece.offset > at) return at
        at = piece.offset + piece.length
      }
      if (at < end) return at
    }
    return size
  }
}

/** The parts of [offset, size) that lie in one window each. */
function* windowsFrom(offset: number, size: number): Generator<readonly [number, number]> {
  for (let start = offset; start < size; start = (windowOf(start) + 1) * WINDOW_SIZE) {
    yield [start, Math.min((windowOf(start) + 1) * WINDOW_SIZE, size)]
  }
}
