/**
 * What the kernel asks, decoded: one interface per operation, told apart by `op`.
 *
 * Names are bytes, one per character (latin1), without the NUL. The kernel does not hold them to
 * 255 bytes: whoever serves an operation does. Numbers of 64 bits that we gave out (`nodeid`,
 * `fh`) fit 53 bits. Positions and sizes come from programs: beyond 2^53 - 1 they are Infinity.
 * A `lockOwner` is an opaque hash that names the open-file table of a process.
 *
 * Every request is answered once, but for forget, batchForget and interrupt, which never are.
 */

import type { Fh, Ino } from '../ids.ts'

export interface RequestHeader {
  /** Names the request in its reply and in an interrupt. */
  readonly unique: number
  readonly opcode: number
  /** The inode that it is about; in operations on a name, the directory. */
  readonly nodeid: Ino
  /** Who asks. Supplementary groups are not told. */
  readonly uid: number
  readonly gid: number
  /** The thread that asks; 0 for the kernel itself and for those in another pid namespace. */
  readonly pid: number
}

/** A successful reply raises the `nlookup` of the inode it names. */
export interface LookupRequest extends RequestHeader {
  readonly op: 'lookup'
  readonly name: string
}

/** The kernel takes back `nlookup` of the lookups that replies have given it. No reply. */
export interface ForgetRequest extends RequestHeader {
  readonly op: 'forget'
  readonly nlookup: number
}

/** Many forgets in one; the header's nodeid means nothing. No reply. */
export interface BatchForgetRequest extends RequestHeader {
  readonly op: 'batchForget'
  readonly forgets: readonly { readonly nodeid: Ino; readonly nlookup: number }[]
}

export interface GetattrRequest extends RequestHeader {
  readonly op: 'getattr'
  /** Given for fstat of an open file only. */
  readonly fh: Fh | undefined
}

export interface StatxRequest extends RequestHeader {
  readonly op: 'statx'
  readonly fh: Fh | undefined
  /** Flags and mask as statx(2) has them. */
  readonly statxFlags: number
  readonly mask: number
}

/**
 * chmod, chown, truncate or utimes: `valid` has the bits of FATTR, and the fields without their
 * bit are 0.
 */
export interface SetattrRequest extends RequestHeader {
  readonly op: 'setattr'
  readonly valid: number
  readonly fh: Fh | undefined
  readonly size: number
  readonly lockOwner: bigint
  /** Nanoseconds since 1970, before it below 0; with ATIME_NOW the server's clock counts. */
  readonly atime: bigint
  readonly mtime: bigint
  readonly ctime: bigint
  readonly mode: number
  readonly newUid: number
  readonly newGid: number
}

export interface ReadlinkRequest extends RequestHeader {
  readonly op: 'readlink'
}

export interface SymlinkRequest extends RequestHeader {
  readonly op: 'symlink'
  readonly name: string
  readonly target: string
}

/** `mode` has `umask` taken off already, unless INIT took DONT_MASK. */
export interface MknodRequest extends RequestHeader {
  readonly op: 'mknod'
  readonly name: string
  readonly mode: number
  readonly rdev: number
  readonly umask: number
}

export interface MkdirRequest extends RequestHeader {
  readonly op: 'mkdir'
  readonly name: string
  readonly mode: number
  readonly umask: number
}

export interface UnlinkRequest extends RequestHeader {
  readonly op: 'unlink'
  readonly name: string
}

export interface RmdirRequest extends RequestHeader {
  readonly op: 'rmdir'
  readonly name: string
}

/** RENAME, or RENAME2 with the bits of RENAME_FLAG. */
export interface RenameRequest extends RequestHeader {
  readonly op: 'rename'
  readonly name: string
  readonly newParent: Ino
  readonly newName: string
  readonly flags: number
}

/** Gives the inode `ino` the further name `newName` in the directory `nodeid`. */
export interface LinkRequest extends RequestHeader {
  readonly op: 'link'
  readonly ino: Ino
  readonly newName: string
}

/** `flags` are those of open(2), without O_CREAT and O_EXCL. */
export interface OpenRequest extends RequestHeader {
  readonly op: 'open'
  readonly flags: number
  readonly openFlags: number
}

/** Comes only after a lookup that found nothing, or with O_EXCL: still, the name may exist. */
export interface CreateRequest extends RequestHeader {
  readonly op: 'create'
  readonly name: string
  readonly flags: number
  readonly mode: number
  readonly umask: number
  readonly openFlags: number
}

/** A file without a name in the directory `nodeid`. */
export interface TmpfileRequest extends RequestHeader {
  readonly op: 'tmpfile'
  readonly flags: number
  readonly mode: number
  readonly umask: number
}

/** A reply with less than `size` is the end of the file. */
export interface ReadRequest extends RequestHeader {
  readonly op: 'read'
  readonly fh: Fh
  readonly offset: number
  readonly size: number
  readonly lockOwner: bigint | undefined
  readonly flags: number
}

/**
 * `data` lies in the buffer that the request was read into: it is valid until the next read, and
 * whoever keeps it copies it.
 */
export interface WriteRequest extends RequestHeader {
  readonly op: 'write'
  readonly fh: Fh
  readonly offset: number
  readonly data: Buffer
  /** Bits of WRITE_FLAG. With CACHE the handle is a guess, and uid and pid are not the writer's. */
  readonly writeFlags: number
  readonly lockOwner: bigint | undefined
  readonly flags: number
}

export interface StatfsRequest extends RequestHeader {
  readonly op: 'statfs'
}

/** The last descriptor of an opening is gone; the answer reaches nobody. */
export interface ReleaseRequest extends RequestHeader {
  readonly op: 'release' | 'releasedir'
  readonly fh: Fh
  readonly flags: number
  /** Bits of RELEASE_FLAG. */
  readonly releaseFlags: number
  readonly lockOwner: bigint
}

/** A descriptor was closed: the fcntl locks of `lockOwner` on this inode end. */
export interface FlushRequest extends RequestHeader {
  readonly op: 'flush'
  readonly fh: Fh
  readonly lockOwner: bigint
}

export interface FsyncRequest extends RequestHeader {
  readonly op: 'fsync' | 'fsyncdir'
  readonly fh: Fh
  readonly dataOnly: boolean
}

/** The first request of a mount. */
export interface InitRequest extends RequestHeader {
  readonly op: 'init'
  readonly major: number
  readonly minor: number
  readonly maxReadahead: number
  /** What the kernel offers: bits of INIT_FLAG, and of INIT_FLAG2 (0 without INIT_EXT). */
  readonly flags: number
  readonly flags2: number
}

export interface OpendirRequest extends RequestHeader {
  readonly op: 'opendir'
  readonly flags: number
}

/** Entries after the one whose cookie is `offset`, from the beginning when that is 0. */
export interface ReaddirRequest extends RequestHeader {
  readonly op: 'readdir' | 'readdirplus'
  readonly fh: Fh
  readonly offset: number
  /** Bytes that the entries of the reply may take. */
  readonly size: number
}

/** fcntl locks, and with LK_FLOCK in `lkFlags` those of flock; setlkw waits. */
export interface LockRequest extends RequestHeader {
  readonly op: 'getlk' | 'setlk' | 'setlkw'
  readonly fh: Fh
  readonly owner: bigint
  /** First and last byte; Infinity beyond 2^53 - 1, and hence for "to the end of the file". */
  readonly start: number
  readonly end: number
  /** One of LOCK_TYPE. */
  readonly type: number
  /** The process that asks, for others to see. */
  readonly lockPid: number
  readonly lkFlags: number
}

/** Not sent with default_permissions, where the kernel decides. */
export interface AccessRequest extends RequestHeader {
  readonly op: 'access'
  readonly mask: number
}

/**
 * A signal came to who waits for the request `interrupted`. It may come before the request, or
 * after its reply. No reply.
 */
export interface InterruptRequest extends RequestHeader {
  readonly op: 'interrupt'
  readonly interrupted: number
}

export interface DestroyRequest extends RequestHeader {
  readonly op: 'destroy'
}

export interface LseekRequest extends RequestHeader {
  readonly op: 'lseek'
  readonly fh: Fh
  readonly offset: number
  readonly whence: number
}

export interface FallocateRequest extends RequestHeader {
  readonly op: 'fallocate'
  readonly fh: Fh
  readonly offset: number
  readonly length: number
  readonly mode: number
}

/** From `nodeid` and `fh` to `inoOut` and `fhOut`. */
export interface CopyFileRangeRequest extends RequestHeader {
  readonly op: 'copyFileRange'
  readonly fh: Fh
  readonly offset: number
  readonly inoOut: Ino
  readonly fhOut: Fh
  readonly offsetOut: number
  readonly length: number
  /** COPY_FILE_RANGE_64: the reply counts in 64 bits (`encodeLseek`), not as that to a write. */
  readonly wide: boolean
}

/** `value` lies in the buffer that the request was read into, as that of a write does. */
export interface SetxattrRequest extends RequestHeader {
  readonly op: 'setxattr'
  readonly name: string
  readonly value: Buffer
  readonly flags: number
}

/** With `size` 0 only the size of the value is asked for. */
export interface GetxattrRequest extends RequestHeader {
  readonly op: 'getxattr'
  readonly name: string
  readonly size: number
}

export interface ListxattrRequest extends RequestHeader {
  readonly op: 'listxattr'
  readonly size: number
}

export interface RemovexattrRequest extends RequestHeader {
  readonly op: 'removexattr'
  readonly name: string
}

export interface IoctlRequest extends RequestHeader {
  readonly op: 'ioctl'
  readonly fh: Fh
  readonly flags: number
  readonly cmd: number
  readonly arg: bigint
  readonly outSize: number
  /** Lies in the buffer that the request was read into. */
  readonly data: Buffer
}

export interface PollRequest extends RequestHeader {
  readonly op: 'poll'
  readonly fh: Fh
  readonly kh: bigint
  readonly flags: number
  readonly events: number
}

export interface SyncfsRequest extends RequestHeader {
  readonly op: 'syncfs'
}

/** An opcode that we do not decode; ENOSYS tells the kernel so. */
export interface UnknownRequest extends RequestHeader {
  readonly op: 'unknown'
}

export type FuseRequest =
  | LookupRequest
  | ForgetRequest
  | BatchForgetRequest
  | GetattrRequest
  | StatxRequest
  | SetattrRequest
  | ReadlinkRequest
  | SymlinkRequest
  | MknodRequest
  | MkdirRequest
  | UnlinkRequest
  | RmdirRequest
  | RenameRequest
  | LinkRequest
  | OpenRequest
  | CreateRequest
  | TmpfileRequest
  | ReadRequest
  | WriteRequest
  | StatfsRequest
  | ReleaseRequest
  | FlushRequest
  | FsyncRequest
  | InitRequest
  | OpendirRequest
  | ReaddirRequest
  | LockRequest
  | AccessRequest
  | InterruptRequest
  | DestroyRequest
  | LseekRequest
  | FallocateRequest
  | CopyFileRangeRequest
  | SetxattrRequest
  | GetxattrRequest
  | ListxattrRequest
  | RemovexattrRequest
  | IoctlRequest
  | PollRequest
  | SyncfsRequest
  | UnknownRequest

export type FuseOp = FuseRequest['op']
