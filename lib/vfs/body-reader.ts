/**
 * Reads bodies, whose pieces may lie in more blobs than memory holds at a time.
 *
 * A read that has to wait keeps what it has so far, and each blob that comes adds to it. Without
 * that, the blobs of one read could push each other out of memory for ever.
 *
 * Whoever reads one part after another has the next ones brought and checked meanwhile.
 */

import type { Ino } from '../ids.ts'
import { WINDOW_SIZE } from '../tree/window.ts'
import { LruMap } from '../util/lru-map.ts'
import type { LivePiece } from './body.ts'
import type { LiveTree } from './live-tree.ts'
import type { Node } from './node.ts'
import { Wait } from './wait.ts'

/** A read that waits: its bytes so far, and the sealed pieces that they are from. */
interface Unfinished {
  readonly bytes: Buffer
  readonly done: Set<LivePiece>
}

/** Reads kept unfinished, each of at most a megabyte. One that is forgotten begins anew. */
const UNFINISHED_MAX = 32
/** Files of which it is remembered where the last read ended. */
const SEQUENCES_MAX = 64
/** How far is looked ahead of a read in sequence. */
const AHEAD = 2 * WINDOW_SIZE

export class BodyReader {
  readonly #tree: LiveTree
  readonly #unfinished = new LruMap<string, Unfinished>(UNFINISHED_MAX, () => 1)

  readonly #ends = new LruMap<Ino, number>(SEQUENCES_MAX, () => 1)

  constructor(tree: LiveTree) {
    this.#tree = tree
  }

  /**
   * Fills `target` with what the file has from `offset` on; it has so many bytes.
   *
   * @throws Wait; FsError EIO by way of the loader, when a blob is damaged or missing
   */
  read(node: Node, offset: number, target: Buffer): void {
    if (this.#isInSequence(node, offset, target.length)) this.#lookAhead(node, offset)
    const pieces = this.#tree.bodyOf(node, offset, target.length).pieces(offset, target.length)
    const key = `${node.attr.ino}:${offset}:${target.length}`
    const done = this.#resume(key, pieces, offset, target)
    let missing: string | undefined
    for (const piece of pieces) {
      if (done.has(piece)) continue
      const { blob } = piece.source
      if (this.#readPiece(piece, offset, target)) {
        // Memory that is still written to is copied again.
        if (blob !== undefined) done.add(piece)
      } else if (blob !== undefined) {
        missing ??= this.#tree.loadBlob(blob, sizeOfBlob(piece))
      }
    }
    if (missing === undefined) return
    // All that is missing has been asked for by now; the op runs again when this one has come.
    this.#unfinished.set(key, { bytes: Buffer.from(target), done })
    throw new Wait(missing)
  }

  #isInSequence({ attr }: Node, offset: number, length: number): boolean {
    if (attr.size <= WINDOW_SIZE) return false
    const end = this.#ends.get(attr.ino)
    this.#ends.set(attr.ino, offset + length)
    // A read that is tried again has ended there already.
    return end === offset || end === offset + length
  }

  /** Has brought what a read at `offset` will be followed by, and waits for none of it. */
  #lookAhead(node: Node, offset: number): void {
    const body = node.body
    const length = Math.min(AHEAD, node.attr.size - offset)
    if (body === undefined || length <= 0) return
    const window = body.missing(offset, length)
    if (window !== undefined) this.#tree.loadWindow(node, window)
    for (const piece of body.pieces(offset, length)) {
      const { blob } = piece.source
      if (blob !== undefined) this.#tree.checkBlob(blob, sizeOfBlob(piece))
    }
  }

  /** @returns whether the bytes are in `target` now */
  #readPiece(piece: LivePiece, offset: number, target: Buffer): boolean {
    const start = Math.max(piece.offset, offset)
    const end = Math.min(piece.offset + piece.length, offset + target.length)
    const from = piece.sourceOffset + (start - piece.offset)
    const part = target.subarray(start - offset, end - offset)
    const { blob } = piece.source
    if (blob !== undefined) return this.#tree.readBlob(blob, from, part)
    piece.source.bytes.copy(part, 0, from, from + part.length)
    return true
  }

  /**
   * Begins `target` with what an earlier try has brought together, unless the body has changed
   * there since, or with nothing.
   *
   * @returns the pieces that are in it
   */
  #resume(
    key: string,
    pieces: readonly LivePiece[],
    offset: number,
    target: Buffer
  ): Set<LivePiece> {
    const unfinished = this.#unfinished.delete(key)
    const current = new Set(pieces)
    if (unfinished !== undefined && [...unfinished.done].every(piece => current.has(piece))) {
      target.set(unfinished.bytes)
      return unfinished.done
    }
    // Between pieces there are zeros.
    if (hasGaps(pieces, offset, target.length)) target.fill(0)
    return new Set()
  }
}

/** What a piece tells of the size of its blob: at least so many bytes. */
function sizeOfBlob({ sourceOffset, length }: LivePiece): number {
  return sourceOffset + length
}

function hasGaps(pieces: readonly LivePiece[], offset: number, length: number): boolean {
  let covered = offset
  for (const piece of pieces) {
    if (piece.offset > covered) return true
    covered = piece.offset + piece.length
  }
  return covered < offset + length
}
