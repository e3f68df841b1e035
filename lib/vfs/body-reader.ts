/**
 * Reads bodies, whose pieces may lie in more blobs than memory holds at a time.
 *
 * A read that has to wait keeps what it has so far, and each blob that comes adds to it. Without
 * that, the blobs of one read could push each other out of memory for ever.
 */

import { LruMap } from '../util/lru-map.ts'
import type { LivePiece } from './body.ts'
import type { LiveTree } from './live-tree.ts'
import type { Node } from './node.ts'
import { Wait } from './wait.ts'

/** A read that waits: its bytes so far, and the sealed pieces that they are from. */
interface Unfinished {
  readonly target: Buffer
  readonly done: Set<LivePiece>
}

/** Reads kept unfinished, each of at most a megabyte. One that is forgotten begins anew. */
const UNFINISHED_MAX = 32

export class BodyReader {
  readonly #tree: LiveTree
  readonly #unfinished = new LruMap<string, Unfinished>(UNFINISHED_MAX, () => 1)

  constructor(tree: LiveTree) {
    this.#tree = tree
  }

  /**
   * The bytes at [offset, offset + length), which lie within the file.
   *
   * @throws Wait; FsError EIO by way of the loader, when a blob is damaged or missing
   */
  read(node: Node, offset: number, length: number): Buffer {
    const pieces = this.#tree.bodyOf(node, offset, length).pieces(offset, length)
    const key = `${node.attr.ino}:${offset}:${length}`
    const { target, done } = this.#resumed(key, pieces) ?? {
      target: Buffer.alloc(length),
      done: new Set<LivePiece>()
    }
    let missing: string | undefined
    for (const piece of pieces) {
      if (done.has(piece)) continue
      const { blob } = piece.source
      const bytes = blob === undefined ? piece.source.bytes : this.#tree.blob(blob)
      if (bytes === undefined) missing ??= `blob:${String(blob)}`
      else copyPiece(piece, bytes, offset, target)
      // Memory that is still written to is copied again.
      if (bytes !== undefined && blob !== undefined) done.add(piece)
    }
    this.#unfinished.delete(key)
    if (missing === undefined) return target
    // All that is missing has been asked for by now; the op runs again when this one has come.
    this.#unfinished.set(key, { target, done })
    throw new Wait(missing)
  }

  /** What an earlier try has brought together, unless the body has changed there since. */
  #resumed(key: string, pieces: readonly LivePiece[]): Unfinished | undefined {
    const unfinished = this.#unfinished.get(key)
    if (unfinished === undefined) return undefined
    const current = new Set(pieces)
    for (const piece of unfinished.done) if (!current.has(piece)) return undefined
    return unfinished
  }
}

function copyPiece(piece: LivePiece, bytes: Buffer, offset: number, target: Buffer): void {
  const start = Math.max(piece.offset, offset)
  const end = Math.min(piece.offset + piece.length, offset + target.length)
  const from = piece.sourceOffset + (start - piece.offset)
  bytes.copy(target, start - offset, from, from + (end - start))
}
