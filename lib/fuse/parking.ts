/**
 * Ops that wait: for something to come into memory, for the log to become durable, or, in a
 * cluster, for a lease.
 *
 * An op that waits holds nothing and has done nothing; it is run again from its beginning. Only
 * the kernel's own locks (the directory's for CREATE and RENAME, the page's for READ) stay held
 * meanwhile, so nothing here may ever wait for a notification to the kernel, nor for another op:
 * everything waited for comes from the main thread or the sync thread, which wait for no op.
 */

import type { Position, VolumeId } from '../ids.ts'

export interface ParkedOp {
  readonly run: () => void
  readonly fail: (errno: number) => void
  /** For an op that may have to wait for other replicas. */
  readonly bound?: WaitBound
}

/** How long an op waits at the most, and by which number an interrupt names it. */
export interface WaitBound {
  readonly unique: number
  readonly untilMs: number
  /** Its answer when it has waited so long. */
  readonly errno: number
  /** The volume whose lease it needs, if it needs one. */
  readonly volume: VolumeId | undefined
}

interface DurableWait {
  readonly position: Position
  readonly done: () => void
  readonly fail: (errno: number) => void
}

/** Begins the keys of what comes from other replicas. */
const FROM_OTHERS = ['lease:', 'acknowledged:', 'more:']

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

  /** Whether an op that has the lease of a volume waits for something of this replica. */
  isBusyWith(volume: VolumeId): boolean {
    for (const [key, ops] of this.#byKey) {
      if (!isFromOthers(key) && ops.some(({ bound }) => bound?.volume === volume)) return true
    }
    return false
  }

  isWaitedFor(key: string): boolean {
    return this.#byKey.has(key)
  }

  /** Ends the waiting of those whose time is over. */
  expire(nowMs: number): void {
    for (const { bound, fail } of this.#take(op => (op.bound?.untilMs ?? Infinity) <= nowMs)) {
      fail(bound?.errno ?? 0)
    }
  }

  /** @returns whether the request was waiting for other replicas; it has its answer then */
  interrupt(unique: number, errno: number): boolean {
    const [op] = this.#take(({ bound }) => bound?.unique === unique)
    op?.fail(errno)
    return op !== undefined
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

  /** Of ops that wait for other replicas. */
  #take(isMeant: (op: ParkedOp) => boolean): ParkedOp[] {
    const taken: ParkedOp[] = []
    for (const [key, ops] of this.#byKey) {
      const meant = isFromOthers(key) ? ops.filter(isMeant) : []
      if (meant.length === 0) continue
      taken.push(...meant)
      const left = ops.filter(op => !meant.includes(op))
      if (left.length > 0) this.#byKey.set(key, left)
      else this.#byKey.delete(key)
    }
    return taken
  }

  failAll(errno: number): void {
    for (const key of [...this.#byKey.keys()]) this.fail(key, errno)
    const waiting = this.#durable
    this.#durable = []
    for (const wait of waiting) wait.fail(errno)
  }
}

function isFromOthers(key: string): boolean {
  return FROM_OTHERS.some(start => key.startsWith(start))
}
