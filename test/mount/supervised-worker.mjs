/**
 * What a mail server does all the time, with every answer checked: in rounds, until the file that
 * says stop is there. Prints a line for each round, and at the end what it has found.
 *
 * Arguments: the directory to work in, the file that says stop.
 */

import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'

const PIECE = 16_384
const [, , directory, stop] = process.argv
const at = (...names) => join(directory, ...names)
const hashOf = bytes => createHash('sha256').update(bytes).digest('hex')

fs.mkdirSync(at('tmp'), { recursive: true })
fs.mkdirSync(at('cur'))
const index = fs.openSync(at('dovecot.index.log'), 'ax+')
const unnamed = fs.openSync(at('unnamed'), 'wx+')
fs.writeSync(unnamed, 'without a name')
fs.unlinkSync(at('unnamed'))

let written = ''
let longestMs = 0
let rounds = 0
const messages = []
for (; !fs.existsSync(stop); rounds++) {
  const began = performance.now()
  append(`round ${rounds}\n`)
  deliver(bodyOf(rounds))
  fs.mkdirSync(at(`folder-${rounds}`))
  fs.rmdirSync(at(`folder-${rounds}`))
  fs.linkSync(messages.at(-1).path, at('link'))
  fs.unlinkSync(at('link'))
  if (rounds % 3 === 0) expunge()
  longestMs = Math.max(longestMs, performance.now() - began)
  console.log(`round ${rounds}`)
}

if (fs.readFileSync(at('dovecot.index.log'), 'latin1') !== written) throw new Error('another index')
const bytes = Buffer.alloc(100)
const length = fs.readSync(unnamed, bytes, 0, bytes.length, 0)
if (bytes.toString('latin1', 0, length) !== 'without a name') throw new Error('another file')
for (const message of messages) check(message)
const names = messages.map(({ name }) => name).sort()
if (fs.readdirSync(at('cur')).sort().join() !== names.join()) throw new Error('another listing')
console.log(JSON.stringify({ rounds, longestMs: Math.round(longestMs) }))

function append(text) {
  fs.writeSync(index, text)
  written += text
  if (fs.fstatSync(index).size !== written.length) throw new Error('another size')
}

function bodyOf(round) {
  return Buffer.alloc(1 + ((round * 7919) % 100_000), hashOf(String(round)))
}

/** Every other message is synced; what is written in pieces is written by the next daemon too. */
function deliver(body) {
  const name = `${rounds}:2,`
  const fd = fs.openSync(at('tmp', name), 'wx')
  for (let from = 0; from < body.length; from += PIECE) {
    fs.writeSync(fd, body.subarray(from, from + PIECE))
  }
  if (rounds % 2 === 0) fs.fsyncSync(fd)
  fs.closeSync(fd)
  fs.renameSync(at('tmp', name), at('cur', name))
  fs.renameSync(at('cur', name), at('cur', `${name}S`))
  messages.push({ name: `${name}S`, path: at('cur', `${name}S`), hash: hashOf(body) })
}

function expunge() {
  const message = messages.shift()
  check(message)
  fs.unlinkSync(message.path)
}

function check({ name, path, hash }) {
  if (hashOf(fs.readFileSync(path)) !== hash) throw new Error(`${name} has other bytes`)
}
