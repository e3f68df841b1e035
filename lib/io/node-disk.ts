/** The real disk: a data directory of the local file system. */

import fs from 'node:fs'
import { join } from 'node:path'
import { assert } from '../util/assert.ts'
import type { Disk, DiskFile } from './disk.ts'
import * as libc from './libc.ts'

/** A data directory, which must exist. Nobody but the daemon may read what is made in it. */
export class NodeDisk implements Disk {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  open(path: string, mode: 'existing' | 'create' | 'exclusive'): DiskFile {
    return new NodeFile(fs.openSync(this.#at(path), OPEN_FLAGS[mode], FILE_MODE))
  }

  openRead(path: string): DiskFile {
    return new NodeFile(fs.openSync(this.#at(path), fs.constants.O_RDONLY))
  }

  openCached(path: string): DiskFile | undefined {
    const fd = libc.openCached(this.#at(path))
    return fd < 0 ? undefined : new NodeFile(fd)
  }

  exists(path: string): boolean {
    return fs.existsSync(this.#at(path))
  }

  makeDirectory(path: string): void {
    fs.mkdirSync(this.#at(path), { recursive: true, mode: DIRECTORY_MODE })
  }

  list(path: string): string[] {
    return fs.readdirSync(this.#at(path))
  }

  rename(from: string, to: string): void {
    fs.renameSync(this.#at(from), this.#at(to))
  }

  remove(path: string): void {
    fs.unlinkSync(this.#at(path))
  }

  removeDirectory(path: string): void {
    fs.rmdirSync(this.#at(path))
  }

  async syncDirectory(path: string): Promise<void> {
    const directory = await fs.promises.open(this.#at(path), DIRECTORY_FLAGS)
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  async syncAll(): Promise<void> {
    const directory = await fs.promises.open(this.#root, DIRECTORY_FLAGS)
    try {
      await libc.syncfs(directory.fd)
    } finally {
      await directory.close()
    }
  }

  space(): { freeBytes: number; totalBytes: number } {
    const { bavail, blocks, bsize } = fs.statfsSync(this.#root)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  }

  #at(path: string): string {
    return join(this.#root, path)
  }
}

class NodeFile implements DiskFile {
  // CLOSED once closed: the kernel gives the number to the next file that is opened, and a
  // belated write would land there.
  #fd: number

  constructor(fd: number) {
    this.#fd = fd
  }

  read(target: Uint8Array, position: number): number {
    const fd = this.#opened()
    let done = 0
    while (done < target.byteLength) {
      const count = fs.readSync(fd, target, done, target.byteLength - done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  readCached(target: Uint8Array, position: number): number {
    return Math.max(libc.readCached(this.#opened(), target, position), 0)
  }

  async readAsync(target: Uint8Array, position: number): Promise<number> {
    let done = 0
    while (done < target.byteLength) {
      const count = await this.#readSome(target, done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  write(source: Uint8Array, position: number): void {
    const fd = this.#opened()
    let done = 0
    while (done < source.byteLength) {
      done += fs.writeSync(fd, source, done, source.byteLength - done, position + done)
    }
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.#opened(), size)
  }

  size(): number {
    return fs.fstatSync(this.#opened()).size
  }

  sync(): Promise<void> {
    const fd = this.#opened()
    return new Promise((resolve, reject) => {
      fs.fdatasync(fd, error => {
        if (error) reject(error)
        else resolve()
      })
    })
  }

  syncNow(): void {
    fs.fdatasyncSync(this.#opened())
  }

  close(): void {
    const fd = this.#opened()
    this.#fd = CLOSED
    fs.closeSync(fd)
  }

  #readSome(target: Uint8Array, offset: number, position: number): Promise<number> {
    const fd = this.#opened()
    return new Promise((resolve, reject) => {
      fs.read(fd, target, offset, target.byteLength - offset, position, (error, count) => {
        if (error) reject(error)
        else resolve(count)
      })
    })
  }

  #opened(): number {
    assert(this.#fd !== CLOSED, 'a closed file is used')
    return this.#fd
  }
}

const CLOSED = -1
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DIRECTORY } = fs.constants
const DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY
const OPEN_FLAGS = {
  existing: O_RDWR,
  create: O_RDWR | O_CREAT,
  exclusive: O_RDWR | O_CREAT | O_EXCL
}
