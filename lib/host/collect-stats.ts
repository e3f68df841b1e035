/** Brings together what the parts of a daemon count. */

import { RoostError } from '../errors.ts'
import type { ServingMode } from '../fuse/thread-messages.ts'
import type { Disk } from '../io/disk.ts'
import { processFigures } from '../io/process-figures.ts'
import type { Keeper } from '../keeper/keeper.ts'
import type { Stats } from '../stats.ts'
import type { Serving } from './serving.ts'
import type { Tuning } from './tuning.ts'

export interface StatsSources {
  readonly keeper: Keeper
  readonly serving: Serving
  readonly disk: Disk
  readonly dataDirectory: string
  readonly mountpoint: string
  readonly mode: ServingMode
  readonly tuning: Tuning
  readonly uptimeSeconds: number
  readonly cpuSeconds: number
}

/** @throws RoostError NOT_MOUNTED */
export async function collectStats(sources: StatsSources): Promise<Stats> {
  const { keeper, serving, disk, tuning, ...named } = sources
  const fuse = await serving.figures()
  if (fuse === undefined) throw new RoostError('NOT_MOUNTED', 'the mount is about to end')
  const count = (name: string): number => fuse.vfs[name] ?? 0
  const { pid, memory } = processFigures()
  const failure = serving.storeFailure
  return {
    ...named,
    pid,
    session: keeper.session,
    requests: fuse.requests,
    unknownErrors: fuse.errors,
    waits: fuse.waits,
    open: {
      handles: count('handles'),
      locks: count('locks'),
      parked: count('parked'),
      unsealed: count('unsealed'),
      views: keeper.viewCount
    },
    memory: {
      ...memory,
      inodes: count('nodes'),
      metadataBytes: count('metadataBytes'),
      metadataBytesMax: tuning.metadataBytes,
      contentBytes: count('contentBytes'),
      contentBytesMax: tuning.contentBytes,
      bodyBytes: count('blobBytes'),
      bodyBytesMax: tuning.bodyBytes,
      stagingBytes: count('stagingBytes')
    },
    log: {
      entries: count('entries'),
      appended: fuse.appended,
      durable: serving.progress.durable,
      applied: keeper.applied,
      checkpointed: keeper.checkpointed,
      bytesOnDisk: keeper.logBytes
    },
    store: {
      bytesOnDisk: bytesIn(disk, 'store'),
      garbage: keeper.garbage,
      ...(failure !== undefined && { failure })
    },
    disk: disk.space(),
    damagedBodies: Array.from(keeper.blobs.damaged, ([blob, reason]) => ({ blob, reason }))
  }
}

/** LevelDB removes files at any time; what has gone counts for nothing. */
function bytesIn(disk: Disk, directory: string): number {
  return disk.list(directory).reduce((sum, name) => sum + sizeOf(disk, `${directory}/${name}`), 0)
}

function sizeOf(disk: Disk, path: string): number {
  try {
    const file = disk.openRead(path)
    try {
      return file.size()
    } finally {
      file.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw error
  }
}
