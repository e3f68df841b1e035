/** The machine's own clocks. */

import type { Clock } from './clock.ts'

/** The clock that a daemon runs by; tests bring a simulated one. */
export class SystemClock implements Clock {
  // The monotonic clock says with nanoseconds how far we are from a moment whose wall time is
  // known; Date alone has milliseconds, and mtimes that tie make Dovecot read a maildir again.
  #wallNs = 0n
  #monotonicNs = 0n

  constructor() {
    this.#anchor(process.hrtime.bigint())
  }

  nowNs(): bigint {
    const monotonicNs = process.hrtime.bigint()
    const guessNs = this.#wallNs + (monotonicNs - this.#monotonicNs)
    const offNs = BigInt(Date.now()) * NS_PER_MS - guessNs
    if (offNs < -STEP_NS || offNs > STEP_NS) return this.#anchor(monotonicNs)
    return guessNs
  }

  monotonicMs(): number {
    return performance.now()
  }

  /** Starts anew from the wall clock, which somebody set or which drifted away from ours. */
  #anchor(monotonicNs: bigint): bigint {
    this.#monotonicNs = monotonicNs
    this.#wallNs = BigInt(Date.now()) * NS_PER_MS
    return this.#wallNs
  }
}

const NS_PER_MS = 1_000_000n

/** How far ours may be from the wall clock, which is itself only exact to a millisecond. */
const STEP_NS = 2n * NS_PER_MS
