/** A time that a program sets, as far as it can be kept. */

import { WAKE_MTIME_NS } from '../io/wake-word.ts'

export const NS_PER_S = 1_000_000_000
/** So many fit into 64 bits as nanoseconds, before and after 1970: into the year 2262. */
const SECONDS_MAX = 2n ** 63n / BigInt(NS_PER_S) - 1n

/**
 * In ns since 1970. What is beyond becomes the furthest that there is, as ext4 does it; but for the
 * one that is no time but a word.
 */
export function keepableTime(seconds: bigint, nsec: number): bigint {
  const time = seconds * BigInt(NS_PER_S) + BigInt(nsec)
  if (time === WAKE_MTIME_NS) return time
  if (seconds < -SECONDS_MAX) return -SECONDS_MAX * BigInt(NS_PER_S)
  if (seconds > SECONDS_MAX) return SECONDS_MAX * BigInt(NS_PER_S)
  return time
}
