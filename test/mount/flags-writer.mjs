/**
 * Changes flags for ever, as Dovecot does in all its formats: renames messages, and appends to an
 * index log that it rotates when it is long.
 *
 * argv: a directory to be made, how many messages, how many rounds. In each round every message
 * gets a flag and loses it, and the index log is rotated 128 times.
 */

import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const RECORD = Buffer.alloc(32 * 1024, 'r')
const ROTATIONS = 128

const [directory = '', ...numbers] = process.argv.slice(2)
const [messages = 0, rounds = 0] = numbers.map(Number)
const folder = join(directory, 'cur')
const log = join(directory, 'dovecot.index.log')
const pathOf = (n, flags) => join(folder, `${1_700_000_000 + n}.M1P1.mail:2,${flags}`)

mkdirSync(directory)
mkdirSync(folder)
for (let n = 0; n < messages; n++) writeFileSync(pathOf(n, ''), `message ${n}\n`)
for (let round = 0; round < rounds; round++) {
  for (let n = 0; n < messages; n++) {
    renameSync(pathOf(n, ''), pathOf(n, 'S'))
    renameSync(pathOf(n, 'S'), pathOf(n, ''))
  }
  for (let n = 0; n < ROTATIONS; n++) rotate()
}

function rotate() {
  const fd = openSync(`${log}.newlock`, 'wx')
  writeSync(fd, RECORD)
  closeSync(fd)
  renameSync(`${log}.newlock`, log)
}
