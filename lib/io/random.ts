/** Chance, for what must not be guessed or must not fall together. */

import { randomBytes } from 'node:crypto'

/** That nobody can guess. */
export function drawBytes(count: number): Buffer {
  return randomBytes(count)
}

/** A number from 0 up to, and without, 1; good enough to spread what should not coincide. */
export function drawUnit(): number {
  return Math.random()
}
