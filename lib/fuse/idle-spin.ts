/**
 * Whether to look for work a little longer before going to sleep.
 *
 * A sleeper is woken late, by some 10 us, or 70 in a virtual machine, and so is whoever waits for
 * its answer. So after a sleep that was shorter than looking on would have been, the next idle
 * moments begin with looking; until that was in vain. (The halt polling of KVM does the same.)
 * Programs that ask for one thing after the other find the thread awake, and a quiet one sleeps.
 */

import type { Clock } from '../io/clock.ts'

/** How often is looked: some 50 us, as one is a system call. */
const LOOKS = 40
/** A sleep that should have been none, with the time that the waking took. */
const SHORT_SLEEP_MS = 0.15

export class IdleSpin {
  readonly #clock: Clock
  #isOn = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Looks again and again, where that is likely to be worth it. @returns whether it was */
  spin(look: () => boolean): boolean {
    if (!this.#isOn) return false
    for (let i = 0; i < LOOKS; i++) if (look()) return true
    this.#isOn = false
    return false
  }

  /** Sleeps by `sleep`. @returns what that returns */
  sleep<T>(sleep: () => T): T {
    const beganMs = this.#clock.monotonicMs()
    const result = sleep()
    if (this.#clock.monotonicMs() - beganMs < SHORT_SLEEP_MS) this.#isOn = true
    return result
  }
}
