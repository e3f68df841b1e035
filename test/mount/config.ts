/** What a configuration says is what a mount does. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Stats } from '../../lib/stats.ts'
import { roost } from '../cli/roost-command.ts'
import { mountsBelow, placeFor, shellOk, type Place } from './place.ts'

const EX_DATAERR = 65
const EX_CONFIG = 78

/** A store and a configuration that names it and its mount point. Unmounted with the test. */
async function configuredFor(t: Test, text = ''): Promise<Place & { config: string }> {
  const place = await placeFor(t)
  const config = join(place.directory, 'roost.yaml')
  const { dataDir, mountpoint } = place
  await writeFile(config, `data: ${dataDir}\nmount: { point: ${mountpoint} }\n${text}`)
  t.teardown(() => roost(['umount', '--force', mountpoint]))
  t.match(await roost(['init', '--config', config]), { code: 0, stderr: /^$/ })
  return { ...place, config }
}

async function statsOf(config: string): Promise<Stats> {
  const { code, stdout, stderr } = await roost(['stats', '--json', '--config', config])
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Stats
}

t.test('a configuration is all that the verbs need', async t => {
  const { config, dataDir, mountpoint, directory } = await configuredFor(t)
  const mounted = await roost(['mount', '--daemon', '--config', config])
  t.strictSame(mounted, { code: 0, stdout: `roost: ${mountpoint} is mounted\n`, stderr: '' })
  const variables = { ROOST_CONFIG: config }
  t.match((await roost(['status'], variables)).stdout, `serving ${mountpoint} for`)
  t.match((await roost(['stats'], variables)).stdout, `${mountpoint} from ${dataDir}, mode single`)
  t.match(await roost(['fsck'], variables), { code: 0, stdout: 'all is well' })
  t.match(await roost(['export', join(directory, 'copy')], variables), { code: 0 })
  const unmounted = await roost(['umount'], variables)
  t.strictSame(unmounted, { code: 0, stdout: `roost: ${mountpoint} is unmounted\n`, stderr: '' })
  t.strictSame(await mountsBelow(directory), [])
})

t.test('the command line comes before the environment, and that before the file', async t => {
  const place = await placeFor(t)
  const config = join(place.directory, 'roost.yaml')
  await writeFile(config, `data: /nowhere\nmount: { mode: single }\nmemory: { bodies: 8MiB }\n`)
  t.teardown(() => roost(['umount', '--force', place.mountpoint]))
  const { dataDir, mountpoint } = place
  await roost(['init', '--data', dataDir])
  const variables = {
    ROOST_CONFIG: config,
    ROOST_DATA: '/nowhere/else',
    ROOST_MOUNT_MODE: 'shared',
    ROOST_MEMORY_BODIES: '16MiB'
  }
  const words = ['mount', '--daemon', mountpoint, '--data', dataDir, '--set', 'memory.bodies=6MiB']
  t.match(await roost(words, variables), { code: 0, stderr: /^$/ })
  const { stdout } = await roost(['stats', '--json', '--data', dataDir], variables)
  t.match(JSON.parse(stdout), { mode: 'shared', memory: { bodyBytesMax: 6 * 2 ** 20 } })
})

t.test('file rules decide what is kept in the log and in memory', async t => {
  const rules = 'files: [{ pattern: "*.log", class: log }, { pattern: "box/*", class: blob }]\n'
  const { config, mountpoint } = await configuredFor(t, rules)
  t.match(await roost(['mount', '--daemon', '--config', config]), { code: 0 })
  const big = 'head -c 1000000 /dev/zero >"$1"; sync "$1"'
  await shellOk('mkdir "$1/u" "$1/u/box"', mountpoint)
  await shellOk(big, join(mountpoint, 'u/box/1'))
  t.equal((await statsOf(config)).memory.contentBytes, 0, 'a body is no content')
  await shellOk(big, join(mountpoint, 'u/box/1.log'))
  t.ok((await statsOf(config)).memory.contentBytes >= 1_000_000, 'the first rule counts')
})

t.test('limits of memory hold', async t => {
  const memory = 'memory: { contents: 4MiB, bodies: 4MiB }\nlog: { gather: 0s }\n'
  const { config, mountpoint, dataDir } = await configuredFor(t, memory)
  t.match(await roost(['mount', '--daemon', '--config', config]), { code: 0 })
  const fill = 'mkdir "$1/u" "$1/u/cur"; for i in 1 2 3 4 5 6 7 8; do f="$1/u/dovecot.index.$i"; '
  const both = 'head -c 1000000 /dev/urandom | tee "$1/u/cur/$i" >"$f"; done; sync -f "$1"'
  await shellOk(`${fill}${both}; sync "$1"/u/* "$1"/u/cur/*`, mountpoint)
  // What the store lacks stays beyond the limit; it follows by itself.
  let stats = await statsOf(config)
  while (stats.log.applied < stats.log.appended) stats = await statsOf(config)
  t.ok(stats.memory.contentBytes <= 4 * 2 ** 20, `${stats.memory.contentBytes} bytes of contents`)
  const small = 'mkdir "$1/u/new"; for i in $(seq 60); do head -c 100000 "$1/u/cur/1" | cat - '
  await shellOk(`${small}/proc/sys/kernel/random/uuid >"$1/u/new/$i"; done`, mountpoint)
  t.match(await roost(['umount', '--config', config]), { code: 0 })
  t.match(await roost(['mount', '--daemon', '--config', config]), { code: 0 })
  await shellOk('cat "$1"/u/cur/* | wc -c | grep -x 8000000', mountpoint)
  await shellOk('for i in 1 2 3; do cmp "$1/u/cur/$i" "$1/u/dovecot.index.$i"; done', mountpoint)
  // What the page cache has is not kept in memory once more.
  const forget = 'for f in "$1"/blobs/*/*; do dd if="$f" iflag=nocache count=0 status=none; done'
  await shellOk(forget, dataDir)
  await shellOk('cat "$1"/u/new/* | wc -c | grep -x 6002220', mountpoint)
  const { bodyBytes } = (await statsOf(config)).memory
  t.ok(bodyBytes > 0 && bodyBytes <= 4 * 2 ** 20, `${bodyBytes} bytes of bodies`)
})

t.test('what nobody asked to be synced waits as long as the configuration says', async t => {
  const { config, mountpoint } = await configuredFor(t, 'log: { sync_after: 1min }\n')
  t.match(await roost(['mount', '--daemon', '--config', config]), { code: 0 })
  await shellOk('mkdir "$1/u"; echo x >"$1/u/dovecot.index"', mountpoint)
  const before = await statsOf(config)
  t.ok(before.log.durable < before.log.appended, 'it is not synced')
  await shellOk('sync "$1/u/dovecot.index"', mountpoint)
  const after = await statsOf(config)
  t.ok(after.log.durable >= before.log.appended, 'fsync does not wait')
})

t.test('mount.force takes away what a killed daemon has left', async t => {
  const place = await placeFor(t)
  const text = `mount: { point: ${place.mountpoint}, force: true }\n`
  const config = join(place.directory, 'roost.yaml')
  await writeFile(config, `data: ${place.dataDir}\n${text}`)
  t.teardown(() => roost(['umount', '--force', place.mountpoint]))
  await roost(['init', '--config', config])
  t.match(await roost(['mount', '--daemon', '--no-supervise', '--config', config]), { code: 0 })
  const pid = (await readFile(join(place.dataDir, 'lock'), 'utf8')).trim()
  await shellOk('kill -9 "$1" && while kill -0 "$1" 2>/dev/null; do sleep 0.01; done', pid)
  t.match(await roost(['mount', '--daemon', '--config', config]), { code: 0, stderr: /^$/ })
})

t.test('a store that was made with another depth is not mounted', async t => {
  const { config, dataDir, directory } = await configuredFor(t, 'volume_depth: 2\n')
  t.match(JSON.parse(await readFile(join(dataDir, 'roost.json'), 'utf8')), { volumeDepth: 2 })
  const text = await readFile(config, 'utf8')
  await writeFile(config, text.replace('volume_depth: 2', 'volume_depth: 1'))
  const is = `${dataDir} was made with 2, which cannot be changed`
  const stderr = `roost: ${config}:3: volume_depth cannot be 1: ${is}\n`
  const seen = await roost(['mount', '--config', config])
  t.strictSame(seen, { code: EX_CONFIG, stdout: '', stderr })
  t.strictSame(await mountsBelow(directory), [])
  await writeFile(config, text.replace('volume_depth: 2\n', ''))
  const mounted = await roost(['mount', '--daemon', '--config', config])
  t.match(mounted, { code: 0 }, 'where nobody says a depth, it is that of the store')
})

t.test("a configuration that is wrong is in nobody's way who does not need it", async t => {
  const { config, dataDir, mountpoint } = await configuredFor(t)
  t.match(await roost(['mount', '--daemon', '--config', config]), { code: 0 })
  await writeFile(config, 'wrong: 1\n')
  const variables = { ROOST_CONFIG: config }
  t.match(await roost(['status', '--data', dataDir], variables), { code: 0, stderr: /^$/ })
  t.match(await roost(['stats', '--data', dataDir], variables), { code: 0, stderr: /^$/ })
  t.match(await roost(['umount', mountpoint], variables), { code: 0, stderr: /^$/ })
  const named = await roost(['status', '--data', dataDir, '--config', config])
  t.match(named, { code: EX_CONFIG, stderr: `roost: ${config}:1: unknown key "wrong"` })
})

t.test('a data format from which no way leads is refused', async t => {
  const { config, dataDir } = await configuredFor(t)
  const file = join(dataDir, 'roost.json')
  const identity = JSON.parse(await readFile(file, 'utf8')) as object
  await writeFile(file, JSON.stringify({ ...identity, format: 0 }))
  const stderr = `roost: ${dataDir} has format 0, which this Roost cannot convert\n`
  for (const words of [['mount'], ['mount', '--daemon']]) {
    const seen = await roost([...words, '--config', config])
    t.strictSame(seen, { code: EX_DATAERR, stdout: '', stderr }, words.join(' '))
  }
})
