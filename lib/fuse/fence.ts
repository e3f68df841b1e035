/** What may not be done through a handle of a daemon that died. */

import { FsError } from '../errors.ts'
import type { Vfs } from '../vfs/vfs.ts'
import { LOCK_TYPE } from './abi.ts'
import type { FuseRequest } from './request.ts'

/**
 * A lock that was held through the handle, or in a cluster what was written through it, was lost
 * with an earlier session, and the program goes on in the belief that it has it.
 *
 * @throws FsError EIO
 */
export function checkFence(vfs: Vfs, request: FuseRequest): void {
  const fh = handleOf(request)
  if (fh !== 0 && vfs.isFenced(fh)) throw new FsError('EIO')
}

/** The handle that something is changed, made durable or locked through, or 0. */
function handleOf(request: FuseRequest): number {
  switch (request.op) {
    case 'write':
    case 'fsync':
    case 'fallocate':
      return request.fh
    case 'setattr':
      return request.fh ?? 0
    case 'copyFileRange':
      return request.fhOut
    case 'getlk':
    case 'setlk':
    case 'setlkw':
      return request.type === LOCK_TYPE.UNLCK ? 0 : request.fh
    default:
      return 0
  }
}
