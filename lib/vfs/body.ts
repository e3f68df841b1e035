/**
 * The bytes of a body as they are here and now: sealed extents, and over them what was written
 * since and is in no entry yet.
 *
 * A piece's bytes come from a source: memory that is still written to ('open'), memory on its way
 * into a blob file ('staging'), or a blob ('stored'). A piece is sealed when history names it.
 * Windows that are not in `#windows` are in the store, unless they lie at or above
 * `#emptyFrom`, where nothing ever was, or nothing any more that the store may still show.
 */

import type { Extent } from '../feed/entry.ts'
import type { BlobId } from '../ids.ts'
import { piecesIn, replaceRange, type Piece } from '../tree/extents.ts'
import { windowOf, windowsOf, WINDOW_SIZE } from '../tree/window.ts'

/** Where bytes come from. Shared by the pieces that one was cut into. */
export class Source {
  state: 'open' | 'staging' | 'stored'
  /** While open or staging; longer than `used` to leave room for appends. */
  memory: Buffer
  used: number
  blob: BlobId | undefined

  private constructor(state: Source['state'], memory: Buffer, blob: BlobId | undefined) {
    this.state = state
    this.memory = memory
    this.used = memory.length
    this.blob = blob
  }

  static open(bytes: Uint8Array): Source {
    return new Source('open', Buffer.from(bytes), undefined)
  }

  static stored(blob: BlobId): Source {
    return new Source('stored', NO_BYTES, blob)
  }

  get bytes(): Buffer {
    return this.memory.subarray(0, this.used)
  }

  append(bytes: Uint8Array): void {
    const needed = this.used + bytes.length
    if (needed > this.memory.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, 2 * needed), WINDOW_SIZE))
      grown.set(this.bytes)
      this.memory = grown
    }
    this.memory.set(bytes, this.used)
    this.used = needed
  }

  /** The bytes are in a durable blob file now. */
  becomeStored(blob: BlobId): void {
    this.state = 'stored'
    this.blob = blob
    this.memory = NO_BYTES
    this.used = 0
  }
}

const NO_BYTES = Buffer.alloc(0)

export interface LivePiece extends Piece {
  readonly source: Source
  readonly sourceOffset: number
  readonly sealed: boolean
}

function cut(piece: LivePiece, offset: number, length: number): LivePiece {
  const { source, sealed } = piece
  return {
    offset,
    length,
    source,
    sourceOffset: piece.sourceOffset + (offset - piece.offset),
    sealed
  }
}

export class Body {
  readonly #windows = new Map<number, LivePiece[]>()
  #emptyFrom: number
  /** Whether the log's entries do not tell all of it. */
  #dirty = false
  /** Writes since the last seal that did not go into memory which there was. */
  #fragments = 0

  /** @param end no extent in the store reaches beyond here */
  constructor(end: number) {
    this.#emptyFrom = windowOf(end + WINDOW_SIZE - 1)
  }

  get dirty(): boolean {
    return this.#dirty
  }

  /** No more than half the pieces, and one, that a seal would have to name now. */
  get fragments(): number {
    return this.#fragments
  }

  /** That it is a body has to be told, even where it has no bytes. */
  markDirty(): void {
    this.#dirty = true
  }

  /** The first window of [offset, offset + length) that has to be loaded before it is used. */
  missing(offset: number, length: number): number | undefined {
    for (const window of windowsOf(offset, length)) {
      if (window >= this.#emptyFrom) return undefined
      if (!this.#windows.has(window)) return window
    }
    return undefined
  }

  /** Takes what the store has of a window, if it is still wanted. */
  load(window: number, extents: readonly Extent[]): void {
    if (window >= this.#emptyFrom || this.#windows.has(window)) return
    this.#windows.set(
      window,
      extents.map(({ offset, length, blob, blobOffset }) => ({
        offset,
        length,
        source: Source.stored(blob),
        sourceOffset: blobOffset,
        sealed: true
      }))
    )
  }

  /** The pieces that reach into [offset, offset + length), in order. */
  pieces(offset: number, length: number): LivePiece[] {
    const found: LivePiece[] = []
    for (const window of windowsOf(offset, length)) {
      const pieces = this.#windows.get(window)
      if (pieces !== undefined) found.push(...piecesIn(pieces, offset, offset + length))
    }
    return found
  }

  /** Writes bytes whose windows are loaded. @returns sources that are full now */
  write(offset: number, bytes: Uint8Array): Source[] {
    this.#dirty = true
    const full: Source[] = []
    for (const window of windowsOf(offset, bytes.length)) {
      const start = Math.max(offset, window * WINDOW_SIZE)
      const end = Math.min(offset + bytes.length, (window + 1) * WINDOW_SIZE)
      const source = this.#writeWithin(window, start, bytes.subarray(start - offset, end - offset))
      if (source.used === WINDOW_SIZE && end === (window + 1) * WINDOW_SIZE) full.push(source)
    }
    return full
  }

  /** Lays down what an entry named; what was there in memory as the same blob becomes sealed. */
  seal(extents: readonly Extent[]): void {
    for (const { offset, length, blob, blobOffset } of extents) {
      const source = Source.stored(blob)
      for (const window of windowsOf(offset, length)) {
        const start = Math.max(offset, window * WINDOW_SIZE)
        const end = Math.min(offset + length, (window + 1) * WINDOW_SIZE)
        const sourceOffset = blobOffset + (start - offset)
        const piece = { offset: start, length: end - start, source, sourceOffset, sealed: true }
        replaceRange(this.#window(window), start, end, cut, piece)
      }
    }
    this.#dirty = this.dirtyPieces().length > 0
    this.#fragments = 0
  }

  /** What no entry names yet, in order. */
  dirtyPieces(): LivePiece[] {
    const dirty: LivePiece[] = []
    for (const pieces of this.#windows.values()) {
      for (const piece of pieces) if (!piece.sealed) dirty.push(piece)
    }
    return dirty.sort((a, b) => a.offset - b.offset)
  }

  /** Cuts at `size`; the window that it falls into is loaded. */
  truncate(size: number): void {
    const boundary = windowOf(size)
    for (const [window, pieces] of this.#windows) {
      const end = (window + 1) * WINDOW_SIZE
      if (window > boundary) this.#windows.delete(window)
      if (window === boundary) replaceRange(pieces, size, end, cut)
    }
    this.#emptyFrom = Math.min(this.#emptyFrom, windowOf(size + WINDOW_SIZE - 1))
    if (this.#dirty) this.#dirty = this.dirtyPieces().length > 0
  }

  /** Empties [offset, offset + length). Windows that it touches in part are loaded. */
  punch(offset: number, length: number): void {
    for (const window of windowsOf(offset, length)) {
      if (window >= this.#emptyFrom && !this.#windows.has(window)) continue
      const [first, next] = [window * WINDOW_SIZE, (window + 1) * WINDOW_SIZE]
      const [start, end] = [Math.max(offset, first), Math.min(offset + length, next)]
      if (start === first && end === next) this.#windows.set(window, [])
      else replaceRange(this.#window(window), start, end, cut)
    }
  }

  #writeWithin(window: number, start: number, bytes: Uint8Array): Source {
    const pieces = this.#window(window)
    const end = start + bytes.length
    const before = pieces.at(-1)
    if (before !== undefined && canAppend(before, start)) {
      before.source.append(bytes)
      pieces[pieces.length - 1] = cut(before, before.offset, before.length + bytes.length)
      return before.source
    }
    const around = piecesIn(pieces, start, end)[0]
    if (around !== undefined && covers(around, start, end) && around.source.state === 'open') {
      around.source.memory.set(bytes, around.sourceOffset + (start - around.offset))
      return around.source
    }
    this.#fragments++
    const source = Source.open(bytes)
    const piece = { offset: start, length: bytes.length, source, sourceOffset: 0, sealed: false }
    replaceRange(pieces, start, end, cut, piece)
    return source
  }

  #window(window: number): LivePiece[] {
    let pieces = this.#windows.get(window)
    if (pieces === undefined) this.#windows.set(window, (pieces = []))
    return pieces
  }
}

function canAppend(piece: LivePiece, start: number): boolean {
  const { source } = piece
  const atEnd = piece.offset + piece.length === start
  return atEnd && source.state === 'open' && piece.sourceOffset + piece.length === source.used
}

function covers(piece: LivePiece, start: number, end: number): boolean {
  return piece.offset <= start && piece.offset + piece.length >= end
}
