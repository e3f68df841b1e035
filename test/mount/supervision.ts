/** A daemon that dies is followed by another, and whoever is in the mount goes on. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { mountRoost, PLAINLY, runRoost, type RoostMount } from '../support/roost-mount.ts'
import { mountsBelow, placeFor, shellOk } from './place.ts'

const WORKER = fileURLToPath(new URL('supervised-worker.mjs', import.meta.url))
const KILLS = 20
const ROUNDS_BETWEEN = 3
/** Moments of a round, as a prime goes through them. */
const [STEP_MS, SPAN_MS] = [7, 40]
const LOOK_MS = 20
const EX_NOINPUT = 66

t.setTimeout(600_000)

/** The daemon that has the data directory, as it says itself. */
async function daemonOf({ dataDir }: RoostMount): Promise<number> {
  return Number(await readFile(join(dataDir, 'lock'), 'utf8'))
}

async function kill(mount: RoostMount): Promise<void> {
  const pid = await daemonOf(mount)
  process.kill(pid, 'SIGKILL')
  while ((await daemonOf(mount)) === pid) await pause(LOOK_MS)
}

/** Processes that wait for a file system and cannot be killed, of those that name `directory`. */
async function stuckIn(directory: string): Promise<string> {
  return shellOk('ps -eo stat,args | grep "^D" | grep -F "$1" || true', directory)
}

/** A shell that keeps files open and does what it is told; `say` returns what it prints. */
async function shellIn(t: Test, mountpoint: string) {
  const child = spawn('sh', { cwd: '/', stdio: 'pipe', env: { ...process.env, MNT: mountpoint } })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async say(words: string): Promise<string> {
      child.stdin.write(`{ ${words}; } 2>&1 | tr '\\n' ' '; echo\n`)
      const { value } = (await lines.next()) as { value: string }
      return value.trim()
    },
    async run(words: string): Promise<void> {
      child.stdin.write(`${words}; echo\n`)
      await lines.next()
    }
  }
}

for (const mode of ['single', 'shared'] as const) {
  const kills = mode === 'single' ? KILLS : 3
  const worked = mode === 'single' ? 'nobody notices' : 'only what could hold locks fails'
  t.test(`the daemon is killed ${kills} times in a row, mode ${mode}: ${worked}`, async t => {
    const { directory } = await placeFor(t)
    const mountArgs = ['--mode', mode, '--restarts', String(kills)]
    const mount = await mountRoost(t, { directory, isSupervised: true, mountArgs })
    await (mode === 'single' ? killUnderWork(t, mount, directory) : killUnderLocks(t, mount))
    const status = await mount.status()
    t.same(status.supervisor, { pid: mount.pid, restarts: kills })
    const { stdout } = await runRoost('status', '--data', mount.dataDir)
    const line = `^supervisor +pid ${String(mount.pid)}, started again ${kills} times$`
    t.match(stdout, new RegExp(line, 'm'))
    const said = 'roost: the daemon was ended by SIGKILL; it is started again\n'
    t.equal(mount.errors(), said.repeat(kills))
    t.equal(await mount.stop(), 0)
    t.match(await runRoost('fsck', '--data', mount.dataDir), { code: 0, stdout: /all is well/ })
    t.strictSame(await mountsBelow(directory), [])
  })
}

async function killUnderWork(t: Test, mount: RoostMount, directory: string): Promise<void> {
  const stop = join(directory, 'stop')
  const [program, ...args] = [...PLAINLY, process.execPath, WORKER]
  const work = [...args, join(mount.mountpoint, 'user'), stop]
  const worker = spawn(program, work, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => worker.kill('SIGKILL'))
  const exit = once(worker, 'exit')
  const outages: number[] = []
  let [killed, since, killedMs] = [0, 0, 0]
  let last = ''
  for await (const line of createInterface({ input: worker.stdout })) {
    last = line
    if (killedMs > 0) outages.push(performance.now() - killedMs)
    killedMs = 0
    if (++since < ROUNDS_BETWEEN) continue
    since = 0
    if (killed === KILLS) {
      await writeFile(stop, '')
      continue
    }
    await pause((++killed * STEP_MS) % SPAN_MS)
    killedMs = performance.now()
    await kill(mount)
  }
  t.strictSame(await exit, [0, null], 'no answer was an error or wrong')
  t.match(JSON.parse(last), { rounds: Number, longestMs: Number })
  const ordered = outages.map(Math.round).sort((a, b) => a - b)
  t.comment(`back in ${ordered.join(' ')} ms; ${last}`)
}

async function killUnderLocks(t: Test, mount: RoostMount): Promise<void> {
  const user = await shellIn(t, mount.mountpoint)
  await user.run('mkdir $MNT/user $MNT/user/tmp; echo one >$MNT/user/index')
  await user.run('exec 3<>$MNT/user/index 4>$MNT/user/tmp/message; flock 3; echo begun >&4')
  for (let n = 0; n < 3; n++) await kill(mount)
  t.equal(await user.say('cat <&3'), 'one', 'reading goes on')
  t.match(
    await user.say('echo two >&3'),
    /I\/O error|rror/,
    'what could hold a lock writes no more'
  )
  t.match(await user.say('flock -n 3'), /I\/O error|rror/, 'nor locks')
  t.equal(await user.say('echo more >&4'), '', 'nobody locks a message')
  await user.run('exec 3<&- 4>&-')
  t.equal(await user.say('cat $MNT/user/tmp/message $MNT/user/index'), 'begun more one')
  const again = 'exec 5<>$MNT/user/index; flock 5; echo six >&5; flock -u 5; cat $MNT/user/index'
  t.equal(await user.say(again), 'six', 'and who opens it again goes on')
}

t.test('a file without a name lives as long as it is open, whoever served when', async t => {
  const mount = await mountRoost(t, { isSupervised: true })
  const user = await shellIn(t, mount.mountpoint)
  await user.run(
    'mkdir -p $MNT/user/cur; echo before >$MNT/user/cur/a; echo after >$MNT/user/cur/b'
  )
  await user.run('exec 3<$MNT/user/cur/a 4<$MNT/user/cur/b; rm $MNT/user/cur/a')
  await kill(mount)
  await user.run('rm $MNT/user/cur/b')
  await kill(mount)
  t.equal(await user.say('cat <&3; cat <&4; ls $MNT/user/cur'), 'before after')
  // What was not history yet becomes it, and then a file.
  while ((await bodiesOf(mount)) < 2) await pause(LOOK_MS)
  await user.run('exec 3<&- 4<&-')
  // All that this daemon has recorded: its beginning, and that each of the two is gone.
  while (((await mount.status()).fuse?.vfs['entries'] ?? 0) < 3) await pause(LOOK_MS)
  t.equal(await mount.stop(), 0)
  t.equal(await bodiesOf(mount), 0, 'its bytes go with it')
})

async function bodiesOf({ dataDir }: RoostMount): Promise<number> {
  const entries = await readdir(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).length
}

t.test('a daemon whose parent is killed ends in an orderly way, and its mount with it', async t => {
  const { directory } = await placeFor(t)
  const mount = await mountRoost(t, { directory, isSupervised: true })
  const user = await shellIn(t, mount.mountpoint)
  await user.run('echo kept >$MNT/file; exec 3>>$MNT/file')
  const daemon = await daemonOf(mount)
  process.kill(mount.pid, 'SIGKILL')
  await shellOk('while kill -0 "$1" 2>/dev/null; do sleep 0.02; done', String(daemon))
  t.strictSame(await mountsBelow(directory), [])
  t.match(await user.say('echo x >&3'), /rror|not connected/)
  t.equal(await stuckIn(directory), '')
  await mount.restart()
  t.equal(await user.say('cat $MNT/file'), 'kept')
})

t.test('a daemon that cannot be started again leaves nobody waiting', async t => {
  const { directory } = await placeFor(t)
  const mountArgs = ['--restarts=2']
  const mount = await mountRoost(t, { directory, isSupervised: true, mountArgs })
  const user = await shellIn(t, mount.mountpoint)
  await user.run('mkdir $MNT/user; exec 3>$MNT/user/file')
  const identity = join(mount.dataDir, 'roost.json')
  await rename(identity, `${identity}.away`)
  process.kill(await daemonOf(mount), 'SIGKILL')
  t.match(await user.say('echo x >&3'), /rror|not connected/)
  t.match(await user.say('ls $MNT/user'), /No such file|not connected|rror/)
  t.equal(await mount.ended(), EX_NOINPUT, 'it ends as the daemon does')
  t.match(
    mount.errors(),
    /is started again\n.*holds no store.*\n.*not started again: it died 3 times/s
  )
  t.strictSame(await mountsBelow(directory), [])
  t.equal(await stuckIn(directory), '')
  await rename(`${identity}.away`, identity)
  await mount.restart()
  t.equal(await user.say('ls $MNT/user'), 'file')
})

t.test('a daemon that never served is not started again', async t => {
  const { dataDir, mountpoint } = await placeFor(t)
  const seen = await runRoost('mount', mountpoint, '--data', dataDir)
  const stderr = `roost: ${dataDir} cannot be used: it is not there; "roost init" makes one\n`
  t.strictSame(seen, { code: EX_NOINPUT, stdout: '', stderr })
})

t.test('without a supervisor the mount ends with its daemon', async t => {
  const mount = await mountRoost(t)
  t.equal(await daemonOf(mount), mount.pid)
  t.equal((await mount.status()).supervisor, undefined)
})
