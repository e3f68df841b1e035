/** Whether it is the own clock that is wrong, where clocks differ. */

/** Members whose clocks differ by no more are taken to have the same time. */
export const CLOCK_OFFSET_MAX_MS = 5000

/**
 * How far the own clock is off, in ms, ahead if above zero, if it is it that is off: most of all
 * clocks have to say so. Two cannot tell which of them is wrong, so it takes three.
 *
 * @param offsets how far the clocks of those who are connected are ahead of ours
 */
export function ownClockOffset(offsets: readonly number[]): number | undefined {
  if (offsets.length < 2) return undefined
  const sorted = [0, ...offsets].sort((a, b) => a - b)
  const [lower = 0, upper = 0] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  // Of two in the middle the one that is nearer to ours counts.
  const middle = Math.abs(lower) < Math.abs(upper) ? lower : upper
  return Math.abs(middle) > CLOCK_OFFSET_MAX_MS ? -middle : undefined
}

/** '3600.0 s ahead' */
export function offsetText(offsetMs: number): string {
  return `${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs > 0 ? 'ahead' : 'behind'}`
}
