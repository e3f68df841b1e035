/**
 * Watchers (inotify) on one replica hear of what another has changed: they alone, of that alone,
 * and whatever happens to the process that wakes them. Nothing is written by it, no lease moves.
 */

import { execFile, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import type { VolumeReport } from '../../lib/host/cluster-report.ts'
import { PLAINLY, runRoost } from '../support/roost-mount.ts'
import { RoostCluster, type ClusterMember } from '../support/roost-cluster.ts'

const run = promisify(execFile)
const PATIENCE_MS = 30_000
/** For what is not to come: far longer than what comes takes. */
const SILENCE_MS = 500
const WATCHER = fileURLToPath(new URL('./watcher.mjs', import.meta.url))

t.setTimeout(120_000)

t.test('watchers hear of what another replica changes', async t => {
  const cluster = await RoostCluster.start(t, { stores: 2, copies: 2 })
  const [first, second] = cluster.stores as [ClusterMember, ClusterMember]
  const [one, other] = [`${first.mountpoint}/user`, `${second.mountpoint}/user`]
  await shell(`mkdir -p ${one}/new ${one}/cur ${one}/tmp && echo 1 > ${one}/dovecot.index.log`)
  await shell(`sync ${one}/dovecot.index.log`)
  await shell(`until [ -s ${other}/dovecot.index.log ]; do sleep 0.05; done; ls -R ${other}`)
  const watched = [`${other}/new`, `${other}/dovecot.index.log`] as const
  const [directory, log] = watched

  // Nobody watches yet: this is not heard by whoever comes later.
  await shell(`touch ${one}/new/before`)
  await pause(SILENCE_MS)
  const watcher = new Watcher(watched)
  t.teardown(() => watcher.close())
  await watcher.until('ready')

  for (const [what, command, path] of [
    ['a file that is made', `touch ${one}/new/made`, directory],
    ['one that is moved in', `touch ${one}/tmp/m && mv ${one}/tmp/m ${one}/new/m`, directory],
    ['one that is removed', `rm ${one}/new/made`, directory],
    ['a file that is longer', `echo 2 >> ${one}/dovecot.index.log`, log],
    ['a file that is written over', `printf 3 1<>${one}/dovecot.index.log`, log]
  ] as const) {
    watcher.forget()
    await shell(command)
    await watcher.until(path)
    await pause(SILENCE_MS / 5)
    t.same(watcher.paths(), [path], `${what} is heard of where it is, and nowhere else`)
  }

  watcher.forget()
  await shell(`touch ${one}/cur/a ${one}/b && mv ${one}/cur/a ${one}/tmp/a && rm ${one}/b`)
  await pause(SILENCE_MS)
  t.same(watcher.paths(), [], 'what nobody watches is heard by nobody')

  const [waker = 0] = childrenOf(second.pid)
  t.not(waker, 0, 'a process wakes them')
  t.notOk(holdsDevice(waker), 'which would not keep a dead daemon from ending')
  process.kill(waker, 'SIGKILL')
  await pause(SILENCE_MS)
  watcher.forget()
  await shell(`touch ${one}/new/after`)
  await watcher.until(directory)
  t.pass('it is begun anew when there is something to tell')

  t.equal(await timesOf(other), await timesOf(one), 'the times are those of the changes')
  const { holder, here } = await volumeOf(first)
  t.ok(here?.phase === 'holding' && holder !== undefined, 'who writes has the lease still')
  await shell(`touch ${one}/new/counted`)
  await watcher.until(directory)
  await pause(SILENCE_MS)
  const watchedHead = (await volumeOf(first)).here?.head ?? NaN
  await shell(`touch ${one}/cur/counted`)
  await pause(SILENCE_MS)
  const unwatchedHead = (await volumeOf(first)).here?.head ?? NaN
  const grown = watchedHead - (here?.head ?? NaN)
  t.equal(unwatchedHead - watchedHead, grown, 'waking leaves nothing in the history')

  await second.kill()
  await pause(SILENCE_MS)
  t.same(childrenOf(second.pid), [], 'it ends with its daemon')
})

class Watcher {
  readonly #child
  #lines: string[] = []

  constructor(paths: readonly string[]) {
    const [program, ...args] = [...PLAINLY, process.execPath, WATCHER, ...paths]
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.stdout.on('data', (text: Buffer) => {
      this.#lines.push(...text.toString().split('\n').filter(Boolean))
    })
  }

  forget(): void {
    this.#lines = []
  }

  /** Where something was heard since. */
  paths(): string[] {
    return [...new Set(this.#lines.map(line => line.split(' ')[0] ?? ''))]
  }

  async until(path: string): Promise<void> {
    const end = performance.now() + PATIENCE_MS
    while (!this.paths().includes(path)) {
      if (performance.now() > end) throw new Error(`nothing is heard of ${path}`)
      await pause(5)
    }
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL')
    await pause(0)
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(other => parentOf(other) === pid)
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
  } catch {
    return undefined
  }
}

function holdsDevice(pid: number): boolean {
  const directory = `/proc/${pid}/fd`
  return readdirSync(directory).some(fd => {
    try {
      return readlinkSync(`${directory}/${fd}`) === '/dev/fuse'
    } catch {
      return false
    }
  })
}

function timesOf(directory: string): Promise<string> {
  return shell(`cd ${directory} && stat -c '%n %y %z' new dovecot.index.log new/*`)
}

async function volumeOf({ dataDir }: ClusterMember): Promise<VolumeReport> {
  const { stdout } = await runRoost('explain', 'user', '--data', dataDir, '--json')
  return JSON.parse(stdout) as VolumeReport
}

/** By another process, which may hang without us. */
async function shell(command: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', command], { timeout: PATIENCE_MS })
  return stdout
}
