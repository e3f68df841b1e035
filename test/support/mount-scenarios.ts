/**
 * What the tests of mounting do, in processes of their own with mounts of their own: the process
 * that serves a mount must not touch it, and none may outlive the test.
 *
 * The first argument is an empty directory, the others name scenarios, which run in turn. Prints
 * what each has seen, as JSON.
 */

import { execFile, spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as mount from '../../lib/fuse/mount.ts'
import { notifyScenario } from './notify-scenario.ts'
import { TinyFs } from './tiny-fs.ts'
import { TinyServer } from './tiny-server.ts'

const SELF = fileURLToPath(import.meta.url)
const EXERCISE = fileURLToPath(new URL('tiny-fs-exercise.mjs', import.meta.url))
const CHILD_MS = 30_000

const [, , place = '', ...scenarios] = process.argv
const ids = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0] as const

const SCENARIOS: Record<string, () => Promise<unknown>> = {
  /** Mounts, is used, and unmounts. */
  async serve() {
    const fuse = await mount.openMount({ mountpoint: place, fsname: 'tiny' })
    const fs = new TinyFs(...ids)
    const ended = new TinyServer(fuse.fd, fs, process.env['ROOST_RECORD_FUSE']).run()
    const during = await mount.mountStateOf(place)
    const isSame = mount.connectionMinorOf(place) === fuse.connection
    const seen = await exercise()
    const refusal = await codeOf(mount.openMount({ mountpoint: place, force: true }))
    await fuse.unmount()
    const errno = await ended
    await fuse.unmount()
    fuse.close()
    const after = await mount.mountStateOf(place)
    const { allowsOther } = fuse
    const ops = [...fs.counts.keys()].sort()
    return { during, isSame, seen, refusal, errno, after, allowsOther, ops }
  },

  /** A daemon dies by SIGKILL; the next one finds what it left. */
  async stale() {
    await daemonThatDies('daemon')
    const before = await mount.mountStateOf(place)
    const refusal = await messageOf(mount.openMount({ mountpoint: place }))
    const fuse = await mount.openMount({ mountpoint: place, force: true })
    const ended = new TinyServer(fuse.fd, new TinyFs(...ids)).run()
    const mounted = await mount.mountStateOf(place)
    await fuse.unmount()
    return { before, refusal, mounted, errno: await ended, after: await mount.mountStateOf(place) }
  },

  /** Unmounts while a process works in the mount. */
  async busy() {
    const fuse = await mount.openMount({ mountpoint: place })
    const ended = new TinyServer(fuse.fd, new TinyFs(...ids)).run()
    const user = spawn('sh', ['-c', 'cd "$1" && echo in && read _', 'sh', place], {
      stdio: ['pipe', 'pipe', 'inherit']
    })
    await firstOutput(user)
    const refusal = await messageOf(mount.unmountAt(place, false))
    await fuse.unmount()
    const detached = await mount.mountStateOf(place)
    user.stdin.end()
    return { refusal, detached, errno: await ended }
  },

  /** A daemon takes requests and never answers. */
  async silent() {
    const daemon = await daemonThat('daemonThatHangs')
    const before = await mount.mountStateOf(place)
    const refusal = await messageOf(mount.openMount({ mountpoint: place, force: true }))
    await mount.unmountAt(place, true)
    const after = await mount.mountStateOf(place)
    const nothing = await codeOf(mount.unmountAt(place, true))
    daemon.kill('SIGKILL')
    return { before, refusal, after, nothing }
  },

  /** Mounts, and hands the device to a child that serves it. */
  async inherit() {
    const fuse = await mount.openMount({ mountpoint: place })
    const child = start('heir', ['pipe', 'pipe', 'inherit', fuse.fd])
    const first = await firstOutput(child)
    const seen = await exercise()
    fuse.close()
    const rest = firstOutput(child)
    await fuse.unmount()
    return { first, seen, rest: JSON.parse(await rest) as unknown }
  },

  /** Changes files behind the kernel's back, and has the notify thread tell it. */
  notify() {
    return notifyScenario(place)
  },

  /** What an ordinary user cannot mount. */
  async refusals() {
    const file = join(place, 'file')
    writeFileSync(file, '')
    const missing = join(place, 'missing')
    const attempts = {
      missing: mount.openMount({ mountpoint: missing }),
      below: mount.openMount({ mountpoint: join(missing, 'below') }),
      file: mount.openMount({ mountpoint: file }),
      notMine: mount.openMount({ mountpoint: '/usr' }),
      others: mount.openMount({ mountpoint: place, allowOther: true }),
      notMounted: mount.unmountAt(place, false)
    }
    const messages = Object.entries(attempts).map(async ([name, attempt]) => {
      return [name, await messageOf(attempt)] as const
    })
    return Object.fromEntries(await Promise.all(messages))
  },

  /** Only from other scenarios: serves until it is killed. */
  async daemon() {
    const fuse = await mount.openMount({ mountpoint: place })
    process.stdout.write('mounted')
    return new TinyServer(fuse.fd, new TinyFs(...ids)).run()
  },

  /** Only from other scenarios: answers nothing after INIT. */
  async daemonThatHangs() {
    const fuse = await mount.openMount({ mountpoint: place })
    const fs = new TinyFs(...ids)
    const server = new TinyServer(fuse.fd, fs)
    const ended = server.run()
    while (fs.init === undefined) await new Promise(resolve => setImmediate(resolve))
    server.isAnswering = false
    process.stdout.write('mounted')
    return ended
  },

  /** Only from other scenarios: serves the device that it finds as its fourth descriptor. */
  async heir() {
    const refusal = await codeOf(mount.openMount({ mountpoint: place, inheritedFd: 1 }))
    const fuse = await mount.openMount({ mountpoint: place, inheritedFd: 3 })
    process.stdout.write(refusal)
    const errno = await new TinyServer(fuse.fd, new TinyFs(...ids)).run()
    await fuse.unmount()
    fuse.close()
    return errno
  }
}

function start(name: string, stdio: StdioOptions = ['pipe', 'pipe', 'inherit']): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, SELF, place, name], { stdio })
}

async function daemonThat(name: string): Promise<ChildProcess> {
  const daemon = start(name)
  await firstOutput(daemon)
  return daemon
}

async function daemonThatDies(name: string): Promise<void> {
  const daemon = await daemonThat(name)
  const exited = new Promise(resolve => daemon.once('exit', resolve))
  daemon.kill('SIGKILL')
  await exited
}

function firstOutput(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', chunk => resolve(String(chunk)))
    child.once('exit', status => reject(new Error(`a child ended with ${String(status)}`)))
  })
}

async function exercise(): Promise<unknown> {
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, [EXERCISE, place], { timeout: CHILD_MS })
  return JSON.parse(stdout) as unknown
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error as { code: string }).code
  )
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error as Error).message
  )
}

const results: [string, unknown][] = []
for (const name of scenarios) results.push([name, await SCENARIOS[name]?.()])
process.stdout.write(JSON.stringify(Object.fromEntries(results)))
