/**
 * A Roost mount for a test or the bench, served by a process of its own through the built command
 * line tool, the way that an admin runs it.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Status } from '../../lib/host/status.ts'
import { requireFuse, requireRoot } from './prerequisites.ts'

const run = promisify(execFile)

/** The command line tool; the tests run what is built. */
export const ROOST = fileURLToPath(new URL('../../dist/bin/roost.js', import.meta.url))

/** Starts a program as a shell would: the test runner loads itself into each that is Node.js. */
export const PLAINLY = ['env', '-u', 'NODE_OPTIONS'] as const

const PATIENCE_MS = 60_000

/** What of a test is needed here, so that the bench can do without one. */
export interface Teardown {
  teardown(task: () => Promise<unknown>): unknown
}

export interface RoostMountOptions {
  /** Data directory and mount point are made below, and removed with it by who made it. */
  readonly directory?: string
  /** Uid and gid that the root of the mount is given to. */
  readonly owner?: number
  readonly initArgs?: readonly string[]
  readonly mountArgs?: readonly string[]
  /** Under a supervisor, whose pid and end are then those of the mount. False if not given. */
  readonly isSupervised?: boolean
}

export interface RoostMount {
  readonly mountpoint: string
  readonly dataDir: string
  readonly pid: number
  /** Everything that the daemon has written to stderr. */
  errors(): string
  status(): Promise<Status>
  /** Unmounts in an orderly way, by SIGTERM if not told else. @returns the daemon's exit code */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** Resolves when it has ended by itself, with its exit code. */
  ended(): Promise<number | null>
  /** kill -9 of the daemon; the dead mount is taken away. */
  kill(): Promise<void>
  /** Serves the same data directory again. */
  restart(): Promise<void>
}

interface RunError {
  readonly code: unknown
  readonly killed?: boolean
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs the built tool.
 *
 * @returns what it printed; exit code 0 or not
 * @throws what execFile throws when it did not end by itself in time
 */
export async function runRoost(
  ...args: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const [program, ...words] = [...PLAINLY, process.execPath, ROOST, ...args]
    const result = await run(program, words, { timeout: PATIENCE_MS })
    return { code: 0, ...result }
  } catch (error) {
    const { code, killed, stdout, stderr } = error as RunError
    if (typeof code !== 'number' || killed === true) throw error
    return { code, stdout, stderr }
  }
}

/** A fresh store, mounted. It goes with the test. */
export async function mountRoost(
  t?: Teardown,
  options: RoostMountOptions = {}
): Promise<RoostMount> {
  requireRoot()
  requireFuse()
  if (!existsSync(ROOST)) throw new Error(`${ROOST} is missing: "npm run build" makes it`)
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'roost-')))
  const [dataDir, mountpoint] = [join(directory, 'data'), join(directory, 'mnt')]
  const supervision = options.isSupervised === true ? [] : ['--no-supervise']
  const mountArgs = [...supervision, ...(options.mountArgs ?? [])]
  const mount = new ServedMount(dataDir, mountpoint, mountArgs)
  t?.teardown(async () => {
    await mount.clear()
    if (options.directory === undefined) await rm(directory, { recursive: true, force: true })
  })
  // Mail users pass through here on their way to the mount.
  await chmod(directory, 0o755)
  await mkdir(mount.mountpoint, { recursive: true })
  if (!existsSync(join(mount.dataDir, 'roost.json'))) {
    const made = await runRoost('init', '--data', mount.dataDir, ...(options.initArgs ?? []))
    if (made.code !== 0) throw new Error(made.stderr)
  }
  await mount.restart()
  if (options.owner !== undefined) {
    await run('chown', [`${options.owner}:${options.owner}`, mount.mountpoint], {
      timeout: PATIENCE_MS
    })
  }
  return mount
}

class ServedMount implements RoostMount {
  readonly dataDir: string
  readonly mountpoint: string
  readonly #mountArgs: readonly string[]
  #daemon: ChildProcess | undefined
  #exit: Promise<number | null> = Promise.resolve(null)
  #errors = ''

  constructor(dataDir: string, mountpoint: string, mountArgs: readonly string[]) {
    this.dataDir = dataDir
    this.#mountArgs = mountArgs
    this.mountpoint = mountpoint
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0
  }

  errors(): string {
    return this.#errors
  }

  async restart(): Promise<void> {
    const mount = ['mount', this.mountpoint, '--data', this.dataDir, ...this.#mountArgs]
    const [program, ...args] = [...PLAINLY, process.execPath, ROOST, ...mount]
    const daemon = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#daemon = daemon
    this.#exit = new Promise(resolve => daemon.once('exit', resolve))
    daemon.stderr.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()))
    await new Promise<void>((resolve, reject) => {
      daemon.stdout.once('data', () => {
        resolve()
      })
      daemon.once('exit', code => {
        reject(new Error(`roost mount ended with ${String(code)}: ${this.#errors}`))
      })
    })
  }

  async status(): Promise<Status> {
    const { stdout, stderr } = await runRoost('status', '--data', this.dataDir, '--json')
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as Status
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#daemon?.kill(signal)
    return this.#exit
  }

  ended(): Promise<number | null> {
    return this.#exit
  }

  async kill(): Promise<void> {
    this.#daemon?.kill('SIGKILL')
    await this.#exit
    await run('umount', ['-l', this.mountpoint], { timeout: PATIENCE_MS })
  }

  /** Takes away the daemon and the mount, whatever state they are in. */
  async clear(): Promise<void> {
    if (this.#daemon?.exitCode === null && this.#daemon.signalCode === null) {
      this.#daemon.kill('SIGTERM')
      const patience = setTimeout(() => this.#daemon?.kill('SIGKILL'), PATIENCE_MS / 2)
      await this.#exit
      clearTimeout(patience)
    }
    try {
      await run('umount', ['-l', this.mountpoint], { timeout: PATIENCE_MS })
    } catch {
      // It was unmounted in an orderly way.
    }
  }
}
