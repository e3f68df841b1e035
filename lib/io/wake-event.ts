/**
 * How other threads get the attention of one that sleeps in poll(2), or is about to.
 *
 * A word in shared memory says that there is something; the sleeper looks at it between two pieces
 * of work. The event descriptor is written to only when it sleeps, so that telling a busy thread
 * costs no system call on either side.
 *
 * Invariant: nothing told is ever slept over. The sleeper says that it sleeps before it looks at
 * the word for the last time; who tells sets the word before it looks whether somebody sleeps.
 */

import * as libc from './libc.ts'

const TOLD = 0
const ASLEEP = 1

const one = Buffer.alloc(8)
one.writeBigUInt64LE(1n)
const sink = Buffer.alloc(8)

/** What another thread needs to use the same event. */
export interface WakeEventParts {
  readonly fd: number
  readonly words: SharedArrayBuffer
}

export class WakeEvent {
  readonly parts: WakeEventParts
  readonly #words: Int32Array

  /** @param parts of an event that another thread has opened, and closes */
  constructor(parts: WakeEventParts) {
    this.parts = parts
    this.#words = new Int32Array(parts.words)
  }

  /** A new event. Whoever opened it closes it. */
  static open(): WakeEvent {
    return new WakeEvent({ fd: libc.eventfd(), words: new SharedArrayBuffer(8) })
  }

  /** The descriptor that can be read once the sleeper was woken. */
  get fd(): number {
    return this.parts.fd
  }

  /** Tells the one who sleeps, or will look soon. For any thread but that one. */
  tell(): void {
    Atomics.store(this.#words, TOLD, 1)
    if (Atomics.exchange(this.#words, ASLEEP, 0) === 1) libc.write(this.fd, one, 8)
  }

  /** Whether something was told since this was last asked; looked at before the news itself. */
  take(): boolean {
    return this.isTold && Atomics.exchange(this.#words, TOLD, 0) === 1
  }

  /** Whether `take` would say so. */
  get isTold(): boolean {
    return Atomics.load(this.#words, TOLD) === 1
  }

  /** Announces that the caller will poll `fd`. @returns false when there is something already */
  beginSleep(): boolean {
    Atomics.store(this.#words, ASLEEP, 1)
    if (Atomics.load(this.#words, TOLD) === 0) return true
    Atomics.store(this.#words, ASLEEP, 0)
    return false
  }

  /** @param isReadable what poll said of `fd` */
  endSleep(isReadable: boolean): void {
    Atomics.store(this.#words, ASLEEP, 0)
    if (isReadable) libc.read(this.fd, sink, 8)
  }

  close(): void {
    libc.close(this.fd)
  }
}
