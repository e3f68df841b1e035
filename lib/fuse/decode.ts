/**
 * Requests of the kernel, from bytes to `FuseRequest`.
 *
 * Given any bytes this returns a request or throws RoostError PROTOCOL, and never looks beyond
 * the length it was told. Offsets are those of the structs in the kernel's fuse.h; each decoder
 * checks once that its struct is there and then reads without further checks.
 *
 * Numbers are put together from 32-bit halves, as a BigInt costs more than the rest of a decoder;
 * only what is opaque or a time becomes one.
 */

import { RoostError } from '../errors.ts'
import type { Fh, Ino } from '../ids.ts'
import * as abi from './abi.ts'
import { keepableTime, NS_PER_S } from './keepable-time.ts'
import type { FuseRequest, LockRequest, ReaddirRequest, RequestHeader } from './request.ts'
import { uniqueAt } from './unique.ts'

const { OPCODE, IN_SIZE, IN_HEADER_SIZE } = abi

const U32_SPAN = 2 ** 32
/** What a 53-bit number has above its low 32 bits, at most. */
const U53_HIGH_MAX = 2 ** 21 - 1
/** Units in which the header counts the length of what follows the arguments. */
const EXTENSION_UNIT = 8

/**
 * Decodes the request in the first `length` bytes of `buffer`.
 *
 * What it returns refers to `buffer` for the data of write, setxattr and ioctl.
 *
 * @throws RoostError PROTOCOL when it is truncated or makes no sense.
 */
export function decodeRequest(buffer: Buffer, length: number): FuseRequest {
  if (length < IN_HEADER_SIZE || length > buffer.length || u32(buffer, 0) !== length) {
    throw malformed(`${length} bytes do not make a request`)
  }
  // Security contexts and groups, which follow the arguments if the kernel sends them at all.
  const end = length - u16(buffer, 36) * EXTENSION_UNIT
  if (end < IN_HEADER_SIZE) throw malformed('the extensions exceed the request')
  const header: RequestHeader = {
    unique: requestAt(buffer, 8),
    opcode: u32(buffer, 4),
    nodeid: u53(buffer, 16) as Ino,
    uid: u32(buffer, 24),
    gid: u32(buffer, 28),
    pid: u32(buffer, 32)
  }
  const decoder = DECODERS[header.opcode]
  return decoder === undefined ? requestOf(header, { op: 'unknown' }) : decoder(header, buffer, end)
}

/**
 * The `unique` of a request that could not be decoded, by which it can be refused nevertheless.
 *
 * @returns undefined when not even that can be read, and nobody can be answered.
 */
export function uniqueOf(buffer: Buffer, length: number): number | undefined {
  if (length < IN_HEADER_SIZE || length > buffer.length) return undefined
  const unique = uniqueAt(buffer, 8)
  return unique === 0 ? undefined : unique
}

/**
 * The request with this header and these arguments.
 *
 * Not by a spread: where an object has numbers beyond 2^31, V8 takes 9 to 28 us for one.
 */
function requestOf<Args extends object>(header: RequestHeader, args: Args): RequestHeader & Args {
  return Object.assign(header, args)
}

type Decoder = (header: RequestHeader, buffer: Buffer, end: number) => FuseRequest

/** Where the arguments begin. */
const ARGS = IN_HEADER_SIZE

const DECODERS: (Decoder | undefined)[] = []

DECODERS[OPCODE.LOOKUP] = (header, buffer, end) => {
  return requestOf(header, { op: 'lookup', name: nameAt(buffer, ARGS, end) })
}
DECODERS[OPCODE.FORGET] = (header, buffer, end) => {
  need(IN_SIZE.FORGET, end)
  return requestOf(header, { op: 'forget', nlookup: u53(buffer, ARGS) })
}
DECODERS[OPCODE.BATCH_FORGET] = (header, buffer, end) => {
  need(IN_SIZE.BATCH_FORGET, end)
  const count = u32(buffer, ARGS)
  need(IN_SIZE.BATCH_FORGET + count * IN_SIZE.FORGET_ONE, end)
  const forgets = new Array<{ nodeid: Ino; nlookup: number }>(count)
  for (let i = 0; i < count; i++) {
    const at = ARGS + IN_SIZE.BATCH_FORGET + i * IN_SIZE.FORGET_ONE
    forgets[i] = { nodeid: u53(buffer, at) as Ino, nlookup: u53(buffer, at + 8) }
  }
  return requestOf(header, { op: 'batchForget', forgets })
}
DECODERS[OPCODE.GETATTR] = (header, buffer, end) => {
  need(IN_SIZE.GETATTR, end)
  return requestOf(header, {
    op: 'getattr',
    fh: fhIf(u32(buffer, ARGS) & abi.GETATTR_FH, buffer, 8)
  })
}
DECODERS[OPCODE.STATX] = (header, buffer, end) => {
  need(IN_SIZE.STATX, end)
  return requestOf(header, {
    op: 'statx',
    fh: fhIf(u32(buffer, ARGS) & abi.GETATTR_FH, buffer, 8),
    statxFlags: u32(buffer, ARGS + 16),
    mask: u32(buffer, ARGS + 20)
  })
}
DECODERS[OPCODE.SETATTR] = (header, buffer, end) => {
  need(IN_SIZE.SETATTR, end)
  const { FATTR } = abi
  const valid = u32(buffer, ARGS)
  return requestOf(header, {
    op: 'setattr',
    valid,
    fh: fhIf(valid & FATTR.FH, buffer, 8),
    size: valid & FATTR.SIZE ? u53OrInfinity(buffer, ARGS + 16) : 0,
    lockOwner: valid & FATTR.LOCKOWNER ? u64(buffer, ARGS + 24) : 0n,
    atime: valid & FATTR.ATIME ? timeOf(buffer, ARGS + 32, ARGS + 56) : 0n,
    mtime: valid & FATTR.MTIME ? timeOf(buffer, ARGS + 40, ARGS + 60) : 0n,
    ctime: valid & FATTR.CTIME ? timeOf(buffer, ARGS + 48, ARGS + 64) : 0n,
    mode: valid & FATTR.MODE ? u32(buffer, ARGS + 68) : 0,
    newUid: valid & FATTR.UID ? u32(buffer, ARGS + 76) : 0,
    newGid: valid & FATTR.GID ? u32(buffer, ARGS + 80) : 0
  })
}
DECODERS[OPCODE.READLINK] = header => requestOf(header, { op: 'readlink' })
DECODERS[OPCODE.SYMLINK] = (header, buffer, end) => {
  const name = nameAt(buffer, ARGS, end)
  const target = nameAt(buffer, ARGS + name.length + 1, end)
  return requestOf(header, { op: 'symlink', name, target })
}
DECODERS[OPCODE.MKNOD] = (header, buffer, end) => {
  need(IN_SIZE.MKNOD, end)
  return requestOf(header, {
    op: 'mknod',
    name: nameAt(buffer, ARGS + IN_SIZE.MKNOD, end),
    mode: u32(buffer, ARGS),
    rdev: u32(buffer, ARGS + 4),
    umask: u32(buffer, ARGS + 8)
  })
}
DECODERS[OPCODE.MKDIR] = (header, buffer, end) => {
  need(IN_SIZE.MKDIR, end)
  return requestOf(header, {
    op: 'mkdir',
    name: nameAt(buffer, ARGS + IN_SIZE.MKDIR, end),
    mode: u32(buffer, ARGS),
    umask: u32(buffer, ARGS + 4)
  })
}
DECODERS[OPCODE.UNLINK] = (header, buffer, end) => {
  return requestOf(header, { op: 'unlink', name: nameAt(buffer, ARGS, end) })
}
DECODERS[OPCODE.RMDIR] = (header, buffer, end) => {
  return requestOf(header, { op: 'rmdir', name: nameAt(buffer, ARGS, end) })
}
DECODERS[OPCODE.RENAME] = (header, buffer, end) => {
  need(IN_SIZE.RENAME, end)
  return renameOf(header, buffer, end, ARGS + IN_SIZE.RENAME, 0)
}
DECODERS[OPCODE.RENAME2] = (header, buffer, end) => {
  need(IN_SIZE.RENAME2, end)
  return renameOf(header, buffer, end, ARGS + IN_SIZE.RENAME2, u32(buffer, ARGS + 8))
}
DECODERS[OPCODE.LINK] = (header, buffer, end) => {
  need(IN_SIZE.LINK, end)
  const newName = nameAt(buffer, ARGS + IN_SIZE.LINK, end)
  return requestOf(header, { op: 'link', ino: u53(buffer, ARGS) as Ino, newName })
}
DECODERS[OPCODE.OPEN] = (header, buffer, end) => {
  need(IN_SIZE.OPEN, end)
  return requestOf(header, {
    op: 'open',
    flags: u32(buffer, ARGS),
    openFlags: u32(buffer, ARGS + 4)
  })
}
DECODERS[OPCODE.OPENDIR] = (header, buffer, end) => {
  need(IN_SIZE.OPEN, end)
  return requestOf(header, { op: 'opendir', flags: u32(buffer, ARGS) })
}
DECODERS[OPCODE.CREATE] = (header, buffer, end) => {
  need(IN_SIZE.CREATE, end)
  return requestOf(header, {
    op: 'create',
    name: nameAt(buffer, ARGS + IN_SIZE.CREATE, end),
    flags: u32(buffer, ARGS),
    mode: u32(buffer, ARGS + 4),
    umask: u32(buffer, ARGS + 8),
    openFlags: u32(buffer, ARGS + 12)
  })
}
// The name that the kernel sends along means nothing.
DECODERS[OPCODE.TMPFILE] = (header, buffer, end) => {
  need(IN_SIZE.CREATE, end)
  return requestOf(header, {
    op: 'tmpfile',
    flags: u32(buffer, ARGS),
    mode: u32(buffer, ARGS + 4),
    umask: u32(buffer, ARGS + 8)
  })
}
DECODERS[OPCODE.READ] = (header, buffer, end) => {
  need(IN_SIZE.READ, end)
  return requestOf(header, {
    op: 'read',
    fh: fhAt(buffer, 0),
    offset: u53OrInfinity(buffer, ARGS + 8),
    size: u32(buffer, ARGS + 16),
    lockOwner: ownerIf(u32(buffer, ARGS + 20) & abi.READ_LOCKOWNER, buffer, 24),
    flags: u32(buffer, ARGS + 32)
  })
}
DECODERS[OPCODE.WRITE] = (header, buffer, end) => {
  need(IN_SIZE.WRITE, end)
  const writeFlags = u32(buffer, ARGS + 20)
  return requestOf(header, {
    op: 'write',
    fh: fhAt(buffer, 0),
    offset: u53OrInfinity(buffer, ARGS + 8),
    data: dataAt(buffer, ARGS + IN_SIZE.WRITE, u32(buffer, ARGS + 16), end),
    writeFlags,
    lockOwner: ownerIf(writeFlags & abi.WRITE_FLAG.LOCKOWNER, buffer, 24),
    flags: u32(buffer, ARGS + 32)
  })
}
DECODERS[OPCODE.STATFS] = header => requestOf(header, { op: 'statfs' })
DECODERS[OPCODE.RELEASE] = (header, buffer, end) => releaseOf(header, 'release', buffer, end)
DECODERS[OPCODE.RELEASEDIR] = (header, buffer, end) => releaseOf(header, 'releasedir', buffer, end)
DECODERS[OPCODE.FLUSH] = (header, buffer, end) => {
  need(IN_SIZE.FLUSH, end)
  return requestOf(header, { op: 'flush', fh: fhAt(buffer, 0), lockOwner: u64(buffer, ARGS + 16) })
}
DECODERS[OPCODE.FSYNC] = (header, buffer, end) => fsyncOf(header, 'fsync', buffer, end)
DECODERS[OPCODE.FSYNCDIR] = (header, buffer, end) => fsyncOf(header, 'fsyncdir', buffer, end)
DECODERS[OPCODE.INIT] = (header, buffer, end) => {
  need(IN_SIZE.INIT_COMPAT, end)
  const flags = u32(buffer, ARGS + 12)
  const isExtended = (flags & abi.INIT_FLAG.INIT_EXT) !== 0
  if (isExtended) need(IN_SIZE.INIT, end)
  return requestOf(header, {
    op: 'init',
    major: u32(buffer, ARGS),
    minor: u32(buffer, ARGS + 4),
    maxReadahead: u32(buffer, ARGS + 8),
    flags,
    flags2: isExtended ? u32(buffer, ARGS + 16) : 0
  })
}
DECODERS[OPCODE.READDIR] = (header, buffer, end) => readdirOf(header, 'readdir', buffer, end)
DECODERS[OPCODE.READDIRPLUS] = (header, buffer, end) => {
  return readdirOf(header, 'readdirplus', buffer, end)
}
DECODERS[OPCODE.GETLK] = (header, buffer, end) => lockOf(header, 'getlk', buffer, end)
DECODERS[OPCODE.SETLK] = (header, buffer, end) => lockOf(header, 'setlk', buffer, end)
DECODERS[OPCODE.SETLKW] = (header, buffer, end) => lockOf(header, 'setlkw', buffer, end)
DECODERS[OPCODE.ACCESS] = (header, buffer, end) => {
  need(IN_SIZE.ACCESS, end)
  return requestOf(header, { op: 'access', mask: u32(buffer, ARGS) })
}
DECODERS[OPCODE.INTERRUPT] = (header, buffer, end) => {
  need(IN_SIZE.INTERRUPT, end)
  return requestOf(header, { op: 'interrupt', interrupted: requestAt(buffer, ARGS) })
}
DECODERS[OPCODE.DESTROY] = header => requestOf(header, { op: 'destroy' })
DECODERS[OPCODE.LSEEK] = (header, buffer, end) => {
  need(IN_SIZE.LSEEK, end)
  return requestOf(header, {
    op: 'lseek',
    fh: fhAt(buffer, 0),
    offset: u53OrInfinity(buffer, ARGS + 8),
    whence: u32(buffer, ARGS + 16)
  })
}
DECODERS[OPCODE.FALLOCATE] = (header, buffer, end) => {
  need(IN_SIZE.FALLOCATE, end)
  return requestOf(header, {
    op: 'fallocate',
    fh: fhAt(buffer, 0),
    offset: u53OrInfinity(buffer, ARGS + 8),
    length: u53OrInfinity(buffer, ARGS + 16),
    mode: u32(buffer, ARGS + 24)
  })
}
DECODERS[OPCODE.COPY_FILE_RANGE] = (header, buffer, end) => copyOf(header, buffer, end, false)
DECODERS[OPCODE.COPY_FILE_RANGE_64] = (header, buffer, end) => copyOf(header, buffer, end, true)
// The longer form of this struct comes only where INIT took SETXATTR_EXT, which ours does not.
DECODERS[OPCODE.SETXATTR] = (header, buffer, end) => {
  need(IN_SIZE.SETXATTR_COMPAT, end)
  const name = nameAt(buffer, ARGS + IN_SIZE.SETXATTR_COMPAT, end)
  const at = ARGS + IN_SIZE.SETXATTR_COMPAT + name.length + 1
  const value = dataAt(buffer, at, u32(buffer, ARGS), end)
  return requestOf(header, { op: 'setxattr', name, value, flags: u32(buffer, ARGS + 4) })
}
DECODERS[OPCODE.GETXATTR] = (header, buffer, end) => {
  need(IN_SIZE.GETXATTR, end)
  const name = nameAt(buffer, ARGS + IN_SIZE.GETXATTR, end)
  return requestOf(header, { op: 'getxattr', name, size: u32(buffer, ARGS) })
}
DECODERS[OPCODE.LISTXATTR] = (header, buffer, end) => {
  need(IN_SIZE.GETXATTR, end)
  return requestOf(header, { op: 'listxattr', size: u32(buffer, ARGS) })
}
DECODERS[OPCODE.REMOVEXATTR] = (header, buffer, end) => {
  return requestOf(header, { op: 'removexattr', name: nameAt(buffer, ARGS, end) })
}
DECODERS[OPCODE.IOCTL] = (header, buffer, end) => {
  need(IN_SIZE.IOCTL, end)
  return requestOf(header, {
    op: 'ioctl',
    fh: fhAt(buffer, 0),
    flags: u32(buffer, ARGS + 8),
    cmd: u32(buffer, ARGS + 12),
    arg: u64(buffer, ARGS + 16),
    outSize: u32(buffer, ARGS + 28),
    data: dataAt(buffer, ARGS + IN_SIZE.IOCTL, u32(buffer, ARGS + 24), end)
  })
}
DECODERS[OPCODE.POLL] = (header, buffer, end) => {
  need(IN_SIZE.POLL, end)
  return requestOf(header, {
    op: 'poll',
    fh: fhAt(buffer, 0),
    kh: u64(buffer, ARGS + 8),
    flags: u32(buffer, ARGS + 16),
    events: u32(buffer, ARGS + 20)
  })
}
DECODERS[OPCODE.SYNCFS] = header => requestOf(header, { op: 'syncfs' })

function renameOf(
  header: RequestHeader,
  buffer: Buffer,
  end: number,
  at: number,
  flags: number
): FuseRequest {
  const name = nameAt(buffer, at, end)
  const newName = nameAt(buffer, at + name.length + 1, end)
  return requestOf(header, {
    op: 'rename',
    name,
    newParent: u53(buffer, ARGS) as Ino,
    newName,
    flags
  })
}

function releaseOf(
  header: RequestHeader,
  op: 'release' | 'releasedir',
  buffer: Buffer,
  end: number
): FuseRequest {
  need(IN_SIZE.RELEASE, end)
  return requestOf(header, {
    op,
    fh: fhAt(buffer, 0),
    flags: u32(buffer, ARGS + 8),
    releaseFlags: u32(buffer, ARGS + 12),
    lockOwner: u64(buffer, ARGS + 16)
  })
}

function fsyncOf(
  header: RequestHeader,
  op: 'fsync' | 'fsyncdir',
  buffer: Buffer,
  end: number
): FuseRequest {
  need(IN_SIZE.FSYNC, end)
  const dataOnly = (u32(buffer, ARGS + 8) & abi.FSYNC_FDATASYNC) !== 0
  return requestOf(header, { op, fh: fhAt(buffer, 0), dataOnly })
}

function readdirOf(
  header: RequestHeader,
  op: ReaddirRequest['op'],
  buffer: Buffer,
  end: number
): FuseRequest {
  need(IN_SIZE.READ, end)
  return requestOf(header, {
    op,
    fh: fhAt(buffer, 0),
    offset: u53OrInfinity(buffer, ARGS + 8),
    size: u32(buffer, ARGS + 16)
  })
}

function lockOf(
  header: RequestHeader,
  op: LockRequest['op'],
  buffer: Buffer,
  end: number
): FuseRequest {
  need(IN_SIZE.LK, end)
  return requestOf(header, {
    op,
    fh: fhAt(buffer, 0),
    owner: u64(buffer, ARGS + 8),
    start: u53OrInfinity(buffer, ARGS + 16),
    end: u53OrInfinity(buffer, ARGS + 24),
    type: u32(buffer, ARGS + 32),
    lockPid: u32(buffer, ARGS + 36),
    lkFlags: u32(buffer, ARGS + 40)
  })
}

function copyOf(header: RequestHeader, buffer: Buffer, end: number, wide: boolean): FuseRequest {
  need(IN_SIZE.COPY_FILE_RANGE, end)
  return requestOf(header, {
    op: 'copyFileRange',
    fh: fhAt(buffer, 0),
    offset: u53OrInfinity(buffer, ARGS + 8),
    inoOut: u53(buffer, ARGS + 16) as Ino,
    fhOut: fhAt(buffer, 24),
    offsetOut: u53OrInfinity(buffer, ARGS + 32),
    length: u53OrInfinity(buffer, ARGS + 40),
    wide
  })
}

function malformed(why: string): RoostError {
  return new RoostError('PROTOCOL', `malformed request: ${why}`)
}

/** Checks that `size` bytes of arguments are there. */
function need(size: number, end: number): void {
  if (ARGS + size > end) throw malformed('it ends too early')
}

/** The string from `at` to the NUL that ends it, which must be there. */
function nameAt(buffer: Buffer, at: number, end: number): string {
  let nul = at
  while (nul < end && buffer[nul] !== 0) nul++
  if (nul >= end) throw malformed('a name does not end')
  if (nul === at) throw malformed('a name is empty')
  return buffer.toString('latin1', at, nul)
}

function dataAt(buffer: Buffer, at: number, size: number, end: number): Buffer {
  if (at + size > end) throw malformed('its data ends too early')
  return buffer.subarray(at, at + size)
}

function fhAt(buffer: Buffer, offset: number): Fh {
  return u53(buffer, ARGS + offset) as Fh
}

function fhIf(isGiven: number, buffer: Buffer, offset: number): Fh | undefined {
  return isGiven === 0 ? undefined : fhAt(buffer, offset)
}

function ownerIf(isGiven: number, buffer: Buffer, offset: number): bigint | undefined {
  return isGiven === 0 ? undefined : u64(buffer, ARGS + offset)
}

/** Nanoseconds since 1970, from signed seconds and the nanoseconds after those. */
function timeOf(buffer: Buffer, secondsAt: number, nsecAt: number): bigint {
  const nsec = u32(buffer, nsecAt)
  if (nsec >= NS_PER_S) throw malformed('a time has too many nanoseconds')
  return keepableTime(buffer.readBigInt64LE(secondsAt), nsec)
}

function u16(b: Buffer, at: number): number {
  return (b[at] as number) | ((b[at + 1] as number) << 8)
}

function u32(b: Buffer, at: number): number {
  const low = (b[at] as number) | ((b[at + 1] as number) << 8) | ((b[at + 2] as number) << 16)
  return low + (b[at + 3] as number) * 0x1000000
}

function u53(buffer: Buffer, at: number): number {
  const high = u32(buffer, at + 4)
  if (high > U53_HIGH_MAX) throw malformed(`the number at byte ${at} needs more than 53 bits`)
  return high * U32_SPAN + u32(buffer, at)
}

function requestAt(buffer: Buffer, at: number): number {
  const unique = uniqueAt(buffer, at)
  if (unique === undefined) throw malformed(`the number at byte ${at} names no request`)
  return unique
}

function u53OrInfinity(buffer: Buffer, at: number): number {
  const high = u32(buffer, at + 4)
  return high > U53_HIGH_MAX ? Infinity : high * U32_SPAN + u32(buffer, at)
}

function u64(buffer: Buffer, at: number): bigint {
  return buffer.readBigUInt64LE(at)
}
