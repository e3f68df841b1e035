/**
 * The process that wakes watchers of a mount, as its daemon has it: begun when there first is
 * something to tell, and again when it has died. What it does not take is kept, each inode once.
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from './logger.ts'
import { after } from './timer.ts'

/** Between two starts. */
const RESTART_MS = 1000
/** One that waits for the mount ends only when it is answered. */
const END_MS = 1000

export interface WakerOptions {
  readonly mountpoint: string
  /** The number of the kernel's connection, which is that of the mount's device as well. */
  readonly connection: number
  readonly logger: Logger
}

export class Waker {
  readonly #options: WakerOptions
  readonly #changed = new Set<number>()
  #child: ChildProcess | undefined
  #hasRoom = true
  #isPaused = false
  #isClosed = false

  constructor(options: WakerOptions) {
    this.#options = options
  }

  /** These inodes have changed, and the kernel has been told. */
  wake(inos: readonly number[]): void {
    for (const ino of inos) this.#changed.add(ino)
    this.#pass()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const child = this.#child
    if (child === undefined) return
    const exited = new Promise<void>(resolve => {
      child.once('exit', () => {
        resolve()
      })
      after(END_MS, resolve)
    })
    child.kill('SIGKILL')
    await exited
  }

  #pass(): void {
    if (this.#isClosed || this.#changed.size === 0) return
    const child = (this.#child ??= this.#isPaused ? undefined : this.#start())
    if (child?.stdin === undefined || !this.#hasRoom) return
    this.#hasRoom = child.stdin?.write(`${JSON.stringify([...this.#changed])}\n`) === true
    this.#changed.clear()
  }

  #start(): ChildProcess {
    const { mountpoint, connection, logger } = this.#options
    const args = [...process.execArgv, beside('./waker-process'), mountpoint, String(connection)]
    // Of the daemon's descriptors it has none: the device would outlive the daemon with it.
    const stdio = ['pipe', 'ignore', 'inherit', 'ignore', 'ignore', 'ignore'] as const
    const child = spawn(process.execPath, args, { stdio: [...stdio] })
    this.#hasRoom = true
    this.#isPaused = true
    after(RESTART_MS, () => {
      this.#isPaused = false
      this.#pass()
    })
    child.stdin?.on('drain', () => {
      this.#hasRoom = true
      this.#pass()
    })
    // Its end is told as well.
    child.stdin?.on('error', () => undefined)
    child.once('error', error => {
      logger.warn(`watchers are not woken: ${error.message}`)
      this.#child = undefined
    })
    child.once('exit', () => {
      this.#child = undefined
      this.#pass()
    })
    child.unref()
    return child
  }
}

/** A module that is a program, with the ending that this one has. */
function beside(path: string): string {
  return fileURLToPath(new URL(`${path}${extname(import.meta.url)}`, import.meta.url))
}
