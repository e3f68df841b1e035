/**
 * Which stores a volume begins with: the same on every replica, spread evenly, and changed for few
 * volumes when a store comes or goes (rendezvous hashing).
 *
 * Later changes are commands; nothing moves because a store has joined.
 */

import type { ReplicaId, VolumeId } from '../ids.ts'

/** 2 * copies - 1 stores, or all where there are fewer: so one of three may be away. */
export function homesOf(
  volume: VolumeId,
  stores: readonly ReplicaId[],
  copies: number
): readonly ReplicaId[] {
  return [...stores]
    .sort((a, b) => weightOf(volume, b) - weightOf(volume, a) || a - b)
    .slice(0, 2 * copies - 1)
    .sort((a, b) => a - b)
}

function weightOf(volume: VolumeId, replica: ReplicaId): number {
  let weight = Math.imul(volume + 1, 0x9e3779b1) ^ Math.imul(replica + 1, 0x85ebca6b)
  weight = Math.imul(weight ^ (weight >>> 16), 0x21f0aaad)
  weight = Math.imul(weight ^ (weight >>> 15), 0x735a2d97)
  return (weight ^ (weight >>> 15)) >>> 0
}
