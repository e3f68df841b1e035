/** Of which volume something is asked for in the store. */

import { volumeOf, type VolumeId } from '../ids.ts'
import type { Load } from '../vfs/ports.ts'

/** @returns undefined of blobs, which are of no volume */
export function volumeOfLoad(load: Load): VolumeId | undefined {
  switch (load.kind) {
    case 'volume':
      return load.volume
    case 'inode':
    case 'listing':
    case 'extents':
    case 'content':
      return volumeOf(load.ino)
    case 'name':
      return volumeOf(load.parent)
    case 'inodes':
      return load.inos[0] === undefined ? undefined : volumeOf(load.inos[0])
    default:
      return undefined
  }
}
