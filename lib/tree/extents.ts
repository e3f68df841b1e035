/**
 * Interval arithmetic on extents: lists sorted by offset that do not overlap.
 *
 * Works on anything that has an offset, a length and a way to be cut, so that the pieces of a
 * body still being written are handled by the same code as those of a sealed one.
 */

import type { Extent } from '../feed/entry.ts'

export interface Piece {
  readonly offset: number
  readonly length: number
}

/** Returns the part of `piece` from `offset` on, `length` long. */
export type Cut<P extends Piece> = (piece: P, offset: number, length: number) => P

/** Cuts an extent: the blob stays whole, the extent names less of it. */
export function cutExtent(extent: Extent, offset: number, length: number): Extent {
  const blobOffset = extent.blobOffset + (offset - extent.offset)
  return { offset, length, blob: extent.blob, blobOffset }
}

/** Position of the first piece that ends behind `offset`. */
export function firstBehind(pieces: readonly Piece[], offset: number): number {
  let [low, high] = [0, pieces.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const piece = pieces[middle] as Piece
    if (piece.offset + piece.length <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** What lies in [start, end), uncut. */
export function piecesIn<P extends Piece>(pieces: readonly P[], start: number, end: number): P[] {
  const found: P[] = []
  for (let i = firstBehind(pieces, start); i < pieces.length; i++) {
    const piece = pieces[i] as P
    if (piece.offset >= end) break
    found.push(piece)
  }
  return found
}

/** Clears [start, end) in place and puts `replacement` there, if any. */
export function replaceRange<P extends Piece>(
  pieces: P[],
  start: number,
  end: number,
  cut: Cut<P>,
  replacement?: P
): void {
  const from = firstBehind(pieces, start)
  const covered = piecesIn(pieces, start, end)
  const kept: P[] = []
  const [first, last] = [covered[0], covered.at(-1)]
  if (first !== undefined && first.offset < start) {
    kept.push(cut(first, first.offset, start - first.offset))
  }
  if (replacement !== undefined) kept.push(replacement)
  if (last !== undefined && last.offset + last.length > end) {
    kept.push(cut(last, end, last.offset + last.length - end))
  }
  pieces.splice(from, covered.length, ...kept)
}
