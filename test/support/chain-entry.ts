/**
 * Entries whose hash is their whole history, written out: that one history begins with another can
 * be read off.
 */

import type { HistoryPoint } from '../../lib/council/lease-record.ts'
import type { Epoch, Index } from '../../lib/ids.ts'
import type { LogEntry } from '../../lib/volume/history.ts'

export function chainEntry(
  epoch: Epoch,
  after: HistoryPoint,
  value: string,
  hasBodies = false
): LogEntry {
  const before = after.index === 0 ? '' : after.hash
  return {
    epoch,
    index: (after.index + 1) as Index,
    hash: `${before}/${epoch}${value}`,
    previous: after.hash,
    hasBodies
  }
}

export function chainPoint({ epoch, index, hash }: LogEntry): HistoryPoint {
  return { epoch, index, hash }
}

/** Whether history through `longer` goes through `shorter`. */
export function goesThrough(longer: HistoryPoint, shorter: HistoryPoint): boolean {
  if (shorter.index === 0 || shorter.hash === longer.hash) return true
  return longer.index > shorter.index && longer.hash.startsWith(`${shorter.hash}/`)
}
