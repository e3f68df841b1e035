/** What must be true of one volume over all replicas, whatever happens. */

import type { HistoryPoint } from '../../lib/council/lease-record.ts'
import { EMPTY_HISTORY, type LeaseRecord } from '../../lib/council/lease-record.ts'
import type { ReplicaId } from '../../lib/ids.ts'
import { pointAt } from '../../lib/volume/history.ts'
import { goesThrough } from './chain-entry.ts'
import { Violation, type VolumeEvent, type VolumeReplica } from './volume-replica.ts'

export interface CheckedHistory {
  /** The longest that was ever acknowledged. */
  acknowledged: HistoryPoint
  /** The longest that each epoch's holder acknowledged. */
  byEpoch: Map<number, HistoryPoint>
  /** First entry of each epoch that began. */
  begun: Map<number, HistoryPoint>
  /** The hash of each entry ever made, by epoch and index. */
  made: Map<string, string>
}

export function emptyCheckedHistory(): CheckedHistory {
  return { acknowledged: EMPTY_HISTORY, byEpoch: new Map(), begun: new Map(), made: new Map() }
}

/** Changes `checked` by what happened. @throws Violation */
export function checkEvent(checked: CheckedHistory, event: VolumeEvent): void {
  switch (event.kind) {
    case 'taken':
      for (const point of event.points) checkMade(checked, point)
      return
    case 'committed':
      return checkCommitted(checked, event.epoch, event.point)
    case 'holding':
      if (checked.begun.has(event.epoch)) throw new Violation(`epoch ${event.epoch} began twice`)
      // One that begins late, when a later epoch has begun, will find nobody to acknowledge it.
      for (const [epoch, point] of checked.byEpoch) {
        if (epoch < event.epoch && !goesThrough(event.point, point)) {
          throw new Violation(`epoch ${event.epoch} begins without what was acknowledged`)
        }
      }
      checked.begun.set(event.epoch, event.point)
      return
    case 'exposed':
      if (!event.isHolder && !goesThrough(checked.acknowledged, event.point)) {
        throw new Violation('a follower shows what is not acknowledged')
      }
      return
    default:
      return
  }
}

/** What is acknowledged is durable on as many of the data set in force as it owes. */
export function checkCopies(
  { acknowledged }: CheckedHistory,
  { dataSet, copies }: LeaseRecord,
  replicaOf: (replica: ReplicaId) => VolumeReplica
): void {
  let count = 0
  for (const member of dataSet) {
    const { history } = replicaOf(member).disk
    const isBelow = acknowledged.index < history.base.index
    if (isBelow || pointAt(history, acknowledged.index)?.hash === acknowledged.hash) count++
  }
  if (count < copies) {
    throw new Violation(`${acknowledged.hash} has ${count} copies on ${dataSet.join(' ')}`)
  }
}

function checkMade({ made }: CheckedHistory, { epoch, index, hash }: HistoryPoint): void {
  const place = `${epoch}.${index}`
  const other = made.get(place)
  if (other !== undefined && other !== hash) throw new Violation(`two entries are ${place}`)
  made.set(place, hash)
}

function checkCommitted(checked: CheckedHistory, epoch: number, point: HistoryPoint): void {
  for (const [later, begun] of checked.begun) {
    if (later > epoch && !goesThrough(begun, point)) {
      throw new Violation(`epoch ${epoch} acknowledges what epoch ${later} has not`)
    }
  }
  checked.byEpoch.set(epoch, point)
  if (goesThrough(checked.acknowledged, point)) return
  if (!goesThrough(point, checked.acknowledged)) {
    throw new Violation(`${checked.acknowledged.hash} was acknowledged, and now ${point.hash}`)
  }
  checked.acknowledged = point
}
