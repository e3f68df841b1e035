/** From counts of requests before and after to requests for each thing done. */

import type { RequestCounts } from './bench-target.ts'

/** Of these the kernel expects no answer, so nobody waits for them. */
const WITHOUT_REPLY = new Set(['FORGET', 'BATCH_FORGET', 'INTERRUPT'])

/** What was asked between the two counts, for each of `units` things done; rarest last. */
export function requestsPerUnit(
  before: RequestCounts | undefined,
  after: RequestCounts | undefined,
  units: number
): RequestCounts | undefined {
  if (before === undefined || after === undefined) return undefined
  const shares = Object.entries(after)
    .map(([opcode, count]) => [opcode, (count - (before[opcode] ?? 0)) / units] as const)
    .filter(([, share]) => share > 0)
  return Object.fromEntries(shares.toSorted(([, a], [, b]) => b - a))
}

/** Requests that somebody waited for. */
export function roundTripsOf(requests: RequestCounts): number {
  return Object.entries(requests)
    .filter(([opcode]) => !WITHOUT_REPLY.has(opcode))
    .reduce((sum, [, count]) => sum + count, 0)
}
