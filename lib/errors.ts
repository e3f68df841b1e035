/**
 * The three families of errors, and the one table from a failed part to an errno.
 *
 * FsError is an answer that the kernel is owed and nothing to log. RoostError is the failure of
 * a part. InvariantError (util/assert.ts) is a bug, which nobody catches.
 */

import { unreachable } from './util/assert.ts'

/** Linux error numbers, as the kernel's asm-generic/errno headers give them. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ENODATA: 61,
  EPROTO: 71,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ESTALE: 116
} as const

export type ErrnoName = keyof typeof ERRNO

/** An answer the kernel is owed: expected, cheap, not logged. */
export class FsError extends Error {
  override readonly name = 'FsError'
  readonly errno: number

  constructor(errnoName: ErrnoName) {
    super(errnoName)
    this.errno = ERRNO[errnoName]
  }
}

/** What can fail in a part of Roost, other than the request itself. */
export type RoostErrorCode =
  | 'BAD_CONFIG'
  | 'CONFIG_UNREADABLE'
  | 'BODY_DAMAGED'
  | 'BODY_MISSING'
  | 'CHECKPOINT_DAMAGED'
  | 'CHECKPOINT_FAILED'
  | 'CONTAINER_DAMAGED'
  | 'CONTROL_FAILED'
  | 'COUNCIL_DAMAGED'
  | 'COUNCIL_FAILED'
  | 'DATA_FORMAT'
  | 'DATA_IN_USE'
  | 'DATA_UNUSABLE'
  | 'DISK_FULL'
  | 'FEED_DAMAGED'
  | 'FEED_FAILED'
  | 'MOUNT_FAILED'
  | 'MOUNT_STALE'
  | 'NOT_FOUND'
  | 'NOT_MOUNTED'
  | 'PEER_FAILED'
  | 'PROTOCOL'
  | 'STORE_FAILED'
  | 'TARGET_FAILED'
  | 'TARGET_UNUSABLE'
  | 'VIEW_LOST'

/** Failure of a part. The message begins with the code; `cause` keeps what lay below. */
export class RoostError extends Error {
  override readonly name = 'RoostError'
  readonly code: RoostErrorCode

  constructor(code: RoostErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options)
    this.code = code
  }

  /** The message without the code, for the middle of a sentence. */
  get plainMessage(): string {
    return this.message.slice(this.code.length + 2)
  }
}

/** The errno that a caller of the file system sees when a part has failed. */
export function errnoOf(code: RoostErrorCode): number {
  switch (code) {
    case 'DISK_FULL':
      return ERRNO.ENOSPC
    case 'PROTOCOL':
      return ERRNO.EINVAL
    case 'BAD_CONFIG':
    case 'CONFIG_UNREADABLE':
    case 'BODY_DAMAGED':
    case 'BODY_MISSING':
    case 'CHECKPOINT_DAMAGED':
    case 'CHECKPOINT_FAILED':
    case 'CONTAINER_DAMAGED':
    case 'CONTROL_FAILED':
    case 'COUNCIL_DAMAGED':
    case 'COUNCIL_FAILED':
    case 'DATA_FORMAT':
    case 'DATA_IN_USE':
    case 'DATA_UNUSABLE':
    case 'FEED_DAMAGED':
    case 'FEED_FAILED':
    case 'MOUNT_FAILED':
    case 'MOUNT_STALE':
    case 'NOT_FOUND':
    case 'NOT_MOUNTED':
    case 'PEER_FAILED':
    case 'STORE_FAILED':
    case 'TARGET_FAILED':
    case 'TARGET_UNUSABLE':
    case 'VIEW_LOST':
      return ERRNO.EIO
    default:
      return unreachable(code)
  }
}
