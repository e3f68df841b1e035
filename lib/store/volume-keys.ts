/** Which keys of the store are one volume's: what its history made, and nothing else. */

import { inoOf, volumeOf, type Ino, type VolumeId } from '../ids.ts'
import * as keys from './keys.ts'

/** What a key of a tree begins with; the number of an inode follows. */
const PREFIXES = ['i', 'd', 'o', 'x', 'z'] as const
/** The prefix and the number of an inode. */
const HEAD_SIZE = 8

/** All keys of a volume's tree, as ranges [from, to), without its record. */
export function treeRangesOf(volume: VolumeId): [string, string][] {
  const from = keys.inodeKey(inoOf(volume, 0)).slice(1)
  const to = keys.inodeKey(inoOf((volume + 1) as VolumeId, 0)).slice(1)
  return PREFIXES.map(prefix => [prefix + from, prefix + to])
}

/** The inode that a key of a tree belongs to: for names and listings, their directory. */
export function ownerOfKey(key: string): Ino {
  return keys.inoOfKey(key.slice(0, HEAD_SIZE))
}

/** Whether it is a key of the volume's tree, or that of its record. */
export function isKeyOfVolume(key: string, volume: VolumeId): boolean {
  if (key === keys.volumeKey(volume)) return true
  const isTreeKey = PREFIXES.some(prefix => key.startsWith(prefix)) && key.length >= HEAD_SIZE
  return isTreeKey && volumeOf(ownerOfKey(key)) === volume
}
