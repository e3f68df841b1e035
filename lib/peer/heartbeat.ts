/**
 * Whether a peer is still there: it is asked twice a second, and given up when nothing at all has
 * come for a while. A state machine over the time that it is told.
 */

export const PING_MS = 500
/** Nothing came for so long: the peer, or the way to it, is gone. */
export const SILENCE_MS = 3000
/** Looks further apart than this say that it was we who stood still, and nothing of the peer. */
const STANDSTILL_MS = 1500

export class Heartbeat {
  /** How long the last question took; undefined before the first answer. */
  roundTripMs: number | undefined
  #heardMs: number
  #lookedMs: number
  #askedMs = -Infinity
  /** Number of the last question; an answer to an older one says nothing about now. */
  #number = 0
  #isAnswered = true

  constructor(nowMs: number) {
    this.#heardMs = nowMs
    this.#lookedMs = nowMs
  }

  /** Anything came. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs
  }

  /** @returns true when it answers the last question */
  answered(number: number, nowMs: number): boolean {
    if (number !== this.#number || this.#isAnswered) return false
    this.#isAnswered = true
    this.roundTripMs = nowMs - this.#askedMs
    return true
  }

  /** To be called several times a second. @returns the number of a question that is due */
  look(nowMs: number): number | 'silent' | undefined {
    if (nowMs - this.#lookedMs > STANDSTILL_MS) this.#heardMs = nowMs
    this.#lookedMs = nowMs
    if (nowMs - this.#heardMs > SILENCE_MS) return 'silent'
    if (nowMs - this.#askedMs < PING_MS) return undefined
    this.#askedMs = nowMs
    this.#isAnswered = false
    this.#number = (this.#number + 1) % NUMBER_SPAN
    return this.#number
  }
}

const NUMBER_SPAN = 2 ** 32
