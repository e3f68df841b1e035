/**
 * Ops that wait: for something to come into memory, or for the log to become durable.
 *
 * An op that waits holds nothing and has done nothing; it is run again from its beginning. Only
 * the kernel's own locks (the directory's for CREATE and RENAME, the page's for READ) stay held
 * meanwhile, so nothing here may ever wait for a notification to the kernel, nor for another op:
 * everything waited for comes from the main thread or the sync thread, which wait for no op.
 */

import type { Position } from '../ids.ts'

export interface ParkedOp {
  readonly run: () => void
  readonly fail: (errno: number) => void
}

interface DurableWait {
  readonly position: Position
  readonly done: () => void
  readonly fail: (errno: number) => void
}

export class Parking {
  readonly #byKey = new Map<string, ParkedOp[]>()
  #durable: DurableWait[] = []

  /** Ops that wait now. */
  get size(): number {
    let size = this.#durable.length
    for (const ops of this.#byKey.values()) size += ops.length
    return size
  }

  park(key: string, op: ParkedOp): void {
    const ops = this.#byKey.get(key)
    if (ops === undefined) this.#byKey.set(key, [op])
    else ops.push(op)
  }

  /** What `key` stands for has come: runs the ops that waited for it, in their order. */
  resume(key: string): void {
    const ops = this.#byKey.get(key)
    this.#byKey.delete(key)
    for (const op of ops ?? []) op.run()
  }

  /** What `key` stands for will not come. */
  fail(key: string, errno: number): void {
    const ops = this.#byKey.get(key)
    this.#byKey.delete(key)
    for (const op of ops ?? []) op.fail(errno)
  }

  untilDurable(position: Position, done: () => void, fail: (errno: number) => void): void {
    this.#durable.push({ position, done, fail })
  }

  durableThrough(position: Position): void {
    if (this.#durable.length === 0) return
    const waiting = this.#durable
    this.#durable = waiting.filter(wait => wait.position > position)
    for (const wait of waiting) if (wait.position <= position) wait.done()
  }

  failAll(errno: number): void {
    for (const key of [...this.#byKey.keys()]) this.fail(key, errno)
    const waiting = this.#durable
    this.#durable = []
    for (const wait of waiting) wait.fail(errno)
  }
}
