/** Which requests need the lease of a volume, and how long they may wait for it. */

import { ERRNO } from '../errors.ts'
import { volumeOf } from '../ids.ts'
import type { Vfs } from '../vfs/vfs.ts'
import { LOCK_TYPE } from './abi.ts'
import type { ClusterSide } from './cluster-side.ts'
import type { WaitBound } from './parking.ts'
import type { FuseRequest } from './request.ts'

const O_TRUNC = 0o1000

/** Requests that change the volume of the inode that they name. */
const CHANGING: ReadonlySet<FuseRequest['op']> = new Set([
  'create',
  'fallocate',
  'link',
  'mkdir',
  'mknod',
  'removexattr',
  'rename',
  'rmdir',
  'setattr',
  'setxattr',
  'symlink',
  'tmpfile',
  'unlink',
  'write'
])

/**
 * What changes a volume, or locks in it, takes its lease before it looks at anything.
 *
 * @throws Wait until the lease is here; FsError EIO what the request's handle did may be lost
 */
export function requireLease(cluster: ClusterSide, vfs: Vfs, request: FuseRequest): void {
  const volume = volumeOf(request.nodeid)
  switch (request.op) {
    case 'setlk':
    case 'setlkw':
      if (request.type === LOCK_TYPE.UNLCK) return
      vfs.data.checkHandle(request.fh)
      cluster.requireForLock(volume)
      return vfs.data.useHandle(request.fh)
    case 'open':
      if ((request.flags & O_TRUNC) !== 0) cluster.require(volume)
      return
    case 'fsync':
      return vfs.data.checkHandle(request.fh)
    case 'copyFileRange':
      return cluster.require(volumeOf(request.inoOut))
    default:
      if (CHANGING.has(request.op)) cluster.require(volume)
  }
}

/** How long a request may wait for other replicas. */
export function boundOf(
  { op, unique }: FuseRequest,
  { leaseWaitMs, renameWaitMs }: ClusterSide,
  nowMs: number
): WaitBound {
  const isLock = op === 'setlk' || op === 'setlkw'
  const waitMs = op === 'rename' ? renameWaitMs : leaseWaitMs
  return { unique, untilMs: nowMs + waitMs, errno: isLock ? ERRNO.ENOLCK : ERRNO.EIO }
}
