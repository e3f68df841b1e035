/** What was open without a name when the daemon was killed is collected, and nothing else. */

import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { mountRoost, PLAINLY, runRoost, type RoostMount } from '../support/roost-mount.ts'
import { placeFor, shellOk } from './place.ts'

const HOLDER = fileURLToPath(new URL('orphan-holder.mjs', import.meta.url))
const LOOK_MS = 20

/** Messages that ride in the log and that are staged, and files that are kept in containers. */
const ORPHANS = {
  'cur/small': 'a small message\n',
  'cur/large': 'a large message\n'.repeat(20_000),
  'cur/twin': 'a message that is there twice\n',
  'dovecot.index.log': 'an index\n'.repeat(1000),
  notes: 'neither'
}
const KEPT = {
  'cur/kept': ORPHANS['cur/twin'],
  'cur/other': 'another message\n',
  'dovecot.index': 'another index\n'
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Names of the files below one of the store's directories. */
async function filesIn({ dataDir }: RoostMount, directory: string): Promise<string[]> {
  const path = join(dataDir, directory)
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(({ name }) => name)
    .sort()
}

async function storedBy(mount: RoostMount) {
  return { blobs: await filesIn(mount, 'blobs'), containers: await filesIn(mount, 'containers') }
}

/** Returns when store and files have everything that was done. */
async function untilApplied(mount: RoostMount): Promise<void> {
  for (;;) {
    const { log } = await mount.status()
    if (log !== undefined && log.applied === log.appended) return
    await pause(LOOK_MS)
  }
}

/** A process that has the files open and has removed them; `read` says what it reads of them. */
async function holderOf(t: Test, paths: readonly string[]) {
  const [program, ...args] = [...PLAINLY, process.execPath, HOLDER, ...paths]
  const holder = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  return {
    async read(): Promise<unknown> {
      holder.stdin.write('\n')
      const [line] = (await once(holder.stdout, 'data')) as [Buffer]
      return JSON.parse(line.toString())
    },
    async end(): Promise<void> {
      const exit = once(holder, 'exit')
      holder.kill('SIGKILL')
      await exit
    }
  }
}

async function fsckOf({ dataDir }: RoostMount): Promise<string> {
  const { code, stdout, stderr } = await runRoost('fsck', '--data', dataDir)
  return `${String(code)} ${stdout}${stderr}`
}

for (const mode of ['single', 'shared'] as const) {
  t.test(`open files without a name, and kill -9, mode ${mode}`, async t => {
    const { directory } = await placeFor(t)
    const source = join(directory, 'source')
    await mkdir(join(source, 'cur'), { recursive: true })
    const files = Object.entries({ ...ORPHANS, ...KEPT })
    for (const [name, text] of files) await writeFile(join(source, name), text)
    const mount = await mountRoost(t, { directory, mountArgs: ['--mode', mode] })
    await shellOk('cp -r "$1" "$2/user"', source, mount.mountpoint)
    // Everything is stored, and the kernel forgets the pages: reading them is the daemon's work.
    t.equal(await mount.stop(), 0)
    const stored = await storedBy(mount)
    t.ok(stored.blobs.length >= 4 && stored.containers.length === 3)
    await mount.restart()
    const paths = Object.keys(ORPHANS).map(name => join(mount.mountpoint, 'user', name))
    const holder = await holderOf(t, paths)
    await untilApplied(mount)
    const hashes = Object.values(ORPHANS).map(hashOf)
    t.strictSame(await holder.read(), hashes, 'they are readable without their names')
    t.strictSame(await storedBy(mount), stored, 'and their bytes are kept')

    await mount.kill()
    await holder.end()
    await mount.restart()
    const look = 'cd "$1/user" && find . -type f -exec sha256sum {} + | sort -k 2'
    const kept = Object.entries(KEPT).map(([name, text]) => `${hashOf(text)}  ./${name}\n`)
    t.equal(await shellOk(look, mount.mountpoint), kept.join(''), 'all that has a name is there')
    const well = /^0 \S+: .*, 2 volumes, 6 inodes, 5 names, 2 bodies .*: all is well\n$/
    t.match(await fsckOf(mount), well)
    t.equal(await mount.stop(), 0)
    const { blobs, containers } = await storedBy(mount)
    t.strictSame(blobs, [hashOf(KEPT['cur/kept']), hashOf(KEPT['cur/other'])].sort())
    t.equal(containers.length, 1, 'the bytes of the others are gone from the disk')
    t.match(await fsckOf(mount), well)
    await mount.restart()
    t.equal(await shellOk(look, mount.mountpoint), kept.join(''))
  })
}
