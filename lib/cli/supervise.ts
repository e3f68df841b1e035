/**
 * The parent of a daemon: keeps the FUSE device, and starts the daemon again when it dies.
 *
 * While this process has the device, the kernel keeps the mount and what was asked of it, and the
 * next daemon goes on with both. It does as little as it can, and loads as little, so that it has
 * no reason to die: it reads no configuration and touches no data. The next daemon has loaded the
 * program before it is needed. When the daemon cannot be kept alive the connection is ended, so
 * that nobody waits for ever.
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { release } from 'node:os'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { TakenOver } from '../replica.ts'
import { isRoot, openFuseDevice } from '../io/fuse-device.ts'
import {
  HANDED_FD,
  SUPERVISED,
  type FromDaemon,
  type HandedDown,
  type SpareMark
} from './handed-down.ts'

const EX_SOFTWARE = 70
/** Without the option that says how often; the one after these is not. */
const RESTARTS_MAX = 4
const DEATHS_MS = 60_000
/** Before the second start in that time; doubled for each further one. The first is at once. */
const PAUSE_MS = 100
const PAUSE_MS_MAX = 1000
/** A daemon that has begun to serve has better things to do than to share the processors. */
const SPARE_AFTER_MS = 1000
const SPARE: SpareMark = 'spare'
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** The first Linux that sends requests again to whoever takes a mount over. */
const LINUX_MIN = [6, 9] as const

/** Whether the command that `argv` gives is to be run under a supervisor, and is not yet. */
export function wantsSupervisor(argv: readonly string[]): boolean {
  const [, , verb, ...args] = argv
  if (verb !== 'mount' || process.env[SUPERVISED] !== undefined) return false
  return !args.some(arg => /^--(no-supervise|daemon|fuse-fd(=.*)?|help)$|^-h$/.test(arg))
}

/** Runs the command as a supervised daemon. @returns the exit code */
export async function supervise(argv: readonly string[]): Promise<number> {
  return new Supervisor(argv).run()
}

interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

class Supervisor {
  readonly #argv: readonly string[]
  readonly #stop = new AbortController()
  #device: number | undefined
  #mount: Omit<TakenOver, 'done'> | undefined
  #done: TakenOver['done'] = []
  #hasServed = false
  #child: ChildProcess | undefined
  /** Has loaded the program, and waits for the daemon's death. */
  #spare: ChildProcess | undefined
  #spareTimer: NodeJS.Timeout | undefined
  #restarts = 0
  #deaths: number[] = []

  constructor(argv: readonly string[]) {
    this.#argv = argv
  }

  async run(): Promise<number> {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        this.#stop.abort()
        this.#child?.kill(signal)
      })
    }
    try {
      return await this.#runUntilOver()
    } finally {
      // A spare ends with its channel.
      clearTimeout(this.#spareTimer)
      this.#spare?.stdio[HANDED_FD.CHANNEL]?.destroy()
      this.#spare?.unref()
    }
  }

  async #runUntilOver(): Promise<number> {
    for (;;) {
      const end = await this.#runOnce()
      if (end.code === 0) return 0
      const why = this.#reasonToGiveUp(end)
      if (why !== undefined) return this.#giveUp(end, why)
      await this.#pause()
      if (this.#stop.signal.aborted) return this.#giveUp(end, 'it was told to end')
      this.#restarts++
      process.stderr.write(`roost: the daemon ${wordsFor(end)}; it is started again\n`)
    }
  }

  /** Ends early when this process is told to end. */
  async #pause(): Promise<void> {
    if (this.#deaths.length < 2) return
    const ms = Math.min(PAUSE_MS * 2 ** (this.#deaths.length - 2), PAUSE_MS_MAX)
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined)
  }

  /** Starts the daemon. @returns how it ended */
  async #runOnce(): Promise<End> {
    const comm = await this.#openComm()
    this.#device ??= comm === undefined ? openDevice() : undefined
    const mount = this.#mount
    const handedDown: HandedDown = {
      pid: process.pid,
      restarts: this.#restarts,
      hasDevice: this.#device !== undefined,
      ...(mount && { takenOver: { ...mount, done: this.#done } })
    }
    const words = JSON.stringify(handedDown)
    const child = this.#takeSpare(words) ?? this.#spawn(words, comm?.theirs)
    this.#child = child
    if (comm !== undefined) closeSync(comm.theirs)
    const lines = createInterface({ input: child.stdio[HANDED_FD.CHANNEL] as Duplex })
    lines.on('line', line => {
      this.#hear(JSON.parse(line) as FromDaemon, comm?.receive)
    })
    // Its last words are here before its end is.
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        comm?.close()
        resolve({ code, signal })
      })
    })
  }

  #spawn(handedDown: string, socket?: number): ChildProcess {
    return spawn(process.execPath, [...process.execArgv, ...this.#argv.slice(1)], {
      // In a session of its own it hears of a Ctrl-C from here alone, and so once.
      detached: true,
      stdio: ['inherit', 'inherit', 'inherit', this.#device ?? 'ignore', 'pipe', socket],
      env: { ...process.env, [SUPERVISED]: handedDown }
    })
  }

  #prepareSpare(): void {
    if (this.#device === undefined || !canResend()) return
    clearTimeout(this.#spareTimer)
    this.#spareTimer = setTimeout(() => {
      if (this.#stop.signal.aborted || this.#spare !== undefined) return
      const spare = this.#spawn(SPARE)
      this.#spare = spare
      const forget = (): void => {
        if (this.#spare === spare) this.#spare = undefined
      }
      spare.once('error', forget).once('exit', forget)
    }, SPARE_AFTER_MS).unref()
  }

  #takeSpare(handedDown: string): ChildProcess | undefined {
    const spare = this.#spare
    this.#spare = undefined
    if (spare === undefined) return undefined
    spare.removeAllListeners()
    const channel = spare.stdio[HANDED_FD.CHANNEL] as Duplex
    // One that is just dying is seen to end, as any daemon is.
    channel.on('error', () => undefined)
    channel.write(`${handedDown}\n`)
    return spare
  }

  #hear(line: FromDaemon, receive: (() => number | undefined) | undefined): void {
    if (line.type === 'mounted') {
      this.#mount = line.mount
      this.#device ??= receive?.()
    } else {
      this.#done = line.done
      this.#hasServed = true
      this.#prepareSpare()
    }
  }

  /** Who is not root gets the device from a helper program of the daemon, and then from there. */
  async #openComm(): Promise<Comm | undefined> {
    if (isRoot() || this.#device !== undefined) return undefined
    const libc = await import('../io/libc.ts')
    const [ours, theirs] = libc.socketpair()
    return {
      theirs,
      receive: () => libc.receiveFd(ours),
      close: () => {
        closeSync(ours)
      }
    }
  }

  #reasonToGiveUp(end: End): string | undefined {
    if (this.#stop.signal.aborted) return 'it was told to end'
    if (!this.#hasServed) return 'it did not get to serve'
    if (this.#device === undefined) return 'the device is not here'
    if (!canResend()) return `this kernel needs to be Linux ${LINUX_MIN.join('.')} or newer`
    const now = Date.now()
    this.#deaths = [...this.#deaths, now].filter(at => now - at < DEATHS_MS)
    if (this.#deaths.length <= restartsIn(this.#argv)) return undefined
    process.stderr.write(`roost: the daemon ${wordsFor(end)}\n`)
    const times = this.#deaths.length === 1 ? 'once' : `${this.#deaths.length} times`
    return `it died ${times} within ${DEATHS_MS / 1000} s`
  }

  /** Ends the mount if it is still there: who waits for it gets an error. */
  async #giveUp({ code }: End, why: string): Promise<number> {
    if (this.#hasServed && !this.#stop.signal.aborted) {
      process.stderr.write(`roost: the daemon is not started again: ${why}\n`)
    }
    if (this.#device !== undefined) closeSync(this.#device)
    if (this.#mount !== undefined) {
      const { place, connection } = this.#mount
      const { forceUnmount, fuseMountAt } = await import('../fuse/mount-state.ts')
      if (fuseMountAt(place)?.deviceMinor === connection) await forceUnmount(place)
    }
    return code ?? EX_SOFTWARE
  }
}

/** What the option says, which the daemon has found to be a number before it served. */
function restartsIn(argv: readonly string[]): number {
  const at = argv.findLastIndex(arg => /^--restarts(=|$)/.test(arg))
  const [, value = argv[at + 1]] = argv[at]?.split('=') ?? []
  return at < 0 ? RESTARTS_MAX : Number(value)
}

/** A socket over which a device can come. */
interface Comm {
  readonly theirs: number
  readonly receive: () => number | undefined
  readonly close: () => void
}

/** The daemon says why it cannot be opened. */
function openDevice(): number | undefined {
  try {
    return openFuseDevice()
  } catch {
    return undefined
  }
}

function canResend(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  return major > LINUX_MIN[0] || (major === LINUX_MIN[0] && minor >= LINUX_MIN[1])
}

function wordsFor({ code, signal }: End): string {
  return signal === null ? `ended with exit code ${String(code)}` : `was ended by ${signal}`
}
