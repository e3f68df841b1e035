/**
 * Process: wakes whoever watches an inode of a mount that another replica has changed.
 *
 *   waker-process MOUNTPOINT DEVICE     lines on stdin, each a JSON array of inode numbers
 *
 * It is a process of its own because it uses the mount, which the one that serves it must not do;
 * it ends with its stdin. Who watches is read from /proc, which takes long where many processes
 * are. So it is read only when something changed that is not known to be watched, and only for a
 * small part of the time; what has changed meanwhile waits for the next reading.
 */

import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { readInotifyWatches, type FileHandle } from './inotify-watches.ts'
import * as libc from './libc.ts'
import { WAKE_MTIME, WAKE_RANGE } from './wake-word.ts'

/** Reading may take one part in so many of the time. */
const READING_SHARE = 20
const PAUSE_MS_MIN = 20
/** Linux: where an open file is named, and neither read nor written. */
const O_PATH = 0o10000000
const O_CLOEXEC = 0o2000000

const [, , mountpoint = '', deviceText = ''] = process.argv
const device = Number(deviceText)
/** As they were read last. */
let watched = new Map<number, FileHandle>()
const unknown = new Set<number>()
let nextReadingMs = 0
let timer: NodeJS.Timeout | undefined

createInterface({ input: process.stdin })
  .on('line', line => {
    const changed = JSON.parse(line) as number[]
    wake(changed.filter(ino => watched.has(ino)))
    for (const ino of changed) if (!watched.has(ino)) unknown.add(ino)
    if (unknown.size > 0) timer ??= setTimeout(look, nextReadingMs - performance.now())
  })
  .on('close', () => process.exit())

function look(): void {
  timer = undefined
  const startedMs = performance.now()
  watched = readInotifyWatches(device)
  const now = performance.now()
  nextReadingMs = now + Math.max(PAUSE_MS_MIN, (now - startedMs) * READING_SHARE)
  const found = [...unknown].filter(ino => watched.has(ino))
  unknown.clear()
  wake(found)
}

function wake(inos: readonly number[]): void {
  if (inos.length === 0) return
  // Open only for now: a mount that is in use cannot be taken away.
  const root = openSync(mountpoint, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    if (fstatSync(root).dev !== device) return
    for (const ino of inos) {
      const handle = watched.get(ino)
      // Nobody watches it any more.
      if (handle !== undefined && !touch(root, handle)) watched.delete(ino)
    }
  } finally {
    closeSync(root)
  }
}

/** @returns false if the kernel does not have the inode, or the serving side knows no such */
function touch(root: number, handle: FileHandle): boolean {
  try {
    const flags = O_PATH | O_CLOEXEC | constants.O_DIRECTORY
    withOpen(libc.openByHandle(root, handle, flags), fd => {
      libc.setMtime(fd, WAKE_MTIME)
    })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') return false
  }
  try {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | O_CLOEXEC
    withOpen(libc.openByHandle(root, handle, flags), fd => {
      libc.fallocate(fd, WAKE_RANGE.mode, WAKE_RANGE.offset, WAKE_RANGE.length)
    })
    return true
  } catch {
    return false
  }
}

function withOpen(fd: number, task: (fd: number) => void): void {
  try {
    task(fd)
  } finally {
    closeSync(fd)
  }
}
