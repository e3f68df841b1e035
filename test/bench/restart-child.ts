/**
 * The work behind the figures of a restart: `outage DIR` appends to a file and syncs it again and
 * again until its input ends: it prints a line when that has begun to work, and at the end the
 * longest time between two successes, in ms.
 *
 * The file is opened anew each time: what was open before may be refused for good afterwards.
 */

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const RECORD = Buffer.alloc(200, 'x')
const PAUSE_MS = 2

async function outage(directory: string): Promise<number> {
  const input = { hasEnded: false }
  process.stdin.resume().once('end', () => (input.hasEnded = true))
  let longest = 0
  let last = 0
  while (!input.hasEnded) {
    if (isDone(join(directory, 'outage'))) {
      const now = performance.now()
      if (last === 0) process.stdout.write('writing\n')
      else longest = Math.max(longest, now - last)
      last = now
    }
    await pause(PAUSE_MS)
  }
  return longest
}

function isDone(path: string): boolean {
  try {
    const fd = openSync(path, 'a')
    try {
      writeSync(fd, RECORD)
      fdatasyncSync(fd)
    } finally {
      closeSync(fd)
    }
    return true
  } catch {
    return false
  }
}

process.stdout.write(`${String(await outage(process.argv[3] ?? ''))}\n`)
