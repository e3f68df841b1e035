/**
 * A tree of ordinary files that somebody else is to have: written once, from nothing.
 *
 * Paths are 'latin1' strings, one character a byte, relative to the tree's root, which is ''.
 * Every method throws the Error of node:fs, whose `code` is the name of the errno.
 */

import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { RoostError } from '../errors.ts'
import * as libc from './libc.ts'

/** Attributes that a file keeps. Times in ns since 1970. */
export interface PlainAttributes {
  /** With the type bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly atime: bigint
  readonly mtime: bigint
}

export interface PlainFile {
  write(bytes: Uint8Array, position: number): void
  /** Ends the file there; what was not written is a hole. */
  close(size: number): void
}

const S_IFMT = 0o170000
const S_IFLNK = 0o120000
const PERMISSIONS = 0o7777

/** In a tree as long as it is not whole. */
const MARK = '.roost-export-is-not-complete'

export class PlainTree {
  readonly #root: Buffer
  readonly #keepsOwners = process.getuid?.() === 0

  private constructor(root: string) {
    this.#root = Buffer.from(root)
  }

  /** @throws RoostError TARGET_UNUSABLE unless `directory` is empty, or is not there */
  static begin(directory: string): PlainTree {
    try {
      fs.mkdirSync(dirname(directory), { recursive: true })
      if (!fs.existsSync(directory)) fs.mkdirSync(directory, 0o700)
      const names = fs.readdirSync(directory)
      if (names.includes(MARK)) throw new Error('it has an export that was interrupted')
      if (names.length > 0) throw new Error('it is not empty')
      fs.writeFileSync(`${directory}/${MARK}`, '')
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new RoostError('TARGET_UNUSABLE', `${directory} cannot be used: ${why}`, {
        cause: error
      })
    }
    return new PlainTree(directory)
  }

  /** Whether uids and gids are kept: only root can do that. */
  get keepsOwners(): boolean {
    return this.#keepsOwners
  }

  /** Syncs everything, and then says that it is whole. */
  async finish(root: PlainAttributes | undefined): Promise<void> {
    fs.unlinkSync(this.#at(MARK))
    if (root !== undefined) this.setAttributes('', root)
    const fd = fs.openSync(this.#root, fs.constants.O_RDONLY)
    try {
      await libc.syncfs(fd)
    } finally {
      fs.closeSync(fd)
    }
  }

  /** For its owner alone, until it gets its attributes. */
  makeDirectory(path: string): void {
    fs.mkdirSync(this.#at(path), 0o700)
  }

  makeFile(path: string): PlainFile {
    const fd = fs.openSync(this.#at(path), 'wx', 0o600)
    return {
      write: (bytes, position) => {
        for (let done = 0; done < bytes.length;) {
          done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done)
        }
      },
      close: size => {
        try {
          fs.ftruncateSync(fd, size)
        } finally {
          fs.closeSync(fd)
        }
      }
    }
  }

  makeSymlink(path: string, target: string): void {
    fs.symlinkSync(Buffer.from(target, 'latin1'), this.#at(path))
  }

  makeLink(existing: string, path: string): void {
    fs.linkSync(this.#at(existing), this.#at(path))
  }

  makeNode(path: string, mode: number, rdev: number): void {
    libc.makeNode(this.#at(path), mode, rdev)
  }

  remove(path: string): void {
    fs.unlinkSync(this.#at(path))
  }

  setAttributes(path: string, { mode, uid, gid, atime, mtime }: PlainAttributes): void {
    const at = this.#at(path)
    // In this order: a change of owner takes set-uid away, and any change sets a time.
    if (this.#keepsOwners) fs.lchownSync(at, uid, gid)
    if ((mode & S_IFMT) !== S_IFLNK) fs.chmodSync(at, mode & PERMISSIONS)
    libc.setTimes(at, atime, mtime)
  }

  #at(path: string): Buffer {
    if (path === '') return this.#root
    return Buffer.concat([this.#root, Buffer.from(`/${path}`, 'latin1')])
  }
}
