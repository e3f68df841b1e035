/**
 * What the main thread and the serving thread know of each other without a message: until when the
 * session may answer alone, and when the serving thread last went round.
 *
 * Both are times by the boot clock, in microseconds, in memory that the threads share.
 */

const VALID_UNTIL = 0
const SERVED_AT = 1

export class SessionWord {
  readonly shared: SharedArrayBuffer
  readonly #words: BigInt64Array

  /** @param shared of another thread's SessionWord; a new one is not valid */
  constructor(shared = new SharedArrayBuffer(16)) {
    this.shared = shared
    this.#words = new BigInt64Array(shared)
  }

  get validUntilMs(): number {
    return Number(Atomics.load(this.#words, VALID_UNTIL)) / 1000
  }

  set validUntilMs(ms: number) {
    Atomics.store(this.#words, VALID_UNTIL, BigInt(Math.floor(ms * 1000)))
  }

  get servedAtMs(): number {
    return Number(Atomics.load(this.#words, SERVED_AT)) / 1000
  }

  set servedAtMs(ms: number) {
    Atomics.store(this.#words, SERVED_AT, BigInt(Math.floor(ms * 1000)))
  }
}
