/**
 * The system calls that Node.js does not offer, and the only place that loads the FFI package.
 *
 * Hot calls (`read`, `write`, `poll2`) return what the kernel does, or the negative errno, and
 * allocate nothing. Cold calls throw an Error whose `code` is the name of the errno, as those of
 * node:fs do. All of them block the calling thread, but for `umount2Async` and `syncfs`.
 *
 * Layouts and constants are those of Linux on x86_64 and arm64 (little-endian, 64-bit, where
 * both agree), with glibc or musl.
 */

import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'
import type Koffi from 'koffi'
import { ERRNO } from '../errors.ts'
import { assert, present } from '../util/assert.ts'

const AF_UNIX = 1
const SOCK_STREAM_CLOEXEC = 0o2000001
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const EFD_NONBLOCK_CLOEXEC = 0o2004000
const LOCK_EX_NB = 2 | 4
const F_GETFD = 1
const F_SETFD = 2
const F_GETFL = 3
const F_SETFL = 4
const FD_CLOEXEC = 1
const O_NONBLOCK = 0o4000
const AT_FDCWD = -100
const IOVEC_SIZE = 16

export const MS_NOSUID = 2
export const MS_NODEV = 4
/** Takes the mount out of the tree at once and ends it when nobody uses it any longer. */
export const MNT_DETACH = 2
/** Does not follow a symbolic link at the end of the path. */
export const UMOUNT_NOFOLLOW = 8

const POLLIN = 1
/** POLLERR, POLLHUP and POLLNVAL, which poll reports unasked. */
const POLL_TROUBLE = 8 | 16 | 32

/** Bits of what `poll2` returns. */
export const POLL2 = {
  /** The first descriptor has something to read. */
  A_READABLE: 1,
  /** The second descriptor has something to read. */
  B_READABLE: 2,
  /** The first descriptor failed, was hung up, or is not open. A FUSE device: aborted. */
  A_TROUBLE: 4,
  /** The second descriptor failed, was hung up, or is not open. */
  B_TROUBLE: 8
} as const

type Call = (...args: unknown[]) => number

function bind() {
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const lib = koffi.load(null)
  const call = (definition: string): Call => lib.func(definition)
  const umount2 = lib.func('int umount2(str, int)')
  return {
    errno: () => koffi.errno(),
    address: (bytes: Uint8Array) => koffi.address(bytes),
    read: call('long read(int, void *, size_t)'),
    write: call('long write(int, void *, size_t)'),
    poll: call('int poll(void *, ulong, int)'),
    mount: call('int mount(str, str, str, ulong, str)'),
    umount2: umount2 as Call,
    umount2Async: umount2.async as (...args: unknown[]) => void,
    eventfd: call('int eventfd(uint, int)'),
    flock: call('int flock(int, int)'),
    syncfsAsync: lib.func('int syncfs(int)').async as (...args: unknown[]) => void,
    fcntl: call('int fcntl(int, int, ...)'),
    socketpair: call('int socketpair(int, int, int, void *)'),
    recvmsg: call('long recvmsg(int, void *, int)'),
    sendmsg: call('long sendmsg(int, void *, int)'),
    close: call('int close(int)'),
    getpagesize: call('int getpagesize(void)'),
    utimensat: call('int utimensat(int, void *, void *, int)'),
    clockGettime: call('int clock_gettime(int, void *)'),
    openat2: call('long syscall(long, long, str, void *, size_t)'),
    // Not in every C library, and wanted by few.
    mknod: () => call('int mknod(void *, uint, ulong)'),
    openByHandle: () => call('int open_by_handle_at(int, void *, int)'),
    fallocate: () => call('int fallocate(int, int, long, long)'),
    preadv2: () => call('long preadv2(int, void *, int, long, int)')
  }
}

let bound: ReturnType<typeof bind> | undefined

function libc(): ReturnType<typeof bind> {
  return (bound ??= bind())
}

function failed(call: string, detail = ''): Error {
  const errno = libc().errno()
  const code = getSystemErrorName(-errno)
  const error = new Error(`${code}: ${call}${detail === '' ? '' : ` ${detail}`} failed`)
  return Object.assign(error, { code, errno: -errno, syscall: call })
}

/**
 * Reads into the start of `buffer`.
 *
 * @returns the number of bytes read, or the negative errno. From a FUSE device: -EAGAIN nothing
 *   is there, -ENOENT the request was taken back while it was read (read again), -EINTR a signal
 *   came first, -ENODEV the file system was unmounted, -ECONNABORTED or -ENOTCONN it was aborted
 *   or not mounted yet.
 */
export function read(fd: number, buffer: Buffer, length: number): number {
  assert(length <= buffer.length, 'a read is longer than its buffer')
  const c = libc()
  const count = c.read(fd, buffer, length)
  return count < 0 ? -c.errno() : count
}

/**
 * Writes `length` bytes from the start of `buffer`.
 *
 * @returns the number of bytes written, or the negative errno. To a FUSE device, which takes
 *   a reply whole: -ENOENT the request is no longer waited for, or a notification names what the
 *   kernel does not know; -EINVAL the reply is malformed or its `unique` unknown; -ENODEV the
 *   file system was unmounted.
 */
export function write(fd: number, buffer: Buffer, length: number): number {
  assert(length <= buffer.length, 'a write is longer than its buffer')
  const c = libc()
  const count = c.write(fd, buffer, length)
  return count < 0 ? -c.errno() : count
}

/** What the calls below return when the device would have to be waited for, or they are unknown. */
export const WOULD_WAIT = -ERRNO.EAGAIN

/** The same on all processors, as for every system call since 2019. */
const SYS_OPENAT2 = 437
const O_CLOEXEC = 0o2000000
const RESOLVE_CACHED = 0x20
/** struct open_how: flags, mode and resolve, 64 bits each. */
const openHow = Buffer.from(
  new BigUint64Array([BigInt(O_CLOEXEC), 0n, BigInt(RESOLVE_CACHED)]).buffer
)

/**
 * Opens a file for reading when the kernel has all that takes in memory (Linux 5.12).
 *
 * @returns the descriptor, or the negative errno: WOULD_WAIT when the device has to be asked
 */
export function openCached(path: string): number {
  const c = libc()
  const fd = c.openat2(SYS_OPENAT2, AT_FDCWD, path, openHow, openHow.length)
  if (fd >= 0) return fd
  const errno = c.errno()
  return errno === ERRNO.ENOSYS || errno === ERRNO.EINVAL ? WOULD_WAIT : -errno
}

const RWF_NOWAIT = 8
const iovec = Buffer.allocUnsafeSlow(IOVEC_SIZE)
let preadv2: Call | undefined

/**
 * Reads into `target` what lies at `position` and in the page cache.
 *
 * @returns the number of bytes read, fewer than asked also where the cached ones end; or the
 *   negative errno: WOULD_WAIT when the first byte is not in memory
 */
export function readCached(fd: number, target: Uint8Array, position: number): number {
  const c = libc()
  preadv2 ??= preadv2OrNone(c)
  iovec.writeBigUInt64LE(c.address(target), 0)
  iovec.writeBigUInt64LE(BigInt(target.length), 8)
  const count = preadv2(fd, iovec, 1, position, RWF_NOWAIT)
  if (count >= 0) return count
  const errno = c.errno()
  return errno === ERRNO.EOPNOTSUPP ? WOULD_WAIT : -errno
}

function preadv2OrNone(c: ReturnType<typeof bind>): Call {
  try {
    return c.preadv2()
  } catch {
    return () => WOULD_WAIT
  }
}

/** Two struct pollfd: the descriptor as i32, `events` and `revents` as 16 bits each. */
const pollFds = new Int32Array(4)
const pollBuffer = Buffer.from(pollFds.buffer)

/**
 * Waits until one of two descriptors can be read, or is in trouble.
 *
 * @param fdB -1 where there is no second one.
 * @param timeoutMs -1 waits for ever.
 * @returns a mask of the bits of POLL2, 0 after the timeout, or the negative errno (-EINTR).
 */
export function poll2(fdA: number, fdB: number, timeoutMs: number): number {
  const c = libc()
  pollFds[0] = fdA
  pollFds[1] = POLLIN
  pollFds[2] = fdB
  pollFds[3] = POLLIN
  const count = c.poll(pollBuffer, 2, timeoutMs)
  if (count <= 0) return count < 0 ? -c.errno() : 0
  const a = pollFds[1] >> 16
  const b = pollFds[3] >> 16
  return (
    ((a & POLLIN) !== 0 ? POLL2.A_READABLE : 0) |
    ((b & POLLIN) !== 0 ? POLL2.B_READABLE : 0) |
    ((a & POLL_TROUBLE) !== 0 ? POLL2.A_TROUBLE : 0) |
    ((b & POLL_TROUBLE) !== 0 ? POLL2.B_TROUBLE : 0)
  )
}

/** mount(2). `options` is what the file system type takes. @throws Error EPERM, ENOENT, EINVAL */
export function mount(
  source: string,
  target: string,
  type: string,
  flags: number,
  options: string
): void {
  if (libc().mount(source, target, type, flags, options) !== 0) throw failed('mount', target)
}

/**
 * umount2(2). Writes back what is dirty first, and so may wait for the daemon that serves the
 * mount: that daemon uses `umount2Async`.
 *
 * @throws Error EBUSY, EINVAL (nothing is mounted there), EPERM
 */
export function umount2(target: string, flags: number): void {
  if (libc().umount2(target, flags) !== 0) throw failed('umount2', target)
}

/**
 * As `umount2`, on a thread of its own.
 *
 * @returns whether it worked; the errno stays with that thread, so there is no more to say.
 */
export function umount2Async(target: string, flags: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    libc().umount2Async(target, flags, (error: Error | null, result: number) => {
      if (error) reject(error)
      else resolve(result === 0)
    })
  })
}

/** A non-blocking eventfd with count 0, which is not inherited. Whoever opened it closes it. */
export function eventfd(): number {
  const fd = libc().eventfd(0, EFD_NONBLOCK_CLOEXEC)
  if (fd < 0) throw failed('eventfd')
  return fd
}

/**
 * Takes the exclusive lock on an open file without waiting. It lasts until every descriptor of
 * this opening is closed, so that it goes with the process.
 *
 * @returns false when another opening holds it.
 */
export function flock(fd: number): boolean {
  const c = libc()
  if (c.flock(fd, LOCK_EX_NB) === 0) return true
  if (c.errno() === ERRNO.EAGAIN) return false
  throw failed('flock')
}

/**
 * Makes everything in the file system that holds `fd` durable, on a thread of its own.
 *
 * @throws Error EIO, whatever the reason
 */
export function syncfs(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    libc().syncfsAsync(fd, (error: Error | null, result: number) => {
      if (error) reject(error)
      else if (result === 0) resolve()
      else reject(Object.assign(new Error('EIO: syncfs failed'), { code: 'EIO' }))
    })
  })
}

const AT_SYMLINK_NOFOLLOW = 0x100
const NS_PER_S = 1_000_000_000n

/** Sets the times of what `path` names, not of what a symbolic link points to. Ns since 1970. */
export function setTimes(path: Buffer, atimeNs: bigint, mtimeNs: bigint): void {
  const times = Buffer.alloc(32)
  ;[atimeNs, mtimeNs].forEach((time, i) => {
    // The nanoseconds are counted forward, also before 1970.
    const ns = ((time % NS_PER_S) + NS_PER_S) % NS_PER_S
    times.writeBigInt64LE((time - ns) / NS_PER_S, 16 * i)
    times.writeBigInt64LE(ns, 16 * i + 8)
  })
  const name = zeroEnded(path)
  if (libc().utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW) !== 0) throw failed('utimensat')
}

/** Makes a FIFO, socket or device node; `mode` has the type. */
export function makeNode(path: Buffer, mode: number, rdev: number): void {
  if (libc().mknod()(zeroEnded(path), mode, rdev) !== 0) throw failed('mknod')
}

const AT_EMPTY_PATH = 0x1000
/** In place of nanoseconds: this time stays. */
const UTIME_OMIT = 0x3ffffffen

/** Sets the time of change of what is open, also where it is open as a path only. */
export function setMtime(fd: number, time: { seconds: bigint; nanoseconds: bigint }): void {
  const times = Buffer.alloc(32)
  times.writeBigInt64LE(UTIME_OMIT, 8)
  times.writeBigInt64LE(time.seconds, 16)
  times.writeBigInt64LE(time.nanoseconds, 24)
  if (libc().utimensat(fd, Buffer.alloc(1), times, AT_EMPTY_PATH) !== 0) throw failed('utimensat')
}

/**
 * Opens an inode that the kernel has; for this root is needed.
 *
 * @param mountFd anything that is open on the same mount
 * @throws Error ESTALE the kernel does not have it
 */
export function openByHandle(
  mountFd: number,
  handle: { readonly type: number; readonly bytes: Buffer },
  flags: number
): number {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(handle.bytes.length, 0)
  head.writeInt32LE(handle.type, 4)
  const fd = libc().openByHandle()(mountFd, Buffer.concat([head, handle.bytes]), flags)
  if (fd < 0) throw failed('open_by_handle_at')
  return fd
}

export function fallocate(fd: number, mode: number, offset: number, length: number): void {
  if (libc().fallocate()(fd, mode, offset, length) !== 0) throw failed('fallocate')
}

function zeroEnded(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.alloc(1)])
}

/** Whether reads and writes return EAGAIN instead of waiting; for all who share the opening. */
export function setNonBlocking(fd: number, on: boolean): void {
  changeFlag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on)
}

/** Whether the descriptor is closed in programs that this process starts. */
export function setCloseOnExec(fd: number, on: boolean): void {
  changeFlag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on)
}

function changeFlag(fd: number, get: number, set: number, flag: number, on: boolean): void {
  const c = libc()
  const flags = c.fcntl(fd, get)
  if (flags < 0) throw failed('fcntl')
  if (c.fcntl(fd, set, 'int', on ? flags | flag : flags & ~flag) < 0) throw failed('fcntl')
}

/** A pair of connected stream sockets, which are not inherited. */
export function socketpair(): [number, number] {
  const pair = Buffer.alloc(8)
  if (libc().socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair) !== 0) throw failed('socketpair')
  return [pair.readInt32LE(0), pair.readInt32LE(4)]
}

/** struct msghdr, and a struct cmsghdr followed by one descriptor. */
const MSGHDR_SIZE = 56
const CMSG_SPACE_OF_FD = 24
const CMSG_LEN_OF_FD = 20

/**
 * Takes a descriptor that the other end of a socket has sent already (SCM_RIGHTS, with one byte
 * of data). It is not inherited by programs that this process starts.
 *
 * @returns undefined when the other end has sent none: it is closed, or silent.
 */
export function receiveFd(socketFd: number): number | undefined {
  const c = libc()
  const { message, control, keep } = messageWithFd(c)
  const count = c.recvmsg(socketFd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
  if (count < 0 && c.errno() !== ERRNO.EAGAIN) throw failed('recvmsg')
  keep()
  const isFd =
    count === 1 &&
    message.readUInt32LE(40) >= CMSG_LEN_OF_FD &&
    control.readUInt32LE(0) === CMSG_LEN_OF_FD &&
    control.readInt32LE(8) === SOL_SOCKET &&
    control.readInt32LE(12) === SCM_RIGHTS
  return isFd ? control.readInt32LE(16) : undefined
}

/** Sends a descriptor, as `receiveFd` takes it. @throws Error EPIPE the other end is closed */
export function sendFd(socketFd: number, fd: number): void {
  const c = libc()
  const { message, control, keep } = messageWithFd(c)
  control.writeUInt32LE(CMSG_LEN_OF_FD, 0)
  control.writeInt32LE(SOL_SOCKET, 8)
  control.writeInt32LE(SCM_RIGHTS, 12)
  control.writeInt32LE(fd, 16)
  if (c.sendmsg(socketFd, message, MSG_NOSIGNAL) !== 1) throw failed('sendmsg')
  keep()
}

/** A struct msghdr for one byte of data and one descriptor. */
function messageWithFd(c: ReturnType<typeof bind>): {
  message: Buffer
  control: Buffer
  keep: () => void
} {
  const data = Buffer.alloc(1)
  const control = Buffer.alloc(CMSG_SPACE_OF_FD)
  const iovec = Buffer.alloc(IOVEC_SIZE)
  iovec.writeBigUInt64LE(c.address(data), 0)
  iovec.writeBigUInt64LE(BigInt(data.length), 8)
  const message = Buffer.alloc(MSGHDR_SIZE)
  message.writeBigUInt64LE(c.address(iovec), 16)
  message.writeBigUInt64LE(1n, 24)
  message.writeBigUInt64LE(c.address(control), 32)
  message.writeBigUInt64LE(BigInt(control.length), 40)
  return {
    message,
    control,
    // The kernel is given their addresses only: called after it, this keeps them alive until then.
    keep: () => {
      present(iovec[0], 'the iovec of a message')
      present(data[0], 'the data of a message')
    }
  }
}

/** @throws Error EBADF */
export function close(fd: number): void {
  if (libc().close(fd) !== 0) throw failed('close')
}

/** Size in bytes of a page of memory, which the kernel counts requests in. */
export function pageSize(): number {
  return libc().getpagesize()
}

/** What a clock of the kernel shows, in milliseconds with fractions. */
export function clockMs(clock: number): number {
  const c = libc()
  if (c.clockGettime(clock, timespec) < 0) throw failed('clock_gettime')
  return Number(timespec.readBigInt64LE(0)) * 1e3 + Number(timespec.readBigInt64LE(8)) / 1e6
}

const timespec = Buffer.alloc(16)
