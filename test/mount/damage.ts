/**
 * What a bad disk does to a store that is at rest: damage is named and refused, or kept to the one
 * file that it hit, and never read as data. Only the end of the log, which nobody was promised,
 * may be missing; it is cut off then, and said so.
 */

import { createHash } from 'node:crypto'
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { mountRoost, runRoost, type RoostMount } from '../support/roost-mount.ts'
import { shell, shellOk } from './place.ts'

const EX_DATAERR = 65
const EX_IOERR = 74

/** A mount whose daemon is killed with the store in the state that a script leaves it in. */
async function killedAfter(t: Test, script: string): Promise<RoostMount> {
  const mount = await mountRoost(t)
  await shellOk(script, mount.mountpoint, String(mount.pid))
  await mount.kill()
  return mount
}

/** The file of the log that has a text, and where. */
async function findInLog(
  { dataDir }: RoostMount,
  text: string
): Promise<{ file: string; name: string; at: number }> {
  const feeds = join(dataDir, 'feeds')
  for (const name of await readdir(feeds, { recursive: true })) {
    if (!name.endsWith('.seg')) continue
    const file = join(feeds, name)
    const at = (await readFile(file)).indexOf(text)
    if (at >= 0) return { file, name: join('feeds', name), at }
  }
  throw new Error(`the log has no ${text}`)
}

async function flipBit(file: string, at: number): Promise<void> {
  const bytes = await readFile(file)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  await writeFile(file, bytes)
}

/** Hash of every file, by name, except the store's, which are rewritten whenever it is opened. */
async function hashesBelow(directory: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {}
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    if (!path.startsWith(join(directory, 'store'))) hashes[path] = hashOf(await readFile(path))
  }
  return hashes
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

t.test('damage to what was durable in the log ends the start, and is named', async t => {
  const fill = 'for i in 1 2 3; do echo "text $i" >"$1/$i"; sync "$1/$i"; done'
  const mount = await killedAfter(t, fill)
  const { dataDir, mountpoint } = mount
  const { file, name, at } = await findInLog(mount, 'text 1')
  await rm(join(dataDir, 'lock'))
  const first = 64
  for (const { place, byteMin, byteMax, reason } of [
    { place: at, byteMin: at - 300, byteMax: at, reason: 'wrong checksum' },
    { place: 4, byteMin: first, byteMax: first, reason: 'wrong header checksum' }
  ]) {
    await flipBit(file, place)
    const before = await hashesBelow(dataDir)
    for (const attempt of ['first', 'second']) {
      const refused = await runRoost('mount', mountpoint, '--data', dataDir)
      t.match(refused, { code: EX_DATAERR, stdout: /^$/ }, `refused, ${attempt} attempt`)
      const named = /^roost: (\S+) at byte (\d+): (.*)\n$/.exec(refused.stderr)
      t.strictSame([named?.[1], named?.[3]], [name, reason], 'the file and the reason are named')
      const byte = Number(named?.[2])
      t.ok(byteMin <= byte && byte <= byteMax, `and byte ${String(byte)}, where it begins`)
      await rm(join(dataDir, 'lock'))
    }
    t.strictSame(await hashesBelow(dataDir), before, 'no file was changed')
    await flipBit(file, place)
  }
  await mount.restart()
  t.equal(await shellOk('cat "$1/1" "$1/2" "$1/3"', mountpoint), 'text 1\ntext 2\ntext 3\n')
  t.strictSame((await mount.status()).warnings, [], 'once it is repaired there is nothing to say')
})

t.test('a torn end of the log is cut off, and said so', async t => {
  const mount = await mountRoost(t)
  const { mountpoint } = mount
  await shellOk('echo kept >"$1/kept" && sync "$1/kept"', mountpoint)
  await untilApplied(mount)
  // At once, so that this gets no further than into the log.
  await shellOk('printf "torn text" >"$1/torn"; kill -9 "$2"', mountpoint, String(mount.pid))
  await mount.kill()
  const { file, at } = await findInLog(mount, 'torn text')
  await flipBit(file, at)
  await mount.restart()
  const sentence = /feed \d+ was cut at \d+: wrong checksum/
  t.match(mount.errors(), new RegExp(`^roost: ${sentence.source}\\n$`), 'on stderr')
  t.match((await mount.status()).warnings, [sentence], 'in the status')
  t.equal(await shellOk('cat "$1/kept"', mountpoint), 'kept\n', 'what was synced is there')
  t.equal(await shellOk('cat "$1/torn"', mountpoint), '', 'what was cut off never happened')
  t.equal(await mount.stop(), 0)
  await mount.restart()
  t.strictSame((await mount.status()).warnings, [], 'the next start has nothing to say')
})

/** The store has everything that is in the log. */
async function untilApplied(mount: RoostMount): Promise<void> {
  for (;;) {
    const { log } = await mount.status()
    if (log !== undefined && log.appended === log.applied) return
  }
}

/** A blob of the store, by its bytes. */
function blobFileOf({ dataDir }: RoostMount, bytes: Buffer): string {
  const hash = hashOf(bytes)
  return join(dataDir, 'blobs', hash.slice(0, 2), hash)
}

const SMALL = Buffer.from('From: someone\n\nA small message.\n')
const LARGE = Buffer.alloc(3 * 1024 * 1024, 'A line of a large message.\n')

/** Maildir messages, one small, one of three blobs, and another one; served no more. */
async function messagesAtRest(t: Test, mountArgs: string[] = []): Promise<RoostMount> {
  const mount = await mountRoost(t, { mountArgs })
  const source = join(mount.dataDir, '..')
  await writeFile(join(source, 'small'), SMALL)
  await writeFile(join(source, 'large'), LARGE)
  const deliver = 'mkdir -p "$1/user/cur" && cp "$2/small" "$2/large" "$1/user/cur"'
  const other = ' && echo other >"$1/user/cur/other"'
  await shellOk(deliver + other, mount.mountpoint, source)
  t.equal(await mount.stop(), 0)
  return mount
}

/** The file cannot be read, is listed with its size all the same, and all else works. */
async function checkOneLost(t: Test, mount: RoostMount, name: string, size: number): Promise<void> {
  const { dataDir, mountpoint } = mount
  const cur = join(mountpoint, 'user/cur')
  for (const attempt of ['first', 'second']) {
    const seen = await shell('cat "$1/$2" >/dev/null', cur, name)
    t.match(seen, { code: 1, stderr: /: Input\/output error\n$/ }, `EIO, ${attempt} attempt`)
  }
  t.equal(await shellOk('stat -c %s "$1/$2"', cur, name), `${String(size)}\n`, 'its size is shown')
  t.equal(await shellOk('ls "$1"', cur), 'large\nother\nsmall\n', 'it is listed')
  t.equal(await shellOk('cat "$1/other"', cur), 'other\n', 'others can be read')
  t.equal(await shellOk('echo new >"$1/new" && sync "$1/new" && cat "$1/new"', cur), 'new\n')
  const { damagedBodies, fuse } = await mount.status()
  t.equal(damagedBodies.length, 1, 'the status has one damaged body')
  t.equal(fuse?.errors, 0, 'no request failed for an unknown reason')
  const { stdout } = await runRoost('status', '--data', dataDir)
  t.match(stdout, new RegExp(`^damaged +.*${damagedBodies[0]?.blob ?? 'no blob'}`, 'm'))
  t.equal(
    await shellOk('rm "$1/$2" && ls "$1"', cur, name).then(list => list.includes(name)),
    false
  )
}

t.test('a body with a wrong hash is never handed out, and hurts nothing else', async t => {
  const mount = await messagesAtRest(t)
  await flipBit(blobFileOf(mount, SMALL), 20)
  await mount.restart()
  await checkOneLost(t, mount, 'small', SMALL.length)
})

t.test('of a large body only the damaged part is lost', async t => {
  // Where closing is told, nothing is sealed before that, and the parts are those of a megabyte.
  const mount = await messagesAtRest(t, ['--mode', 'shared'])
  const part = LARGE.subarray(2 * 1024 * 1024)
  await truncate(blobFileOf(mount, part), part.length - 1)
  await mount.restart()
  const start = await shellOk('head -c 1000000 "$1/user/cur/large" | sha256sum', mount.mountpoint)
  t.match(start, hashOf(LARGE.subarray(0, 1_000_000)), 'what lies before can be read')
  await checkOneLost(t, mount, 'large', LARGE.length)
})

t.test('a body that is missing is an error, and neither absent nor short', async t => {
  const mount = await messagesAtRest(t)
  await rm(blobFileOf(mount, SMALL))
  await mount.restart()
  await checkOneLost(t, mount, 'small', SMALL.length)
})

t.test('a store that does not open is refused', async t => {
  const mount = await mountRoost(t)
  const { dataDir, mountpoint } = mount
  t.equal(await mount.stop(), 0)
  await writeFile(join(dataDir, 'store', 'CURRENT'), 'MANIFEST-999999\n')
  const refused = await runRoost('mount', mountpoint, '--data', dataDir)
  t.match(refused, { code: EX_IOERR, stdout: /^$/ })
  t.match(refused.stderr, `roost: the store at ${join(dataDir, 'store')} does not open: `)
  t.notMatch(refused.stderr, /\n +at /, 'by a sentence, not by a stack')
})
