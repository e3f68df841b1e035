/**
 * A Dovecot master with all its children, as one thing that can be started and stopped.
 *
 * They form a process group of their own with a host name of their own (a private UTS
 * namespace), so that several Dovecots can act as several servers on one machine. If the test
 * process dies, the master gets SIGTERM from the kernel and takes its children along.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'

/** After this a group which was asked to end is killed. */
const STOP_PATIENCE_MS = 15_000

/** How often a process is asked whether it is there; nothing tells when a group is empty. */
const POLL_MS = 20

/** What a command said and how it ended. */
export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export class DovecotProcess {
  readonly #child: ChildProcess
  readonly #pid: number
  #stderr = ''

  /** Runs `argv`, which becomes Dovecot in the foreground. */
  static async start(hostname: string, argv: readonly string[]): Promise<DovecotProcess> {
    const args = ['--pdeathsig', 'TERM', ...withHostname(hostname, argv)]
    const child = spawn('setpriv', args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
    await once(child, 'spawn')
    return new DovecotProcess(child, child.pid ?? 0)
  }

  constructor(child: ChildProcess, pid: number) {
    this.#child = child
    this.#pid = pid
    child.stderr?.setEncoding('latin1').on('data', (text: string) => {
      this.#stderr += text
    })
  }

  /** The master's pid, which is also the id of the process group. */
  get pid(): number {
    return this.#pid
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** What it printed instead of logging it; a wrong configuration is reported that way. */
  get stderr(): string {
    return this.#stderr
  }

  /** Ends the master and every process of the group; returns when none is left. */
  async stop(): Promise<void> {
    if (this.running) this.#child.kill('SIGTERM')
    if (await this.#emptyWithin(STOP_PATIENCE_MS)) return
    this.kill()
    if (await this.#emptyWithin(STOP_PATIENCE_MS)) return
    throw new Error(`processes of Dovecot ${String(this.#pid)} outlive SIGKILL: is a mount stuck?`)
  }

  /** Kills the group at once, as a crash of the machine's mail service would. */
  kill(): void {
    try {
      process.kill(-this.#pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  async #emptyWithin(patienceMs: number): Promise<boolean> {
    const end = performance.now() + patienceMs
    while (this.running || (await isGroupAlive(this.#pid))) {
      if (performance.now() > end) return false
      await pause(POLL_MS)
    }
    return true
  }
}

/** Runs a command under that host name; a command that never returns is killed. */
export function runWithHostname(hostname: string, argv: readonly string[]): Promise<CommandResult> {
  const [program = '', ...args] = withHostname(hostname, argv)
  const options = { encoding: 'latin1', maxBuffer: 1 << 26, timeout: 120_000 } as const
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') {
        reject(new Error(`${argv.join(' ')} did not run to its end`, { cause: error }))
      } else resolve({ code: Number(error?.code ?? 0), stdout, stderr })
    })
  })
}

function withHostname(hostname: string, argv: readonly string[]): string[] {
  return ['unshare', '-u', 'sh', '-c', 'hostname "$0" && exec "$@"', hostname, ...argv]
}

/** Whether a process of the group runs still. A zombie does not: it only waits to be reaped. */
async function isGroupAlive(group: number): Promise<boolean> {
  try {
    process.kill(-group, 0)
  } catch {
    return false
  }
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const stats = await Promise.all(
    pids.map(pid => readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ''))
  )
  return stats.some(stat => {
    const [state, , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(processGroup) === group && state !== 'Z'
  })
}
