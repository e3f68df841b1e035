/**
 * Writes files and makes them durable, and reads them again; a process of its own, since it uses
 * a mount.
 *
 *     write DIRECTORY FIRST   files numbered from FIRST on, until the disk is full
 *     go-on DIRECTORY FIRST   the same until stdin ends, trying again while the disk is full; with
 *                             a number of ms at the end, so long after each file
 *     check DIRECTORY         the files whose numbers come on stdin; prints what is wrong
 *
 * Each file that is durable is told of as `ok NUMBER`, each failure as `CODE SYSCALL`.
 */

import * as fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const [, , verb, directory, first, paceMs = '0'] = process.argv

/** Bodies that ride in the log, and larger ones that are staged. */
const SIZES = [900, 8192, 60_000, 300_000, 2_000_000]
const RETRY_MS = 50

function bytesOf(number) {
  return Buffer.alloc(SIZES[number % SIZES.length], `file ${number} has this text. `)
}

/** As a delivery does it: written under another name, synced, renamed, the directory synced. */
function write(number) {
  const temporary = join(directory, `tmp.${number}`)
  const fd = fs.openSync(temporary, 'w')
  try {
    const bytes = bytesOf(number)
    for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(temporary, join(directory, `f.${number}`))
  const directoryFd = fs.openSync(directory, 'r')
  fs.fsyncSync(directoryFd)
  fs.closeSync(directoryFd)
}

function tryToWrite(number) {
  try {
    write(number)
    console.log(`ok ${number}`)
    return true
  } catch (error) {
    console.log(`${error.code} ${error.syscall}`)
    fs.rmSync(join(directory, `tmp.${number}`), { force: true })
    return false
  }
}

function fill() {
  let number = Number(first)
  while (tryToWrite(number)) number++
}

async function goOn() {
  let isEnding = false
  process.stdin.on('end', () => (isEnding = true)).resume()
  for (let number = Number(first); !isEnding; number++) {
    if (tryToWrite(number)) await pause(Number(paceMs))
    else await pause(RETRY_MS)
  }
}

function check() {
  const numbers = fs.readFileSync(0, 'utf8').split(' ').filter(Boolean).map(Number)
  for (const number of numbers) {
    try {
      const bytes = fs.readFileSync(join(directory, `f.${number}`))
      if (!bytes.equals(bytesOf(number))) console.log(`${number} has other bytes`)
    } catch (error) {
      console.log(`${number} ${error.message}`)
    }
  }
}

if (verb === 'write') fill()
else if (verb === 'go-on') await goOn()
else check()
