/**
 * Which replicas should keep a volume, as things are: its homes, or, while too few of them are up
 * for that, those that are. A missing replica is taken out by a command of the council; nothing is
 * ever acknowledged with fewer copies than the record says.
 */

import { homesOf } from '../council/homes.ts'
import type { ReplicaId, VolumeId } from '../ids.ts'
import type { CopyRule } from '../volume/volume-rules.ts'

/** The stores of a cluster. */
export interface StoreView {
  readonly stores: readonly ReplicaId[]
  /** Those whose sessions are alive. */
  readonly alive: readonly ReplicaId[]
  /** Copies that are wanted. */
  readonly copies: number
}

/** @returns undefined where the rule in force is good */
export function betterRule(
  volume: VolumeId,
  current: CopyRule,
  { stores, alive, copies }: StoreView
): CopyRule | undefined {
  const homes = homesOf(volume, stores, copies)
  const wanted = { dataSet: homes, copies: Math.min(copies, homes.length) }
  const isUp = (replica: ReplicaId): boolean => alive.includes(replica)
  if (homes.every(isUp)) return isSame(current, wanted) ? undefined : wanted
  const up = current.dataSet.filter(isUp)
  const candidates = homes.filter(isUp)
  const copiesPossible = Math.min(wanted.copies, candidates.length)
  if (up.length >= current.copies && current.copies >= copiesPossible) return undefined
  if (candidates.length === 0) return undefined
  const next = { dataSet: candidates, copies: copiesPossible }
  return isSame(current, next) ? undefined : next
}

function isSame(a: CopyRule, b: CopyRule): boolean {
  return a.copies === b.copies && a.dataSet.join() === b.dataSet.join()
}
