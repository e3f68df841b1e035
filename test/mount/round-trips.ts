/** What is cached costs nothing: the kernel answers it without a request, as the daemon counts. */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { mountRoost, PLAINLY, type RoostMount } from '../support/roost-mount.ts'
import { shellOk } from './place.ts'

const READER = fileURLToPath(new URL('warm-reader.mjs', import.meta.url))
const ROUNDS = 1000
/** Other tests make the kernel drop what it has cached, of this mount as well. */
const TRIES = 5
const PATIENCE_MS = 60_000
const FILES = { 'dovecot.index.log': 20_000, 'cur/small': 8192, 'cur/large': 200_000 }
const BYTES = Object.values(FILES).reduce((sum, size) => sum + size, 0)

const SERVED = [
  { mode: 'single', opened: 'each' },
  // Here the kernel tells of every open and close.
  { mode: 'shared', opened: 'once' }
] as const

for (const { mode, opened } of SERVED) {
  t.test(`mode ${mode}: 1000 rounds of stat, read and mmap cost no round trip`, async t => {
    const mount = await mountRoost(t, { mountArgs: ['--mode', mode] })
    await shellOk('mkdir -p "$1/user/cur"', mount.mountpoint)
    const paths = Object.keys(FILES).map(name => `${mount.mountpoint}/user/${name}`)
    for (const [n, size] of Object.values(FILES).entries()) {
      await shellOk(`head -c ${String(size)} /dev/urandom >"$1" && sync "$1"`, paths[n] ?? '')
    }
    const use = startReader(t, [opened, ...paths])
    // After a read that it had to ask for, the kernel asks for the attributes once: it takes the
    // time of access for changed.
    t.equal(await use(2), 2 * BYTES, 'two rounds warm')
    let [before, after] = [await requestsOf(mount), {}]
    for (let tries = 0; tries < TRIES && !isDeepStrictEqual(before, after); tries++) {
      before = await requestsOf(mount)
      t.equal(await use(ROUNDS), ROUNDS * BYTES)
      after = (await requestsOf(mount)) ?? {}
    }
    t.strictSame(after, before)
  })
}

/** @returns what does that many rounds, and says how many bytes were read */
function startReader(t: Test, args: readonly string[]): (rounds: number) => Promise<number> {
  const [program, ...words] = [...PLAINLY, process.execPath, READER, ...args]
  const reader = spawn(program, words, {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: PATIENCE_MS
  })
  t.teardown(() => reader.kill('SIGKILL'))
  const lines = createInterface({ input: reader.stdout })[Symbol.asyncIterator]()
  return async rounds => {
    reader.stdin.write(`${String(rounds)}\n`)
    return Number((await lines.next()).value)
  }
}

async function requestsOf(mount: RoostMount): Promise<Record<string, number> | undefined> {
  return (await mount.status()).fuse?.requests
}
