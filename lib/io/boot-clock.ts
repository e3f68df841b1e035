/**
 * Time since the machine was started, the same for all threads and processes, which goes on while
 * the machine sleeps. What one session may answer alone is measured by it.
 */

import { bootTime } from './libc.ts'

/** Milliseconds since the start. */
export function bootMs(): number {
  return bootTime()
}
