/** Which connection stays when two replicas have more than one with each other. */

import type { ReplicaId } from '../ids.ts'
import { HANDSHAKE_MS } from './connection.ts'
import type { Connection } from './connection.ts'

export type Contender = Pick<Connection, 'hello' | 'isEnding' | 'replica' | 'target' | 'upSinceMs'>

/**
 * Whether `fresh`, about to be welcomed, is to be the connection with its replica.
 *
 * Both sides come to the same answer. When both have dialled at the same time, what the lower
 * number dialled stays, and if the lower number is far enough with that, it never welcomes what
 * the other dialled: so a connection that is up does not give way to its twin. Else a later run
 * wins, and then what is newer: nobody would have dialled whose older connection was alive.
 *
 * @param old what was welcomed before; `dialled` is what this side dialled and that is not yet
 *   welcomed, perhaps `fresh` itself
 */
export function isChosen(
  fresh: Contender,
  { old, dialled }: { old: Contender | undefined; dialled: Contender | undefined },
  self: ReplicaId,
  nowMs: number
): boolean {
  if (old !== undefined && !old.isEnding && !replaces(fresh, old, self, nowMs)) return false
  if (dialled === undefined || dialled === fresh || dialled.isEnding) return true
  const isMet = dialled.replica !== undefined
  return !(isMet && self < (fresh.replica ?? 0))
}

function replaces(fresh: Contender, old: Contender, self: ReplicaId, nowMs: number): boolean {
  const [freshBoot, oldBoot] = [fresh.hello?.boot ?? 0, old.hello?.boot ?? 0]
  if (freshBoot !== oldBoot) return freshBoot > oldBoot
  const [freshDialler, oldDialler] = [diallerOf(fresh, self), diallerOf(old, self)]
  if (freshDialler === oldDialler) return true
  // Two that dialled at the same time would not be so far apart.
  const isOld = old.upSinceMs !== undefined && nowMs - old.upSinceMs > HANDSHAKE_MS
  return isOld || freshDialler < oldDialler
}

function diallerOf({ target, replica }: Contender, self: ReplicaId): number {
  return target === undefined ? (replica ?? 0) : self
}
