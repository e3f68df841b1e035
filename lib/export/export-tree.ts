/**
 * Writes a view of the tree as ordinary directories and files, so that nobody is locked in.
 *
 * Bodies are checked as always: what has another hash than the log says never gets under the
 * file's own name. Such a file is written as NAME.damaged, with zeros for what is lost, where
 * anything of it is left; it is named, and the rest goes on.
 */

import { RoostError } from '../errors.ts'
import type { Extent } from '../feed/entry.ts'
import { ROOT_INO, type BlobId, type Ino } from '../ids.ts'
import type { PlainAttributes, PlainFile } from '../io/plain-tree.ts'
import { readBlobOf, type TreeView } from '../keeper/tree-view.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import { isDirectory, isRegular, S_IFLNK, S_IFMT, type Inode } from '../tree/inode.ts'
import { InvariantError } from '../util/assert.ts'
import { sha256Hex } from '../util/hash.ts'

/** Where the tree is written to. Paths as in `io/plain-tree.ts`. */
export interface ExportTarget {
  makeDirectory(path: string): void
  makeFile(path: string): PlainFile
  makeSymlink(path: string, target: string): void
  makeLink(existing: string, path: string): void
  makeNode(path: string, mode: number, rdev: number): void
  remove(path: string): void
  setAttributes(path: string, attributes: PlainAttributes): void
}

export interface ExportOptions {
  readonly view: TreeView
  readonly target: ExportTarget
  /** Only what is there, and below it; bytes one a character. */
  readonly only?: string
  /** Of what could not be written, or not whole. `path` is that in the store. */
  readonly onFailure: (path: string, why: string) => void
  readonly onProgress: (figures: ExportFigures) => void
  /** Waits before a blob is read again, which a daemon may have been writing. */
  readonly again: (() => Promise<void>) | undefined
}

export interface ExportFigures {
  directories: number
  files: number
  links: number
  bytes: number
  failures: number
}

/** Names whose inodes are fetched at once. */
const CHUNK = 200
/** Keys of extents fetched at once: each may hold thousands. */
const WINDOWS_CHUNK = 16
const CONTENT_BYTES = 1024 * 1024
/** What a hole is made of, on most filesystems. */
const BLOCK = 4096
const ZEROS = Buffer.alloc(BLOCK)
/** Tries of a blob that a daemon may be writing. */
const TRIES = 4
const DAMAGED_SUFFIX = '.damaged'
/** With these no other file can be written either. */
const FATAL = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']

/** What is at a path. @throws RoostError NOT_FOUND */
export async function findPath(view: TreeView, only = ''): Promise<Inode> {
  let ino: Ino | undefined = ROOT_INO
  for (const name of namesOf(only)) {
    const named: Buffer | undefined = ino && (await view.get(keys.direntKey(ino, name)))
    ino = named && decodedOr(() => records.decodeDirent(named).ino)
  }
  const stored = ino === undefined ? undefined : await view.get(keys.inodeKey(ino))
  const inode = stored && decodedOr(() => records.decodeInode(stored))
  if (inode !== undefined) return inode
  const shown = Buffer.from(only, 'latin1').toString('utf8')
  const what = only === '' ? 'is empty: it was never mounted' : `has no ${shown}`
  throw new RoostError('NOT_FOUND', `the store ${what}`)
}

function namesOf(path = ''): string[] {
  return path.split('/').filter(name => name !== '')
}

/**
 * Exports what a view shows. The attributes of the target's root are left to the caller.
 *
 * @param top what `findPath` found: a directory becomes the root of the target, else it is in it
 * @throws RoostError VIEW_LOST; what the target throws when it is full
 */
export async function exportTree(top: Inode, options: ExportOptions): Promise<ExportFigures> {
  return new Exporter(options).run(top)
}

class Exporter {
  readonly #options: ExportOptions
  readonly #view: TreeView
  readonly #target: ExportTarget
  readonly #figures: ExportFigures = { directories: 0, files: 0, links: 0, bytes: 0, failures: 0 }
  /** Where files with several names were written first. */
  readonly #linked = new Map<Ino, string>()
  #lastBlob: { readonly blob: BlobId; readonly bytes: Buffer } | undefined

  constructor(options: ExportOptions) {
    this.#options = options
    this.#view = options.view
    this.#target = options.target
  }

  async run(top: Inode): Promise<ExportFigures> {
    const names = namesOf(this.#options.only)
    const from = `/${names.join('/')}`
    if (isDirectory(top)) await this.#fillDirectory('', from, top.ino)
    else await this.#writeOrSay(names.at(-1) ?? '', from, top)
    await this.#view.confirm()
    return this.#figures
  }

  async #fillDirectory(to: string, from: string, ino: Ino): Promise<void> {
    const end = keys.direntKey((ino + 1) as Ino, '')
    for (let next = keys.direntKey(ino, ''); ;) {
      const part = await this.#view.range(next, end, CHUNK)
      const last = part.at(-1)
      if (last === undefined) return
      next = `${last[0]}\0`
      const inos = part.map(([, value]) => decodedOr(() => records.decodeDirent(value).ino))
      const inodes = await this.#view.getAll(inos.map(one => keys.inodeKey(one ?? ROOT_INO)))
      for (const [i, [key]] of part.entries()) {
        const name = key.slice(keys.direntKey(ino, '').length)
        const stored = inos[i] === undefined ? undefined : inodes[i]
        const inode = stored && decodedOr(() => records.decodeInode(stored))
        const path = from === '/' ? `/${name}` : `${from}/${name}`
        if (inode !== undefined) await this.#writeOrSay(join(to, name), path, inode)
        else this.#say(path, 'the store does not say what it is')
      }
      if (part.length < CHUNK) return
    }
  }

  async #writeOrSay(to: string, from: string, inode: Inode): Promise<void> {
    try {
      await this.#write(to, from, inode)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!/^E[A-Z0-9]+$/.test(code) || FATAL.includes(code)) throw error
      this.#say(from, error instanceof Error ? error.message : String(error))
    }
    this.#options.onProgress(this.#figures)
  }

  async #write(to: string, from: string, inode: Inode): Promise<void> {
    if (isDirectory(inode)) {
      this.#target.makeDirectory(to)
      await this.#fillDirectory(to, from, inode.ino)
      this.#target.setAttributes(to, inode)
      this.#figures.directories++
      return
    }
    const first = this.#linked.get(inode.ino)
    if (first !== undefined) {
      this.#target.makeLink(first, to)
      this.#figures.links++
      return
    }
    const written = await this.#writeFile(to, from, inode)
    if (written === undefined) return
    this.#target.setAttributes(written, inode)
    if (inode.nlink > 1 && written === to) this.#linked.set(inode.ino, to)
    this.#figures.files++
  }

  /** @returns where it was written to, if anything of it was */
  async #writeFile(to: string, from: string, inode: Inode): Promise<string | undefined> {
    if ((inode.mode & S_IFMT) === S_IFLNK) this.#target.makeSymlink(to, inode.target)
    else if (!isRegular(inode)) this.#target.makeNode(to, inode.mode, inode.rdev)
    else return this.#writeRegular(to, from, inode)
    return to
  }

  async #writeRegular(to: string, from: string, inode: Inode): Promise<string | undefined> {
    const file = this.#target.makeFile(to)
    const losses: string[] = []
    const bytesBefore = this.#figures.bytes
    try {
      if (inode.fileClass === 'blob') await this.#writeBody(file, inode, losses)
      else await this.#writeContainer(file, inode, losses)
    } finally {
      file.close(inode.size)
    }
    if (losses.length === 0) return to
    for (const why of losses) this.#say(from, why)
    return this.#setAside(to, this.#figures.bytes > bytesBefore)
  }

  /** What is not whole must not have the name of what is. */
  #setAside(path: string, hasBytes: boolean): string | undefined {
    const aside = `${path}${DAMAGED_SUFFIX}`
    try {
      if (hasBytes) this.#target.makeLink(path, aside)
    } finally {
      this.#target.remove(path)
    }
    return hasBytes ? aside : undefined
  }

  async #writeBody(file: PlainFile, { ino }: Inode, losses: string[]): Promise<void> {
    const end = keys.extentsKey((ino + 1) as Ino, 0)
    for (let next = keys.extentsKey(ino, 0); ;) {
      const part = await this.#view.range(next, end, WINDOWS_CHUNK)
      for (const [key, value] of part) {
        next = `${key}\0`
        const extents = decodedOr(() => records.decodeExtents(value))
        if (extents === undefined) losses.push('the store does not say what is in it')
        else await this.#writeExtents(file, extents, losses)
      }
      if (part.length < WINDOWS_CHUNK) return
    }
  }

  async #writeExtents(
    file: PlainFile,
    extents: readonly Extent[],
    losses: string[]
  ): Promise<void> {
    for (const { offset, length, blob, blobOffset } of extents) {
      const bytes = await this.#blob(blob)
      if (typeof bytes === 'string' || bytes.length < blobOffset + length) {
        const why = typeof bytes === 'string' ? bytes : `blob ${blob} is short`
        losses.push(`${length} bytes at ${offset} are lost: ${why}`)
        continue
      }
      file.write(bytes.subarray(blobOffset, blobOffset + length), offset)
      this.#figures.bytes += length
    }
  }

  /** @returns the bytes, or why there are none */
  async #blob(blob: BlobId): Promise<Buffer | string> {
    // A body of many small parts often takes them from the same blob.
    if (this.#lastBlob?.blob === blob) return this.#lastBlob.bytes
    const { again } = this.#options
    let found: Buffer | undefined
    for (let left = again === undefined ? 1 : TRIES; left > 0; left--) {
      try {
        found = await readBlobOf(this.#view, blob)
      } catch (error) {
        return `blob ${blob} cannot be read: ${String(error)}`
      }
      if (found !== undefined && sha256Hex(found) === blob) {
        this.#lastBlob = { blob, bytes: found }
        return found
      }
      await again?.()
    }
    await this.#view.confirm()
    return `blob ${blob} ${found === undefined ? 'is missing' : 'has another hash'}`
  }

  async #writeContainer(file: PlainFile, { ino, size }: Inode, losses: string[]): Promise<void> {
    const [found = 0] = await this.#view.containerSizes([ino])
    if (found < size) losses.push(`of ${size} bytes ${size - found} are lost with its container`)
    for (let at = 0; at < Math.min(found, size); at += CONTENT_BYTES) {
      const bytes = await this.#view.readContainer(ino, at, Math.min(CONTENT_BYTES, size - at))
      for (let from = 0; from < bytes.length; from += BLOCK) {
        const block = bytes.subarray(from, from + BLOCK)
        if (ZEROS.subarray(0, block.length).equals(block)) continue
        file.write(block, at + from)
        this.#figures.bytes += block.length
      }
    }
  }

  #say(path: string, why: string): void {
    this.#figures.failures++
    this.#options.onFailure(Buffer.from(path, 'latin1').toString('utf8'), why)
  }
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}

/** @returns undefined where the store's bytes make no sense */
function decodedOr<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof RoostError || error instanceof InvariantError) return undefined
    throw error
  }
}
