/**
 * The spare's side: a process that has loaded the program and waits until the daemon has died.
 *
 * Loading takes longer than all else that a restart does, and longest on a busy machine.
 */

import { readSync } from 'node:fs'
import { HANDED_FD, SUPERVISED, type SpareMark } from './handed-down.ts'

const LINE_BYTES_MAX = 65_536
const NEWLINE = 10
const SPARE: SpareMark = 'spare'

/** Whether this process is to wait. */
export function isSpare(): boolean {
  return process.env[SUPERVISED] === SPARE
}

/**
 * Blocks until the parent needs this process, which then is as if it had been started with what is
 * handed down.
 *
 * @returns false when the parent is gone: there is nothing to do
 */
export function awaitTurn(): boolean {
  const { title } = process
  process.title = 'roost (spare)'
  const line = Buffer.allocUnsafe(LINE_BYTES_MAX)
  let length = 0
  while (length === 0 || line[length - 1] !== NEWLINE) {
    const count = readSync(HANDED_FD.CHANNEL, line, length, LINE_BYTES_MAX - length, null)
    if (count === 0) return false
    length += count
  }
  process.title = title
  process.env[SUPERVISED] = line.toString('utf8', 0, length - 1)
  return true
}
