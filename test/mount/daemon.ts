/** How a daemon comes and goes, and what the tools say of it meanwhile. */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { Status } from '../../lib/host/status.ts'
import { mountRoost, PLAINLY, ROOST, runRoost } from '../support/roost-mount.ts'
import { command, mountsBelow, placeFor, shell, shellOk, type Place } from './place.ts'

const EX_UNAVAILABLE = 69
const EX_OSERR = 71

const PARENT = fileURLToPath(new URL('fuse-parent.mjs', import.meta.url))

/** A store, and a place to mount it at. */
async function storeFor(t: Test): Promise<Place> {
  const place = await placeFor(t)
  const { code, stderr } = await runRoost('init', '--data', place.dataDir)
  t.equal(code, 0, stderr)
  return place
}

/**
 * A process that says when it is where it wants to be, goes on when it is told, and says how.
 *
 * @param enter says `ready` at its end
 */
async function userOf(t: Test, mountpoint: string, enter: string, leave: string): Promise<User> {
  const script = `${enter} && echo ready && read _ && ${leave} && echo done`
  const process = spawn('sh', ['-c', script, 'sh', mountpoint], { stdio: 'pipe' })
  t.teardown(() => process.kill('SIGKILL'))
  await once(process.stdout, 'data')
  return new User(process)
}

class User {
  readonly #process: ChildProcess
  #words = ''

  constructor(process: ChildProcess) {
    this.#process = process
    process.stdout?.on('data', (chunk: Buffer) => (this.#words += chunk.toString()))
    process.stderr?.on('data', (chunk: Buffer) => (this.#words += chunk.toString()))
  }

  /** Lets it go on. @returns what it says */
  async finish(): Promise<string> {
    const closed = once(this.#process, 'close')
    this.#process.stdin?.end('\n')
    await closed
    return this.#words
  }
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  t.test(`${signal} unmounts, whoever is in the mount, and loses nothing`, async t => {
    const mount = await mountRoost(t)
    const { mountpoint } = mount
    await shellOk('mkdir "$1/user" && printf unsynced >"$1/user/file"', mountpoint)
    const inside = await userOf(t, mountpoint, 'cd "$1/user"', 'ls .')
    const reader = await userOf(t, mountpoint, 'exec 3<"$1/user/file"', 'cat <&3')
    const writer = await userOf(
      t,
      mountpoint,
      'exec 3>>"$1/user/file" && printf " kept" >&3',
      'printf " not kept" >&3'
    )
    t.equal(await mount.stop(signal), 0, 'with exit code 0')
    t.equal(mount.errors(), '', 'without a word')
    t.strictSame(await mountsBelow(mountpoint.replace(/\/mnt$/, '')), [], 'nothing is mounted')
    t.match(await inside.finish(), /Transport endpoint is not connected|Software caused/)
    t.match(await writer.finish(), /Transport endpoint is not connected|[Ww]rite error|I\/O error/)
    await reader.finish()
    await mount.restart()
    t.equal(await shellOk('cat "$1/user/file"', mountpoint), 'unsynced kept')
  })
}

t.test('--daemon returns when it is mounted, and prints one line', async t => {
  const { dataDir, mountpoint } = await storeFor(t)
  const seen = await runRoost('mount', mountpoint, '--data', dataDir, '--daemon')
  t.strictSame(seen, { code: 0, stdout: `roost: ${mountpoint} is mounted\n`, stderr: '' })
  t.equal(await shellOk('echo works >"$1/file" && cat "$1/file"', mountpoint), 'works\n')
  const { pid } = await statusOf(dataDir)
  const session = await shellOk('ps -o sid= -p "$1"', String(pid))
  t.equal(Number(session), pid, 'it has a session of its own')
  t.equal((await runRoost('umount', mountpoint)).code, 0)
})

t.test('umount returns when everything is on the disk and the daemon has let go', async t => {
  const mount = await mountRoost(t)
  const { dataDir, mountpoint } = mount
  await shellOk('for i in $(seq 200); do echo $i >"$1/$i"; done', mountpoint)
  const seen = await runRoost('umount', mountpoint)
  t.strictSame(seen, { code: 0, stdout: `roost: ${mountpoint} is unmounted\n`, stderr: '' })
  const again = await runRoost('mount', mountpoint, '--data', dataDir, '--daemon')
  t.equal(again.code, 0, 'the data directory is free at once')
  t.equal(await shellOk('cat "$1"/* | sort -n | tail -1', mountpoint), '200\n')
  t.equal((await runRoost('umount', mountpoint)).code, 0)
  t.equal(await mount.stop(), 0, 'the first daemon has left in an orderly way')
})

t.test('umount refuses a mount in use unless it is forced', async t => {
  const mount = await mountRoost(t)
  const { mountpoint } = mount
  const user = await userOf(t, mountpoint, 'cd "$1"', 'ls .')
  const refused = await runRoost('umount', mountpoint)
  t.match(refused, {
    code: EX_OSERR,
    stdout: /^$/,
    stderr: `roost: ${mountpoint} is not unmounted:`
  })
  t.equal(await shellOk('echo on >"$1/file" && cat "$1/file"', mountpoint), 'on\n', 'it goes on')
  t.match(await runRoost('umount', '--force', mountpoint), { code: 0 })
  t.match(await user.finish(), /Transport endpoint is not connected|Software caused/)
  await mount.stop()
  await mount.restart()
  t.equal(await shellOk('cat "$1/file"', mountpoint), 'on\n')
})

t.test('umount says where nothing is mounted', async t => {
  const { mountpoint } = await placeFor(t)
  const seen = await runRoost('umount', mountpoint)
  t.match(seen, { code: EX_UNAVAILABLE, stdout: /^$/ })
  t.equal(seen.stderr, `roost: nothing that Roost could unmount is mounted at ${mountpoint}\n`)
})

async function statusOf(dataDir: string): Promise<Status> {
  return JSON.parse((await runRoost('status', '--data', dataDir, '--json')).stdout) as Status
}

t.test('status tells of a store that nobody serves, also after kill -9', async t => {
  const mount = await mountRoost(t)
  const { dataDir } = mount
  await mount.kill()
  const seen = await runRoost('status', '--data', dataDir)
  t.strictSame(seen, {
    code: 0,
    stdout: `data directory  ${dataDir} (format 2)\nstate           not mounted\n`,
    stderr: ''
  })
  const identity = await readFile(join(dataDir, 'roost.json'), 'utf8')
  const { storeId } = JSON.parse(identity) as { storeId: string }
  t.strictSame(await statusOf(dataDir), {
    state: 'not mounted',
    dataDirectory: dataDir,
    format: 2,
    storeId,
    warnings: [],
    concerns: [],
    damagedBodies: []
  })
})

t.test('status tells of a daemon what an admin asks first', async t => {
  const mount = await mountRoost(t)
  const { dataDir, mountpoint, pid } = mount
  await shellOk('echo text >"$1/file"', mountpoint)
  const status = await mount.status()
  t.match(status, { state: 'serving', dataDirectory: dataDir, mountpoint, pid, warnings: [] })
  t.match(status.fuse, { errors: 0, requests: { INIT: 1, CREATE: 1, WRITE: 1 } })
  const { stdout, code } = await runRoost('status', '--data', dataDir)
  t.equal(code, 0)
  t.match(stdout, new RegExp(`^state +serving ${mountpoint} for \\d+ s, pid ${String(pid)}$`, 'm'))
  t.match(stdout, /^log +\d+ bytes not synced, \d+ bytes not applied$/m)
  t.match(stdout, /^disk +\d+ of \d+ MiB free$/m)
  t.match(stdout, /^requests +\d+, 0 failed for an unknown reason$/m)
  t.notMatch(stdout, 'warning')
})

t.test('a device that a parent has mounted is served, until it is unmounted', async t => {
  for (const flags of [[], ['--daemon']]) {
    const { dataDir, mountpoint } = await storeFor(t)
    const mount = [ROOST, 'mount', mountpoint, '--data', dataDir, '--fuse-fd', '3', ...flags]
    const serve = [process.execPath, PARENT, mountpoint, process.execPath, ...mount]
    const [program, ...args] = [...PLAINLY, ...serve]
    const parent = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => parent.kill('SIGKILL'))
    const exit = once(parent, 'exit')
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    t.equal(line.toString(), `roost: ${mountpoint} is mounted\n`)
    t.equal(await shellOk('echo works >"$1/file" && cat "$1/file"', mountpoint), 'works\n')
    const { pid } = await statusOf(dataDir)
    await shellOk('umount "$1"', mountpoint)
    t.strictSame(await exit, [0, null])
    await shell('while kill -0 "$1"; do sleep 0.02; done', String(pid))
    t.equal((await statusOf(dataDir)).state, 'not mounted')
  }
})

t.test('a descriptor that is no FUSE device is refused', async t => {
  const { dataDir, mountpoint } = await storeFor(t)
  const mount = `exec 3</dev/null; exec "$0" "$@"`
  const args = [ROOST, 'mount', mountpoint, '--data', dataDir, '--fuse-fd', '3']
  const seen = await command(['sh', '-c', mount, process.execPath, ...args])
  const stderr = 'roost: descriptor 3 is not an open FUSE device\n'
  t.strictSame(seen, { code: EX_OSERR, stdout: '', stderr })
})
