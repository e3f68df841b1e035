/**
 * The single operations that are measured, each on a directory of its own below `directory`.
 *
 * All calls are synchronous: what is measured is the time of the system calls, one after the
 * other, as a mail server's process makes them.
 */

import { execFileSync } from 'node:child_process'
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'

export interface MicroSizes {
  readonly maildirFiles: number
  readonly syncedAppends: number
  readonly appends: number
  /** Files that are stat-ed and read. */
  readonly files: number
  /** Names in the directory that is listed and emptied. */
  readonly names: number
}

/** A prepared operation: `run` does it `count` times, and only `run` is measured. */
export interface MicroWork {
  readonly count: number
  run(): void
}

export interface MicroOperation {
  readonly name: string
  prepare(directory: string, sizes: MicroSizes): MicroWork
}

const MESSAGE = Buffer.alloc(8192, 'All work and no play makes a mail store a dull place.\r\n')
const RECORD = Buffer.alloc(200, 'r')
/** A directory is listed so often: once is too short to be measured. */
const LISTINGS = 5

export const microOperations: readonly MicroOperation[] = [
  { name: 'maildir file: create, write 8 KB, fsync, rename, close', prepare: maildirFiles },
  { name: 'append 200 bytes, fdatasync', prepare: (...at) => appends(...at, 'synced') },
  { name: 'append 200 bytes', prepare: (...at) => appends(...at, 'unsynced') },
  { name: 'stat, cold', prepare: coldStats },
  { name: 'stat, warm', prepare: warmStats },
  { name: 'open, read 8 KB, close', prepare: reads },
  { name: 'readdir, names', prepare: listings },
  { name: 'unlink', prepare: unlinks }
]

function maildirFiles(directory: string, { maildirFiles: count }: MicroSizes): MicroWork {
  for (const name of ['maildir', 'maildir/tmp', 'maildir/new']) mkdirSync(join(directory, name))
  const run = (): void => {
    for (let n = 0; n < count; n++) {
      const path = join(directory, 'maildir/tmp', messageName(n))
      const fd = openSync(path, 'wx', 0o600)
      writeSync(fd, MESSAGE)
      fsyncSync(fd)
      renameSync(path, join(directory, 'maildir/new', messageName(n)))
      closeSync(fd)
    }
  }
  return { count, run }
}

function appends(directory: string, sizes: MicroSizes, mode: 'synced' | 'unsynced'): MicroWork {
  const isSynced = mode === 'synced'
  const count = isSynced ? sizes.syncedAppends : sizes.appends
  const fd = openSync(join(directory, mode), 'a')
  const run = (): void => {
    for (let n = 0; n < count; n++) {
      writeSync(fd, RECORD)
      if (isSynced) fdatasyncSync(fd)
    }
    closeSync(fd)
  }
  return { count, run }
}

/** The kernel has the names and inodes from their making, and is made to drop them. */
function coldStats(directory: string, { files }: MicroSizes): MicroWork {
  const path = join(directory, 'files')
  mkdirSync(path)
  for (let n = 0; n < files; n++) writeFileSync(join(path, messageName(n)), MESSAGE)
  execFileSync('sync', ['-f', path])
  writeFileSync('/proc/sys/vm/drop_caches', '2')
  statSync(path)
  return warmStats(directory, { files })
}

function warmStats(directory: string, { files }: Pick<MicroSizes, 'files'>): MicroWork {
  const paths = Array.from({ length: files }, (_, n) => join(directory, 'files', messageName(n)))
  const run = (): void => {
    for (const path of paths) statSync(path)
  }
  return { count: files, run }
}

function reads(directory: string, { files }: MicroSizes): MicroWork {
  const paths = Array.from({ length: files }, (_, n) => join(directory, 'files', messageName(n)))
  const buffer = Buffer.alloc(2 * MESSAGE.length)
  const run = (): void => {
    for (const path of paths) {
      const fd = openSync(path, 'r')
      const length = readSync(fd, buffer)
      closeSync(fd)
      if (length !== MESSAGE.length) throw new Error(`${path} has ${String(length)} bytes`)
    }
  }
  return { count: files, run }
}

function listings(directory: string, { names }: MicroSizes): MicroWork {
  const path = join(directory, 'names')
  mkdirSync(path)
  for (let n = 0; n < names; n++) closeSync(openSync(join(path, messageName(n)), 'wx'))
  const run = (): void => {
    for (let n = 0; n < LISTINGS; n++) {
      const found = readdirSync(path).length
      if (found !== names) throw new Error(`${String(found)} of ${String(names)} names`)
    }
  }
  return { count: LISTINGS * names, run }
}

function unlinks(directory: string, { names }: MicroSizes): MicroWork {
  const run = (): void => {
    for (let n = 0; n < names; n++) unlinkSync(join(directory, 'names', messageName(n)))
  }
  return { count: names, run }
}

/** As long as a maildir's names are. */
function messageName(n: number): string {
  return `${String(1_700_000_000 + n)}.M${String(n).padStart(6, '0')}P4711.mail.example.org,S=8192`
}
