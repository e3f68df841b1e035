/** Writes again what programs were told is written, and history lacks. */

import { ERRNO, FsError } from '../errors.ts'
import { volumeOf, type VolumeId } from '../ids.ts'
import type { UnsealedWrite } from '../vfs/ports.ts'
import type { Vfs } from '../vfs/vfs.ts'
import type { UnsealedFile } from './unsealed-file.ts'

/** All of one volume. `run` goes on where it was when it had to wait. */
export interface RestoreTask {
  readonly volume: VolumeId
  /** @throws Wait; FsError ENOSPC, EIO */
  readonly run: () => void
}

export function restoreUnsealed(unsealed: UnsealedFile, vfs: Vfs): RestoreTask[] {
  const byVolume = new Map<VolumeId, UnsealedWrite[]>()
  for (const write of unsealed.left) {
    const volume = volumeOf(write.ino)
    const writes = byVolume.get(volume)
    if (writes === undefined) byVolume.set(volume, [write])
    else writes.push(write)
  }
  return Array.from(byVolume, ([volume, writes]) => ({
    volume,
    run: () => {
      for (let next = writes[0]; next !== undefined; next = writes[0]) {
        restore(unsealed, vfs, next)
        writes.shift()
      }
    }
  }))
}

function restore(unsealed: UnsealedFile, vfs: Vfs, write: UnsealedWrite): void {
  try {
    unsealed.whileRestoring(() => {
      vfs.data.restore(write)
    })
  } catch (error) {
    if (!(error instanceof FsError && error.errno === ERRNO.ESTALE)) throw error
    // Whoever wrote it may have removed the file, and closed it.
    unsealed.settled(write.ino)
  }
}
