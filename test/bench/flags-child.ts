/**
 * Makes a maildir folder, or changes flags in one as mail servers do, by renaming; in a process of
 * its own.
 *
 * argv: 'make' or 'change', the directory, how many messages it has, and how many changes are to
 * be made. Prints {count, seconds}.
 */

import { mkdirSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const MESSAGE_BYTES = 8192
/** Coprime to any likely number of messages, so that each of them has its turn. */
const STRIDE = 7919

const [task, directory = '', ...numbers] = process.argv.slice(2)
const [messages = 0, changes = 0] = numbers.map(Number)
const folder = join(directory, 'cur')

/** Whether each message is seen; all begin without a flag, and end so. */
const seen = new Uint8Array(messages)

function make(): number {
  mkdirSync(folder)
  for (let n = 0; n < messages; n++) {
    writeFileSync(pathOf(n, 0), Buffer.alloc(MESSAGE_BYTES, `message ${String(n)} `))
  }
  return messages
}

function change(): number {
  for (let n = 0; n < changes; n++) toggle((n * STRIDE) % messages)
  for (let n = 0; n < messages; n++) if (seen[n] === 1) toggle(n)
  return changes
}

function toggle(n: number): void {
  const before = seen[n] ?? 0
  seen[n] = 1 - before
  renameSync(pathOf(n, before), pathOf(n, 1 - before))
}

function pathOf(n: number, isSeen: number): string {
  const unique = `${String(1_700_000_000 + n)}.M${String(n).padStart(6, '0')}P4711`
  const flags = isSeen === 1 ? 'S' : ''
  return join(folder, `${unique}.mail.example.org,S=${String(MESSAGE_BYTES)}:2,${flags}`)
}

const start = performance.now()
const count = task === 'make' ? make() : change()
writeSync(1, JSON.stringify({ count, seconds: (performance.now() - start) / 1000 }))
