/**
 * Time that goes on while the machine sleeps, and is the same in all threads and processes.
 *
 * Leases are counted by it: a machine that was suspended must find them run out.
 */

import * as libc from './libc.ts'

const CLOCK_BOOTTIME = 7

/** Milliseconds since the machine was started, with fractions; never goes back. */
export function bootMs(): number {
  return libc.clockMs(CLOCK_BOOTTIME)
}
