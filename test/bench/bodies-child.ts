/**
 * Makes or reads many message files, in a process of its own.
 *
 * argv: 'make' or 'read', the directory, how many, and the bytes of each. Prints {bytes, seconds}.
 */

import { closeSync, fsyncSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const [task, directory = '', ...numbers] = process.argv.slice(2)
const [count = 0, size = 0] = numbers.map(Number)
const messages = join(directory, 'cur')
const buffer = Buffer.alloc(size + 1)

function make(): void {
  mkdirSync(messages)
  for (let n = 0; n < count; n++) {
    // No two are alike: equal bodies are stored once.
    buffer.fill(`message ${String(n)} `)
    const fd = openSync(join(messages, String(n)), 'wx')
    writeSync(fd, buffer, 0, size)
    // Else all of them would gather in memory.
    if (n % 100 === 0) fsyncSync(fd)
    closeSync(fd)
  }
}

function read(): void {
  for (let n = 0; n < count; n++) {
    const fd = openSync(join(messages, String(n)), 'r')
    const length = readSync(fd, buffer)
    closeSync(fd)
    if (length !== size) throw new Error(`message ${String(n)} has ${String(length)} bytes`)
  }
}

const start = performance.now()
if (task === 'make') make()
else read()
const seconds = (performance.now() - start) / 1000
writeSync(1, JSON.stringify({ bytes: count * size, seconds }))
