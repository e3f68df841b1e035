/**
 * How many notifications the kernel has taken, shared by the threads that write them and the one
 * that has made them.
 */

/** What the kernel may have to wait for: the pages of a file, or the lock of a directory. */
export type NotifyQueue = 'inodes' | 'names'

const PLACE: Record<NotifyQueue, number> = { inodes: 0, names: 1 }

export class NotifyCount {
  readonly shared: SharedArrayBuffer
  readonly #words: Int32Array

  /** @param shared of another thread's NotifyCount; a new one begins at nothing */
  constructor(shared = new SharedArrayBuffer(8)) {
    this.shared = shared
    this.#words = new Int32Array(shared)
  }

  taken(queue: NotifyQueue): number {
    return Atomics.load(this.#words, PLACE[queue])
  }

  take(queue: NotifyQueue): void {
    Atomics.add(this.#words, PLACE[queue], 1)
  }
}
