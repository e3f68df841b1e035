/** Which requests need the lease of a volume, and how long they may wait for it. */

import { ERRNO } from '../errors.ts'
import { volumeOf, type VolumeId } from '../ids.ts'
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
 * Of those, requests on names. A write keeps its pages locked until the answer, and a notification
 * about its file waits for them: so a write never waits for a notification.
 */
const MAKING: ReadonlySet<FuseRequest['op']> = new Set([
  'create',
  'link',
  'mkdir',
  'mknod',
  'rename',
  'rmdir',
  'symlink',
  'tmpfile',
  'unlink'
])

/**
 * What changes a volume, or locks in it, takes its lease before it looks at anything.
 *
 * @throws Wait until the lease is here; FsError EIO what the request's handle did may be lost
 */
export function requireLease(cluster: ClusterSide, vfs: Vfs, request: FuseRequest): void {
  if (request.op === 'fsync') return vfs.data.checkHandle(request.fh)
  const volume = leaseOf(request)
  if (volume === undefined) return
  const isLock = request.op === 'setlk' || request.op === 'setlkw'
  if (isLock) vfs.data.checkHandle(request.fh)
  if (isLock) cluster.requireForLock(volume, request.lockPid)
  else cluster.require(volume)
  if (isLock || MAKING.has(request.op)) cluster.barriers.requireNotified(volume)
  if (isLock) vfs.data.useHandle(request.fh)
}

/** The volume that a request changes, or locks in. */
function leaseOf(request: FuseRequest): VolumeId | undefined {
  const volume = volumeOf(request.nodeid)
  switch (request.op) {
    case 'setlk':
    case 'setlkw':
      return request.type === LOCK_TYPE.UNLCK ? undefined : volume
    case 'open':
      return (request.flags & O_TRUNC) !== 0 ? volume : undefined
    case 'copyFileRange':
      return volumeOf(request.inoOut)
    default:
      return CHANGING.has(request.op) ? volume : undefined
  }
}

/** How long a request may wait for other replicas. */
export function boundOf(
  request: FuseRequest,
  { leaseWaitMs, renameWaitMs }: ClusterSide,
  nowMs: number
): WaitBound {
  const { op, unique } = request
  const isLock = op === 'setlk' || op === 'setlkw'
  const waitMs = op === 'rename' ? renameWaitMs : leaseWaitMs
  const errno = isLock ? ERRNO.ENOLCK : ERRNO.EIO
  return { unique, untilMs: nowMs + waitMs, errno, volume: leaseOf(request) }
}
