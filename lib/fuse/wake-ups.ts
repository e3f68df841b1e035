/**
 * Which inodes others have changed, for whoever watches them here (inotify).
 *
 * What is being told to the kernel about inodes passes through. A watcher looks at what it is woken
 * for; so it is woken when the kernel has taken all that, and once for changes that come together.
 */

import type { Ino } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import { WAKE_MTIME_NS, WAKE_RANGE } from '../io/wake-word.ts'
import type { Invalidator } from '../vfs/ports.ts'
import { FATTR } from './abi.ts'
import type { Notifier } from './notifier.ts'
import type { FuseRequest } from './request.ts'

/** So long changes gather. */
const GATHER_MS = 4
/** After so long an op that holds a directory is not waited for. */
const NAMES_MS = 10

interface Batch {
  readonly inos: readonly Ino[]
  readonly madeAtMs: number
  /** Notifications that have to be taken before. */
  readonly inodes: number
  readonly names: number
}

export class WakeUps implements Invalidator {
  readonly #notifier: Notifier
  readonly #clock: Clock
  readonly #wake: (inos: readonly Ino[]) => void
  readonly #changed = new Set<Ino>()
  #changedAtMs = 0
  #batch: Batch | undefined

  constructor(notifier: Notifier, clock: Clock, wake: (inos: readonly Ino[]) => void) {
    this.#notifier = notifier
    this.#clock = clock
    this.#wake = wake
  }

  /** Whether `tick` has something to do soon. */
  get isWaiting(): boolean {
    return this.#changed.size > 0 || this.#batch !== undefined
  }

  invalInode(ino: Ino, offset: number, length: number): void {
    if (this.#changed.size === 0) this.#changedAtMs = this.#clock.monotonicMs()
    this.#changed.add(ino)
    this.#notifier.invalInode(ino, offset, length)
  }

  invalEntry(parent: Ino, name: string): void {
    this.#notifier.invalEntry(parent, name)
  }

  invalNames(): void {
    this.#notifier.invalNames()
  }

  probe(ino: Ino): void {
    this.#notifier.probe(ino)
  }

  /** Time has passed, or notifications were taken. */
  tick(): void {
    if (!this.isWaiting) return
    const now = this.#clock.monotonicMs()
    const batch = (this.#batch ??= this.#gathered(now))
    if (batch === undefined || !this.#notifier.hasTaken('inodes', batch.inodes)) return
    if (!this.#notifier.hasTaken('names', batch.names)) {
      if (now - batch.madeAtMs < NAMES_MS) return
      this.#notifier.invalNames()
    }
    this.#batch = undefined
    this.#wake(batch.inos)
  }

  #gathered(now: number): Batch | undefined {
    if (now - this.#changedAtMs < GATHER_MS) return undefined
    const inos = [...this.#changed]
    this.#changed.clear()
    const sent = (queue: 'inodes' | 'names'): number => this.#notifier.sent(queue)
    return { inos, madeAtMs: now, inodes: sent('inodes'), names: sent('names') }
  }
}

/** Whether the request is there to wake watchers, and to do nothing else; see wake-word.ts. */
export function isWakeUp(request: FuseRequest): boolean {
  if (request.op === 'setattr') {
    return (request.valid & FATTR.MTIME) !== 0 && request.mtime === WAKE_MTIME_NS
  }
  return request.op === 'fallocate' && request.offset === WAKE_RANGE.offset
}
