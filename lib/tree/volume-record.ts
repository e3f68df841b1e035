/** Where a volume's history stands. */

import { NO_HASH } from '../feed/entry.ts'
import type { Epoch, Index, VolumeId } from '../ids.ts'

export interface VolumeRecord {
  readonly volume: VolumeId
  epoch: Epoch
  /** Number of the last entry; 0 before the first. */
  index: Index
  /** Hash of the last entry. */
  hash: Buffer
  /** Time of the last entry, ns since 1970. */
  time: bigint
  /** Counter of the next inode number. */
  nextCounter: number
  /** Root volume: number of the next volume to be made. */
  nextVolume: number
  closed: boolean
}

/** A volume before its first entry: one without a record reads like this. */
export function emptyVolume(volume: VolumeId): VolumeRecord {
  return {
    volume,
    epoch: 0 as Epoch,
    index: 0 as Index,
    hash: NO_HASH,
    time: 0n,
    nextCounter: 1,
    nextVolume: 1,
    closed: false
  }
}
