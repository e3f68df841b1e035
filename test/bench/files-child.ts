/**
 * One task of the files part, in a process of its own.
 *
 * argv: the task, the directory, the sizes as JSON. Prints {count, seconds}: what was done, in
 * files or in bytes, and how long that took.
 */

import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { FilesSizes } from './files.ts'

const MESSAGE_BYTES = 8192
const MIB = 1024 * 1024
/** As much as `cp` reads at once. */
const READ_BYTES = 128 * 1024
const PASSES = 8
const OUTPUT_BYTES_MAX = 1 << 26

const [task = '', directory = '', sizesJson = '{}'] = process.argv.slice(2)
const sizes = JSON.parse(sizesJson) as FilesSizes
/** A message folder, so that the files are what a mail store takes for messages. */
const messages = join(directory, 'cur')
const large = join(directory, 'large')

const TASKS: Record<string, () => number> = {
  make() {
    mkdirSync(messages)
    for (let n = 0; n < sizes.files; n++)
      writeFileSync(pathOf(n), Buffer.alloc(MESSAGE_BYTES, `${String(n)} `))
    const fd = openSync(large, 'wx')
    for (let n = 0; n < sizes.largeMib; n++) writeSync(fd, Buffer.alloc(MIB, `${String(n)} `))
    closeSync(fd)
    return sizes.files
  },

  list() {
    const lines = longListing(messages)
    // The first one says how many blocks they take.
    if (lines !== sizes.files + 1) throw new Error(`ls printed ${String(lines)} lines`)
    return sizes.files
  },

  read() {
    const buffer = Buffer.alloc(2 * MESSAGE_BYTES)
    for (let n = 0; n < sizes.files; n++) {
      const fd = openSync(pathOf(n), 'r')
      const length = readSync(fd, buffer)
      closeSync(fd)
      if (length !== MESSAGE_BYTES) throw new Error(`${pathOf(n)} has ${String(length)} bytes`)
    }
    return sizes.files
  },

  /** Several times: once is over too soon. */
  stream() {
    let bytes = 0
    for (let pass = 0; pass < PASSES; pass++) bytes += readThrough(large)
    if (bytes !== PASSES * sizes.largeMib * MIB) throw new Error(`${large} is not whole`)
    return bytes
  }
}

function readThrough(path: string): number {
  const buffer = Buffer.alloc(READ_BYTES)
  const fd = openSync(path, 'r')
  let bytes = 0
  for (let length = -1; length !== 0; bytes += Math.max(length, 0)) length = readSync(fd, buffer)
  closeSync(fd)
  return bytes
}

function longListing(path: string): number {
  const output = execFileSync('ls', ['-l', path], { maxBuffer: OUTPUT_BYTES_MAX })
  return output.toString('latin1').split('\n').length - 1
}

/** As long as a maildir's names are. */
function pathOf(n: number): string {
  const unique = `${String(1_700_000_000 + n)}.M${String(n).padStart(6, '0')}P4711`
  return join(messages, `${unique}.mail.example.org,S=${String(MESSAGE_BYTES)}`)
}

// The program itself is read from the disk here, and not while the time is taken.
longListing('/')
const start = performance.now()
const count = TASKS[task]?.()
const seconds = (performance.now() - start) / 1000
writeSync(1, JSON.stringify({ count, seconds }))
