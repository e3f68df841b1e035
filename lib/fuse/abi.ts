/**
 * The numbers of the kernel's FUSE protocol, 7.31 to 7.45, as its include/uapi/linux/fuse.h has
 * them: opcodes, flags and the sizes of structs. Offsets within a struct are where it is decoded
 * (decode.ts) or encoded (encode.ts). Everything is little-endian on the machines we run on.
 */

export const FUSE_MAJOR = 7
/** The newest minor version we know. */
export const FUSE_MINOR = 45
/** The oldest minor version we serve; it came with Linux 5.4. */
export const FUSE_MINOR_MIN = 31

/** The kernel refuses a read from the device into less. */
export const MIN_READ_BUFFER = 8192

export const OPCODE = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53
} as const

/** Bits of `flags` in INIT: what one side offers and the other takes. */
export const INIT_FLAG = {
  ASYNC_READ: 2 ** 0,
  POSIX_LOCKS: 2 ** 1,
  FILE_OPS: 2 ** 2,
  ATOMIC_O_TRUNC: 2 ** 3,
  EXPORT_SUPPORT: 2 ** 4,
  BIG_WRITES: 2 ** 5,
  DONT_MASK: 2 ** 6,
  SPLICE_WRITE: 2 ** 7,
  SPLICE_MOVE: 2 ** 8,
  SPLICE_READ: 2 ** 9,
  FLOCK_LOCKS: 2 ** 10,
  HAS_IOCTL_DIR: 2 ** 11,
  AUTO_INVAL_DATA: 2 ** 12,
  DO_READDIRPLUS: 2 ** 13,
  READDIRPLUS_AUTO: 2 ** 14,
  ASYNC_DIO: 2 ** 15,
  WRITEBACK_CACHE: 2 ** 16,
  NO_OPEN_SUPPORT: 2 ** 17,
  PARALLEL_DIROPS: 2 ** 18,
  HANDLE_KILLPRIV: 2 ** 19,
  POSIX_ACL: 2 ** 20,
  ABORT_ERROR: 2 ** 21,
  MAX_PAGES: 2 ** 22,
  CACHE_SYMLINKS: 2 ** 23,
  NO_OPENDIR_SUPPORT: 2 ** 24,
  EXPLICIT_INVAL_DATA: 2 ** 25,
  MAP_ALIGNMENT: 2 ** 26,
  SUBMOUNTS: 2 ** 27,
  HANDLE_KILLPRIV_V2: 2 ** 28,
  SETXATTR_EXT: 2 ** 29,
  INIT_EXT: 2 ** 30
} as const

/** Bits of `flags2` in INIT, which the kernel's header counts on from bit 32. */
export const INIT_FLAG2 = {
  SECURITY_CTX: 2 ** 0,
  HAS_INODE_DAX: 2 ** 1,
  CREATE_SUPP_GROUP: 2 ** 2,
  HAS_EXPIRE_ONLY: 2 ** 3,
  DIRECT_IO_ALLOW_MMAP: 2 ** 4,
  PASSTHROUGH: 2 ** 5,
  NO_EXPORT_SUPPORT: 2 ** 6,
  HAS_RESEND: 2 ** 7,
  ALLOW_IDMAP: 2 ** 8,
  OVER_IO_URING: 2 ** 9,
  REQUEST_TIMEOUT: 2 ** 10
} as const

/** How an opened file is to be treated: flags of the replies to OPEN, CREATE and OPENDIR. */
export const FOPEN = {
  DIRECT_IO: 1 << 0,
  KEEP_CACHE: 1 << 1,
  NONSEEKABLE: 1 << 2,
  CACHE_DIR: 1 << 3,
  STREAM: 1 << 4,
  NOFLUSH: 1 << 5,
  PARALLEL_DIRECT_WRITES: 1 << 6,
  PASSTHROUGH: 1 << 7
} as const

/** Which fields of SETATTR are meant: bits of its `valid`. */
export const FATTR = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  LOCKOWNER: 1 << 9,
  CTIME: 1 << 10,
  KILL_SUIDGID: 1 << 11
} as const

export const GETATTR_FH = 1 << 0

export const RELEASE_FLAG = { FLUSH: 1 << 0, FLOCK_UNLOCK: 1 << 1 } as const

/** The lock is one of flock(2), not of fcntl(2). */
export const LK_FLOCK = 1 << 0

export const WRITE_FLAG = { CACHE: 1 << 0, LOCKOWNER: 1 << 1, KILL_SUIDGID: 1 << 2 } as const

export const READ_LOCKOWNER = 1 << 1

/** Only the data is to be durable, as for fdatasync(2). */
export const FSYNC_FDATASYNC = 1 << 0

/** `openFlags` of OPEN and CREATE: take setuid and setgid away when truncating. */
export const OPEN_KILL_SUIDGID = 1 << 0

export const SETXATTR_ACL_KILL_SGID = 1 << 0

/** INVAL_ENTRY: only end the time for which the name may be cached. */
export const EXPIRE_ONLY = 1 << 0

/** Types of a lock, as fcntl(2) has them. */
export const LOCK_TYPE = { RDLCK: 0, WRLCK: 1, UNLCK: 2 } as const

/** Flags of RENAME2, as renameat2(2) has them. */
export const RENAME_FLAG = { NOREPLACE: 1 << 0, EXCHANGE: 1 << 1, WHITEOUT: 1 << 2 } as const

export const NOTIFY = {
  POLL: 1,
  INVAL_INODE: 2,
  INVAL_ENTRY: 3,
  STORE: 4,
  RETRIEVE: 5,
  DELETE: 6,
  RESEND: 7,
  INC_EPOCH: 8,
  PRUNE: 9
} as const

/** What kind of file it is: the bits of `mode` that S_IF.MT covers. */
export const S_IF = {
  MT: 0o170000,
  SOCK: 0o140000,
  LNK: 0o120000,
  REG: 0o100000,
  BLK: 0o060000,
  DIR: 0o040000,
  CHR: 0o020000,
  FIFO: 0o010000
} as const

/**
 * Added to the `unique` of a request that the kernel sends again to whoever took the mount over.
 * It stands for the top bit that the kernel sets then and wants to see in the reply.
 */
export const UNIQUE_RESENT = 2 ** 52

/** Sizes in bytes of what precedes every request and every reply. */
export const IN_HEADER_SIZE = 40
export const OUT_HEADER_SIZE = 16

/** Sizes in bytes of the fixed part of each request, after the header. */
export const IN_SIZE = {
  FORGET: 8,
  FORGET_ONE: 16,
  BATCH_FORGET: 8,
  GETATTR: 16,
  SETATTR: 88,
  MKNOD: 16,
  MKDIR: 8,
  RENAME: 8,
  RENAME2: 16,
  LINK: 8,
  OPEN: 8,
  READ: 40,
  WRITE: 40,
  RELEASE: 24,
  FSYNC: 16,
  SETXATTR_COMPAT: 8,
  SETXATTR: 16,
  GETXATTR: 8,
  FLUSH: 24,
  INIT_COMPAT: 16,
  INIT: 64,
  LK: 48,
  ACCESS: 8,
  CREATE: 16,
  INTERRUPT: 8,
  IOCTL: 32,
  POLL: 24,
  FALLOCATE: 32,
  LSEEK: 24,
  COPY_FILE_RANGE: 56,
  SYNCFS: 8,
  STATX: 24
} as const

/** Sizes in bytes of the replies, after the header. */
export const OUT_SIZE = {
  ATTR: 88,
  ENTRY: 128,
  ATTR_REPLY: 104,
  OPEN: 16,
  WRITE: 8,
  STATFS: 80,
  GETXATTR: 8,
  LK: 24,
  INIT: 64,
  LSEEK: 8,
  DIRENT: 24,
  NOTIFY_INVAL_INODE: 24,
  NOTIFY_INVAL_ENTRY: 16,
  NOTIFY_DELETE: 24
} as const
