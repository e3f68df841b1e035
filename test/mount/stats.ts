/** `roost stats`: of a store that is served, and of one that is not. */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Rates, Stats } from '../../lib/stats.ts'
import { mountRoost, PLAINLY, ROOST, runRoost } from '../support/roost-mount.ts'
import { placeFor, shellOk } from './place.ts'
import { onTerminal } from './terminal.ts'

const EX_NOINPUT = 66
const EX_UNAVAILABLE = 69
const PATIENCE_MS = 60_000

async function statsOf(dataDir: string): Promise<Stats & { perSecond: Rates }> {
  const { code, stdout, stderr } = await runRoost('stats', '--data', dataDir, '--json')
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Stats & { perSecond: Rates }
}

t.test('the figures of a daemon are those of what was done', async t => {
  const mount = await mountRoost(t)
  const { dataDir, mountpoint } = mount
  await shellOk(
    'mkdir "$1/user" "$1/user/cur" && printf index >"$1/user/dovecot.index"',
    mountpoint
  )
  await shellOk(
    'for i in $(seq 20); do echo $i >"$1/user/cur/$i"; done; sync "$1"/user/cur/*',
    mountpoint
  )
  const stats = await statsOf(dataDir)
  t.match(stats, { dataDirectory: dataDir, mountpoint, pid: mount.pid, mode: 'single', session: 1 })
  t.match(stats.requests, { INIT: 1, MKDIR: 2, CREATE: 21, WRITE: 21, FSYNC: 20 })
  t.equal(stats.memory.inodes, 24, 'the root, two directories, and the files')
  t.ok(stats.memory.contentBytes >= 5, 'the index is in memory')
  t.ok(stats.memory.residentBytes > 2 ** 20)
  const { entries, appended, durable, applied, checkpointed, bytesOnDisk } = stats.log
  t.ok(entries >= 44, 'each file was created and written')
  t.ok(appended >= durable && durable >= applied && applied >= checkpointed, 'in this order')
  t.ok(durable > 0 && bytesOnDisk > appended)
  t.ok(stats.store.bytesOnDisk > 0)
  t.ok(stats.disk.totalBytes > stats.disk.freeBytes)
  t.match(stats, { unknownErrors: 0, damagedBodies: [], open: { handles: 0, parked: 0 } })
  const { requests, seconds } = stats.perSecond
  t.equal(seconds, stats.uptimeSeconds, 'rates are since the start')
  t.equal(requests['CREATE'], 21 / seconds)

  const { code, stdout, stderr } = await runRoost('stats', '--data', dataDir)
  t.match({ code, stderr }, { code: 0, stderr: /^$/ })
  t.match(stdout, new RegExp(`^serving +${mountpoint} from ${dataDir}, mode single$`, 'm'))
  t.match(stdout, /^ {2}CREATE +21 +\d+\.\d$/m)
  t.match(stdout, /^caches +contents [\d.]+ of 64 MiB, bodies [\d.]+ of 32 MiB$/m)
  t.match(stdout, /^ +\d+ KiB not synced, \d+ not applied, \d+ since the checkpoint; \d+ MiB on /m)
})

t.test('a damaged body is named', async t => {
  const mount = await mountRoost(t)
  const { dataDir, mountpoint } = mount
  await shellOk(
    'mkdir "$1/u" "$1/u/cur" && echo mail >"$1/u/cur/1" && sync "$1/u/cur/1"',
    mountpoint
  )
  await mount.stop()
  await shellOk('echo rot >"$(find "$1/blobs" -type f)"', dataDir)
  await mount.restart()
  await shellOk('! cat "$1/u/cur/1" 2>/dev/null', mountpoint)
  const { damagedBodies } = await statsOf(dataDir)
  t.equal(damagedBodies.length, 1)
  t.match((await runRoost('stats', '--data', dataDir)).stdout, /^damaged +\S.*$/m)
})

t.test('without a daemon there are no figures', async t => {
  const mount = await mountRoost(t)
  const { dataDir } = mount
  await mount.stop()
  const stderr = `roost: no daemon serves ${dataDir}, so there are no figures\n`
  const refused = { code: EX_UNAVAILABLE, stdout: '', stderr }
  t.strictSame(await runRoost('stats', '--data', dataDir), refused)
  t.strictSame(await runRoost('stats', '--data', dataDir, '--watch'), refused)
  t.strictSame(await runRoost('stats', '--data', dataDir, '--json'), refused)
  const missing = join((await placeFor(t)).directory, 'none')
  const none = `roost: ${missing} cannot be used: it is not there; "roost init" makes one\n`
  t.match(await runRoost('stats', '--data', missing), { code: EX_NOINPUT, stderr: none })
})

t.test('watched, every look tells what came since the last one, until the daemon ends', async t => {
  const mount = await mountRoost(t)
  const { dataDir, mountpoint } = mount
  const watcher = watch(t, dataDir)
  const first = await watcher.next()
  t.equal(first.perSecond.seconds, first.uptimeSeconds)
  await shellOk('mkdir "$1/one" "$1/two"', mountpoint)
  let made = 0
  while (made < 2) {
    const { perSecond } = await watcher.next()
    made += Math.round((perSecond.requests['MKDIR'] ?? 0) * perSecond.seconds)
  }
  t.equal(made, 2, 'each request is told once')
  await mount.stop()
  const { code, stderr } = await watcher.end()
  // While it brings everything onto the disk, it answers no more and still has the directory.
  const gone = /^roost: (?:no daemon serves .*, so there are no figures|.*control\.sock: .*)\n$/
  t.match({ code, stderr }, { code: EX_UNAVAILABLE, stderr: gone })
})

t.test('watched on a terminal, each look takes the place of the last, until Ctrl-C', async t => {
  const mount = await mountRoost(t)
  const words = [process.execPath, ROOST, 'stats', '--data', mount.dataDir, '--watch', '0.1']
  const { code, output } = await onTerminal(words, /serving[^]*serving/)
  t.equal(code, 0)
  t.match(output, '\x1b[H\x1b[Jserving')
})

t.test('whoever reads what is watched may leave', async t => {
  const mount = await mountRoost(t)
  const line = `"$1" "$2" stats --data "$3" --watch 0.1 2>&1 | head -n 1; echo "\${PIPESTATUS[0]}"`
  const script = `exec bash -c '${line}' bash "$@"`
  const seen = await shellOk(script, process.execPath, ROOST, mount.dataDir)
  t.match(seen, /^serving .*\n0\n$/)
})

interface Watcher {
  next(): Promise<Stats & { perSecond: Rates }>
  end(): Promise<{ code: number | null; stderr: string }>
}

function watch(t: Test, dataDir: string): Watcher {
  const args = ['stats', '--data', dataDir, '--watch', '0.2', '--json']
  const [program, ...words] = [...PLAINLY, process.execPath, ROOST, ...args]
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const closed = new Promise<number | null>(resolve => child.once('close', resolve))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    next: async () => {
      const line = await lines.next()
      if (line.done === true) throw new Error(stderr)
      return JSON.parse(line.value) as Stats & { perSecond: Rates }
    },
    end: async () => ({ code: await closed, stderr })
  }
}
