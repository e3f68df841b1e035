/**
 * A disk that keeps what is written to it in memory, over another one that stays as it is.
 *
 * It lets recovery run on a data directory that must not be changed. What it holds in memory is
 * what the log holds behind its last checkpoint.
 */

import type { Disk, DiskFile } from '../io/disk.ts'
import { piecesIn, replaceRange, type Piece } from '../tree/extents.ts'

export class OverlayDisk implements Disk {
  readonly #below: Disk
  /** Files that were changed, made, or (undefined) removed. */
  readonly #files = new Map<string, Contents | undefined>()

  constructor(below: Disk) {
    this.#below = below
  }

  open(path: string, mode: 'existing' | 'create' | 'exclusive'): DiskFile {
    const isThere = this.exists(path)
    if (isThere && mode === 'exclusive') throw codedError('EEXIST', path)
    if (!isThere && mode === 'existing') throw codedError('ENOENT', path)
    return new OverlayFile(this.#contentsOf(path, isThere))
  }

  openRead(path: string): DiskFile {
    if (!this.#files.has(path)) return this.#below.openRead(path)
    if (this.#files.get(path) === undefined) throw codedError('ENOENT', path)
    return new OverlayFile(this.#contentsOf(path, true))
  }

  openCached(): undefined {
    // Whoever reads through this can wait.
  }

  exists(path: string): boolean {
    return this.#files.has(path) ? this.#files.get(path) !== undefined : this.#below.exists(path)
  }

  makeDirectory(): void {
    // Files are kept by their whole path.
  }

  list(path: string): string[] {
    const names = new Set(this.#below.exists(path) ? this.#below.list(path) : [])
    for (const [file, contents] of this.#files) {
      const name = file.slice(path.length + 1)
      if (!file.startsWith(`${path}/`) || name.includes('/')) continue
      if (contents === undefined) names.delete(name)
      else names.add(name)
    }
    return [...names]
  }

  rename(from: string, to: string): void {
    const contents = this.#contentsOf(from, true)
    this.#files.set(from, undefined)
    this.#files.set(to, contents)
  }

  remove(path: string): void {
    if (!this.exists(path)) throw codedError('ENOENT', path)
    this.#files.set(path, undefined)
  }

  removeDirectory(): void {
    // As for making one.
  }

  syncDirectory(): Promise<void> {
    return Promise.resolve()
  }

  syncAll(): Promise<void> {
    return Promise.resolve()
  }

  space(): { freeBytes: number; totalBytes: number } {
    return this.#below.space()
  }

  #contentsOf(path: string, isThere: boolean): Contents {
    let contents = this.#files.get(path)
    if (contents === undefined) {
      contents = new Contents(isThere ? { disk: this.#below, path } : undefined)
      this.#files.set(path, contents)
    }
    return contents
  }
}

interface Patch extends Piece {
  readonly bytes: Uint8Array
}

function cutPatch(patch: Patch, offset: number, length: number): Patch {
  const from = offset - patch.offset
  return { offset, length, bytes: patch.bytes.subarray(from, from + length) }
}

/** A file below, of which only the first `#kept` bytes count, and what was written over it. */
class Contents {
  readonly #below: { readonly disk: Disk; readonly path: string } | undefined
  readonly #patches: Patch[] = []
  #kept = 0
  size = 0

  constructor(below: { readonly disk: Disk; readonly path: string } | undefined) {
    this.#below = below
    if (below === undefined) return
    const file = below.disk.openRead(below.path)
    this.#kept = this.size = file.size()
    file.close()
  }

  read(target: Uint8Array, position: number): number {
    const length = Math.max(Math.min(target.length, this.size - position), 0)
    const wanted = target.subarray(0, length).fill(0)
    if (this.#below !== undefined && position < this.#kept) {
      const file = this.#below.disk.openRead(this.#below.path)
      file.read(wanted.subarray(0, this.#kept - position), position)
      file.close()
    }
    for (const piece of piecesIn(this.#patches, position, position + length)) {
      const from = Math.max(piece.offset, position)
      const end = Math.min(piece.offset + piece.length, position + length)
      wanted.set(cutPatch(piece, from, end - from).bytes, from - position)
    }
    return length
  }

  write(source: Uint8Array, offset: number): void {
    const { length } = source
    const patch = { offset, length, bytes: Buffer.from(source) }
    if (length > 0) replaceRange(this.#patches, offset, offset + length, cutPatch, patch)
    this.size = Math.max(this.size, offset + length)
  }

  truncate(size: number): void {
    if (size < this.size) replaceRange(this.#patches, size, this.size, cutPatch)
    this.#kept = Math.min(this.#kept, size)
    this.size = size
  }
}

class OverlayFile implements DiskFile {
  readonly #contents: Contents

  constructor(contents: Contents) {
    this.#contents = contents
  }

  read(target: Uint8Array, position: number): number {
    return this.#contents.read(target, position)
  }

  readCached(target: Uint8Array, position: number): number {
    return this.#contents.read(target, position)
  }

  readAsync(target: Uint8Array, position: number): Promise<number> {
    return Promise.resolve(this.#contents.read(target, position))
  }

  write(source: Uint8Array, position: number): void {
    this.#contents.write(source, position)
  }

  truncate(size: number): void {
    this.#contents.truncate(size)
  }

  size(): number {
    return this.#contents.size
  }

  sync(): Promise<void> {
    return Promise.resolve()
  }

  syncNow(): void {
    // Nothing of this is ever to reach a disk.
  }

  close(): void {
    // Nothing is open below between two reads.
  }
}

function codedError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}
