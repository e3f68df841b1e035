/** The times of entries. */

/** Further than this a time is not followed: whoever wrote it had a wrong clock. */
export const CLOCK_SKEW_MAX_NS = 5_000_000_000n

/**
 * The time of an entry behind one of time `last`, where the own clock says `now`; ns since 1970.
 *
 * It is later than `last`, so that whoever compares the times of a directory sees each change, also
 * where a volume has come from a replica whose clock is a little ahead. But it does not follow one
 * that was far ahead: times in files would stay in the future for as long as that clock was.
 */
export function nextTime(now: bigint, last: bigint): bigint {
  return now > last || last - now > CLOCK_SKEW_MAX_NS ? now : last + 1n
}
