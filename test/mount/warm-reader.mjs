/**
 * Uses files again and again as an IMAP process does whose mailbox is open: asks for their
 * attributes, reads them and maps them.
 *
 * argv: 'once' or 'each', whether the files are opened for all rounds or for each; then their
 * paths. After each line on stdin it does as many rounds as that says, and prints how many bytes
 * it read.
 */

import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { mapShared, readMapping, unmap } from '../support/posix-syscalls.mjs'

const [opened, ...paths] = process.argv.slice(2)
const buffer = Buffer.alloc(1024 * 1024)
const kept = paths.map(path => (opened === 'once' ? openSync(path, 'r') : undefined))

for await (const line of createInterface({ input: process.stdin })) {
  let bytes = 0
  for (let round = 0; round < Number(line); round++) {
    paths.forEach((path, n) => (bytes += use(path, kept[n])))
  }
  writeSync(1, `${bytes}\n`)
}

function use(path, open) {
  const { size } = statSync(path)
  const fd = open ?? openSync(path, 'r')
  const length = readSync(fd, buffer, 0, size, 0)
  const mapping = mapShared(fd, size)
  const mapped = readMapping(mapping, 0, size)
  unmap(mapping)
  if (open === undefined) closeSync(fd)
  if (mapped !== buffer.toString('latin1', 0, length))
    throw new Error(`${path} is mapped otherwise`)
  return length
}
