/**
 * How far a feed is written, wanted and durable, shared by the threads that work on it.
 *
 * The serving thread asks (`request`), the sync thread waits, syncs and reports (`report`). A
 * position only grows. The one who follows the durable part asks to be told (`wantNews`) and is
 * told once.
 */

import type { Position } from '../ids.ts'

const SIGNAL = 0
const STATE = 1
const NEWS_WANTED = 2
const INT_WORDS = 4
const REQUESTED = 0
const DURABLE = 1
const LONG_WORDS = 2

export type FeedState = 'running' | 'stopped' | 'failed'
const STATES: readonly FeedState[] = ['running', 'stopped', 'failed']

export class FeedProgress {
  readonly shared: SharedArrayBuffer
  readonly #ints: Int32Array
  readonly #longs: BigInt64Array

  /** @param shared of another thread's FeedProgress; a new one begins at nothing */
  constructor(shared = new SharedArrayBuffer(INT_WORDS * 4 + LONG_WORDS * 8)) {
    this.shared = shared
    this.#ints = new Int32Array(shared, 0, INT_WORDS)
    this.#longs = new BigInt64Array(shared, INT_WORDS * 4, LONG_WORDS)
  }

  get requested(): Position {
    return Number(Atomics.load(this.#longs, REQUESTED)) as Position
  }

  get durable(): Position {
    return Number(Atomics.load(this.#longs, DURABLE)) as Position
  }

  get state(): FeedState {
    return STATES[Atomics.load(this.#ints, STATE)] ?? 'failed'
  }

  /** Asks for everything below `position` to be made durable. */
  request(position: Position): void {
    if (position <= this.requested) return
    Atomics.store(this.#longs, REQUESTED, BigInt(position))
    this.#wake()
  }

  /** Ends the sync thread's waiting for good. */
  end(state: 'stopped' | 'failed'): void {
    Atomics.store(this.#ints, STATE, STATES.indexOf(state))
    this.#wake()
  }

  /** Blocks until more is requested than is durable, or the end. @returns the state then */
  await(): FeedState {
    for (;;) {
      const signal = Atomics.load(this.#ints, SIGNAL)
      const { state } = this
      if (state !== 'running' || this.requested > this.durable) return state
      Atomics.wait(this.#ints, SIGNAL, signal)
    }
  }

  /** @returns whether somebody wanted to be told */
  report(durable: Position): boolean {
    Atomics.store(this.#longs, DURABLE, BigInt(durable))
    return Atomics.exchange(this.#ints, NEWS_WANTED, 0) === 1
  }

  /** The next `report` is to be told. */
  wantNews(): void {
    Atomics.store(this.#ints, NEWS_WANTED, 1)
  }

  #wake(): void {
    Atomics.add(this.#ints, SIGNAL, 1)
    Atomics.notify(this.#ints, SIGNAL)
  }
}
