/**
 * The data directory as a whole: what makes it one, who has it open, and in which format it is.
 *
 *     roost.json   format and identity      lock     held by the daemon that has it open
 *     store/       names and attributes     feeds/   the log
 *     containers/  files kept in history    blobs/, staged/   bodies
 *     checkpoints/ what volumes came to elsewhere, for as long as it is to be installed here
 *     control.sock where the daemon answers      roost.log  what it says in the background
 *     cluster.json keys and number of a member   boot     how many runs there were
 *     peers.json   what is known of the others   invites.json  given out and not used
 *     unsealed    what the next daemon of the same mount has to write again
 */

import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { RoostError } from '../errors.ts'
import * as libc from './libc.ts'

/**
 * Grows when an older Roost could not read the directory any more.
 *
 * 1: the first. 2: the log has kinds of entries that 1 does not know; an older Roost would take
 * them for the torn end of a log.
 */
export const DATA_FORMAT = 2

export const IDENTITY_FILE = 'roost.json'
const LOCK_FILE = 'lock'
const LOG_FILE = 'roost.log'

export interface Identity {
  readonly format: number
  /** Drawn when the directory is made, never copied. */
  readonly storeId: string
  /** Directories this deep are roots of volumes. */
  readonly volumeDepth: number
}

/** Makes an empty data directory. @throws RoostError DATA_UNUSABLE */
export function initDataDirectory(directory: string, volumeDepth: number): Identity {
  checkUsable(directory, () => {
    const isThere = fs.existsSync(directory)
    if (!isThere) fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (!fs.statSync(directory).isDirectory()) throw new Error(NO_DIRECTORY)
  })
  if (fs.existsSync(path.join(directory, IDENTITY_FILE))) {
    throw new RoostError('DATA_UNUSABLE', `${directory} is a data directory already`)
  }
  const present = checkUsable(directory, () => fs.readdirSync(directory))
  if (present.some(name => name !== 'lost+found')) {
    throw new RoostError('DATA_UNUSABLE', `${directory} is not empty and no data directory`)
  }
  const identity: Identity = { format: DATA_FORMAT, storeId: randomUUID(), volumeDepth }
  writeIdentity(directory, identity)
  return identity
}

/** Replaces what the directory says of itself; durable when this returns. @throws DATA_UNUSABLE */
export function writeIdentity(directory: string, identity: Identity): void {
  checkUsable(directory, () => {
    writeDurably(directory, IDENTITY_FILE, `${JSON.stringify(identity, undefined, 2)}\n`)
  })
}

/** @throws RoostError DATA_UNUSABLE, DATA_FORMAT */
export function readIdentity(directory: string): Identity {
  const text = checkUsable(directory, () => readIdentityFile(directory))
  const stored = checkUsable(directory, () => JSON.parse(text) as Partial<Identity> | null)
  const { format, storeId, volumeDepth = 1 } = stored ?? {}
  if (typeof format !== 'number' || typeof storeId !== 'string') {
    const file = path.join(directory, IDENTITY_FILE)
    throw new RoostError('DATA_UNUSABLE', `${file} is not the identity of a store`)
  }
  if (format > DATA_FORMAT) {
    const known = `this Roost knows formats up to ${DATA_FORMAT}`
    throw new RoostError('DATA_FORMAT', `${directory} has format ${format}; ${known}`)
  }
  return { format, storeId, volumeDepth }
}

const NO_DIRECTORY = 'it is not a directory'

function readIdentityFile(directory: string): string {
  const stat = fs.statSync(directory, { throwIfNoEntry: false })
  if (stat === undefined) throw new Error('it is not there; "roost init" makes one')
  if (!stat.isDirectory()) throw new Error(NO_DIRECTORY)
  const file = path.join(directory, IDENTITY_FILE)
  const isStore = fs.statSync(file, { throwIfNoEntry: false }) !== undefined
  if (!isStore) throw new Error('it holds no store; "roost init" makes one')
  return fs.readFileSync(file, 'utf8')
}

/**
 * Opens the file that a daemon in the background writes to, at its end.
 *
 * @returns its descriptor, which the caller closes, and a reader of what was written since
 * @throws RoostError DATA_UNUSABLE
 */
export function openDaemonLog(directory: string): { fd: number; readNew: () => Buffer } {
  return checkUsable(directory, () => {
    const file = path.join(directory, LOG_FILE)
    const fd = fs.openSync(file, 'a', 0o600)
    const { size } = fs.fstatSync(fd)
    return { fd, readNew: () => fs.readFileSync(file).subarray(size) }
  })
}

/**
 * Takes the directory for this process, until `release` or the process's end.
 *
 * @throws RoostError DATA_IN_USE, naming the process that has it; DATA_UNUSABLE
 */
export function lockDataDirectory(directory: string): { release: () => void } {
  const file = path.join(directory, LOCK_FILE)
  const fd = checkUsable(directory, () =>
    fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  )
  if (!libc.flock(fd)) {
    const pid = fs.readFileSync(file, 'utf8').trim()
    fs.closeSync(fd)
    const who = pid === '' ? 'another process' : `process ${pid}`
    throw new RoostError('DATA_IN_USE', `${directory} is served by ${who} already`)
  }
  checkUsable(directory, () => {
    fs.ftruncateSync(fd)
    fs.writeSync(fd, `${process.pid}\n`, 0)
  })
  return {
    release: () => {
      fs.ftruncateSync(fd)
      fs.closeSync(fd)
    }
  }
}

/** Process that has the directory open; 0 where it has not written its number yet. */
export function lockHolderOf(directory: string): number | undefined {
  const file = path.join(directory, LOCK_FILE)
  if (!fs.existsSync(file)) return undefined
  const fd = fs.openSync(file, 'r')
  try {
    if (libc.flock(fd)) return undefined
    return Number(fs.readFileSync(file, 'utf8'))
  } finally {
    fs.closeSync(fd)
  }
}

function checkUsable<T>(directory: string, task: () => T): T {
  try {
    return task()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new RoostError('DATA_UNUSABLE', `${directory} cannot be used: ${why}`, { cause: error })
  }
}

function writeDurably(directory: string, name: string, text: string): void {
  const temporary = path.join(directory, `${name}.new`)
  const fd = fs.openSync(temporary, 'w', 0o600)
  fs.writeSync(fd, text)
  fs.fsyncSync(fd)
  fs.closeSync(fd)
  fs.renameSync(temporary, path.join(directory, name))
  const directoryFd = fs.openSync(directory, 'r')
  fs.fsyncSync(directoryFd)
  fs.closeSync(directoryFd)
}
