/**
 * A second process for the POSIX suite: it does what it is told, one call at a time.
 *
 * Each line on stdin is {module, name, args}; each is answered by one line, {value} or {code,
 * message}. It blocks in its main thread, where a signal reaches it, and ends with its stdin.
 */

import fs from 'node:fs'
import { createInterface } from 'node:readline'
import * as syscalls from './posix-syscalls.mjs'

/** Gives up root for good; the working directory stays, whoever may enter its parents. */
function become(uid) {
  process.setgroups([])
  process.setgid(uid)
  process.setuid(uid)
}

const modules = { fs, syscalls, process, self: { become } }

function answer({ module, name, args }) {
  try {
    const value = modules[module][name](...args)
    return { value: Buffer.isBuffer(value) ? value.toString('latin1') : value }
  } catch (error) {
    return { code: error.code ?? 'none', message: error.message }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const text = JSON.stringify(answer(JSON.parse(line)), (_, value) =>
    typeof value === 'bigint' ? Number(value) : value
  )
  fs.writeSync(1, text + '\n')
}
