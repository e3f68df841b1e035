/**
 * The system calls that node:fs does not have, or not exactly enough, for the POSIX suite.
 *
 * All of them block the calling thread and throw an Error whose `code` is the errno's name, as
 * node:fs does. Plain JavaScript, so that helper processes start at once.
 */

import fs from 'node:fs'
import { constants } from 'node:os'
import koffi from 'koffi'

const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
const PROT_READ = 1
const MAP_SHARED = 1
const MS_SYNC = 4
const PROT_WRITE = 2
const MAP_PRIVATE = 2
const SEEK_SET = 0
const AT_SYMLINK_FOLLOW = 0x400
const FALLOCATE_FLAGS = { keepSize: 1, punchHole: 2, zeroRange: 16 }
const SEEK = { data: 3, hole: 4 }
const XATTR_FLAGS = { any: 0, create: 1, replace: 2 }
const RENAME_FLAGS = { noreplace: 1, exchange: 2 }
/** The same on x86-64 and arm64; the third is "unlock". */
const LOCK_TYPES = { read: 0, write: 1, none: 2 }
const FCNTL = { getlk: 5, setlk: 6, setlkw: 7 }
const FLOCK = { shared: 1, exclusive: 2, none: 8 }
const FLOCK_NONBLOCK = 4
/** A position counts although the file is open for appending; Linux 6.9 and later. */
const RWF_NOAPPEND = 0x20
/** Nanosecond fields of utimensat that stand for "the present time" and "leave it". */
export const UTIME_NOW = 2 ** 30 - 1
export const UTIME_OMIT = 2 ** 30 - 2

koffi.struct('flock_arg', {
  type: 'int16',
  whence: 'int16',
  start: 'int64',
  len: 'int64',
  pid: 'int32'
})
koffi.struct('iovec_arg', { base: 'void *', length: 'size_t' })
koffi.struct('timespec_arg', { seconds: 'int64', nanoseconds: 'int64' })
const direntHead = koffi.struct('dirent_arg', {
  ino: 'uint64',
  offset: 'int64',
  length: 'uint16',
  type: 'uint8',
  name: koffi.array('char', 256, 'String')
})

const libc = koffi.load('libc.so.6')
const native = {
  fcntl: libc.func('int fcntl(int fd, int command, _Inout_ flock_arg *lock)'),
  flock: libc.func('int flock(int fd, int operation)'),
  siginterrupt: libc.func('int siginterrupt(int signal, int flag)'),
  renameat2: libc.func('int renameat2(int, str from, int, str to, uint flags)'),
  mknod: libc.func('int mknod(str path, uint mode, uint64 device)'),
  fallocate: libc.func('int fallocate(int fd, int mode, int64 offset, int64 length)'),
  lseek: libc.func('int64 lseek(int fd, int64 offset, int whence)'),
  linkat: libc.func('int linkat(int, str from, int, str to, int flags)'),
  copyFileRange: libc.func(
    'int64 copy_file_range(int, _Inout_ int64 *, int, _Inout_ int64 *, size_t, uint)'
  ),
  setxattr: libc.func('int setxattr(str path, str name, void *value, size_t size, int flags)'),
  getxattr: libc.func('int64 getxattr(str path, str name, _Out_ void *value, size_t size)'),
  listxattr: libc.func('int64 listxattr(str path, _Out_ void *names, size_t size)'),
  removexattr: libc.func('int removexattr(str path, str name)'),
  utimensat: libc.func('int utimensat(int fd, str path, timespec_arg *times, int flags)'),
  pwritev2: libc.func('long pwritev2(int fd, iovec_arg *parts, int count, int64 at, int flags)'),
  mmap: libc.func('void *mmap(void *address, size_t length, int, int, int, int64 offset)'),
  msync: libc.func('int msync(void *address, size_t length, int flags)'),
  munmap: libc.func('int munmap(void *address, size_t length)'),
  opendir: libc.func('void *opendir(str path)'),
  readdir: libc.func('void *readdir(void *directory)'),
  telldir: libc.func('long telldir(void *directory)'),
  seekdir: libc.func('void seekdir(void *directory, long place)'),
  rewinddir: libc.func('void rewinddir(void *directory)'),
  closedir: libc.func('int closedir(void *directory)')
}

/** Throws the errno that the last call left. */
function fail(call) {
  const errno = koffi.errno()
  const found = Object.entries(constants.errno).find(([, value]) => value === errno)
  const code = found?.[0] ?? `errno ${errno}`
  throw Object.assign(new Error(`${code}: ${call}`), { code, errno })
}

function lock(command, fd, type, start, length) {
  const argument = { type: LOCK_TYPES[type], whence: SEEK_SET, start, len: length, pid: 0 }
  if (native.fcntl(fd, FCNTL[command], argument) === -1) fail(`fcntl ${command}`)
  return argument
}

/** F_SETLK: `type` is 'read', 'write' or 'none'; a `length` of 0 means up to the end. */
export function setLock(fd, type, start, length) {
  lock('setlk', fd, type, start, length)
}

/** F_SETLKW. */
export function waitForLock(fd, type, start, length) {
  lock('setlkw', fd, type, start, length)
}

/** F_GETLK: the first lock in the way, with type 'none' when there is none. */
export function getLock(fd, type, start, length) {
  const found = lock('getlk', fd, type, start, length)
  const [name] = Object.entries(LOCK_TYPES).find(([, value]) => value === found.type)
  return { type: name, start: Number(found.start), length: Number(found.len), pid: found.pid }
}

/** flock(2) with `operation` 'shared', 'exclusive' or 'none'. */
export function flock(fd, operation, wait) {
  const flags = FLOCK[operation] | (wait ? 0 : FLOCK_NONBLOCK)
  if (native.flock(fd, flags) === -1) fail(`flock ${operation}`)
}

/** From now on SIGUSR2 ends a system call with EINTR instead of restarting it. */
export function letSignalInterrupt() {
  process.on('SIGUSR2', () => undefined)
  if (native.siginterrupt(constants.signals.SIGUSR2, 1) === -1) fail('siginterrupt')
}

/** renameat2(2) with one flag, 'noreplace' or 'exchange'. */
export function renameWith(flag, from, to) {
  if (native.renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_FLAGS[flag]) === -1) fail('renameat2')
}

/** mknod(2); `mode` has the type, and `device` is the number that makedev gives. */
export function makeNode(path, mode, device = 0) {
  if (native.mknod(path, mode, device) === -1) fail('mknod')
}

/** fallocate(2); `flags` are names in FALLOCATE_FLAGS. */
export function fallocate(fd, flags, offset, length) {
  const mode = flags.reduce((bits, flag) => bits | FALLOCATE_FLAGS[flag], 0)
  if (native.fallocate(fd, mode, offset, length) === -1) fail('fallocate')
}

/** lseek(2) for the next 'data' or 'hole'. */
export function seek(fd, offset, what) {
  const found = Number(native.lseek(fd, offset, SEEK[what]))
  return found === -1 ? fail('lseek') : found
}

/** copy_file_range(2); returns how many bytes it copied. */
export function copyRange(from, offset, to, offsetOut, length) {
  const copied = native.copyFileRange(from, [offset], to, [offsetOut], length, 0)
  return Number(copied) === -1 ? fail('copy_file_range') : Number(copied)
}

/** Gives an open file a name, as open(2) says for O_TMPFILE. */
export function linkOpenFile(fd, path) {
  const from = `/proc/self/fd/${fd}`
  if (native.linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) === -1) fail('linkat')
}

/** setxattr(2); `which` is 'any', 'create' or 'replace'. */
export function setAttribute(path, name, value, which = 'any') {
  const bytes = Buffer.from(value, 'latin1')
  const flags = XATTR_FLAGS[which]
  if (native.setxattr(path, name, bytes, bytes.length, flags) === -1) fail('setxattr')
}

/** getxattr(2) into a buffer of `size` bytes. */
export function getAttribute(path, name, size = 65_536) {
  const bytes = Buffer.alloc(size)
  const length = Number(native.getxattr(path, name, bytes, size))
  return length === -1 ? fail('getxattr') : bytes.toString('latin1', 0, length)
}

/** How long a value is, as getxattr(2) says without a buffer. */
export function attributeSize(path, name) {
  const length = Number(native.getxattr(path, name, null, 0))
  return length === -1 ? fail('getxattr') : length
}

/** listxattr(2), sorted; those of the namespace `user`. */
export function listAttributes(path, size = 65_536) {
  const bytes = Buffer.alloc(size)
  const length = Number(native.listxattr(path, bytes, size))
  if (length === -1) fail('listxattr')
  const names = bytes.toString('latin1', 0, length).split('\0')
  return names.filter(name => name.startsWith('user.')).sort()
}

export function removeAttribute(path, name) {
  if (native.removexattr(path, name) === -1) fail('removexattr')
}

/** utimensat(2); times are [seconds, nanoseconds], and UTIME_NOW and UTIME_OMIT are known. */
export function setTimes(path, atime, mtime, followLink = true) {
  const times = [atime, mtime].map(([seconds, nanoseconds]) => ({ seconds, nanoseconds }))
  const flags = followLink ? 0 : AT_SYMLINK_NOFOLLOW
  if (native.utimensat(AT_FDCWD, path, times, flags) === -1) fail('utimensat')
}

/** Writes at `position` into a file that is open with O_APPEND. */
export function writeWithoutAppending(fd, text, position) {
  const base = Buffer.from(text, 'latin1')
  const parts = [{ base, length: base.length }]
  const count = native.pwritev2(fd, parts, 1, position, RWF_NOAPPEND)
  if (count !== base.length) fail('pwritev2')
}

const mappings = []

/** Maps the first `length` bytes shared and for reading; returns a number for readMapping. */
export function mapShared(fd, length) {
  return map(fd, length, PROT_READ, MAP_SHARED)
}

/** The same for reading and writing; `kind` is 'shared' or 'private'. */
export function mapFile(fd, length, kind) {
  return map(fd, length, PROT_READ | PROT_WRITE, kind === 'shared' ? MAP_SHARED : MAP_PRIVATE)
}

function map(fd, length, protection, flags) {
  const address = native.mmap(null, length, protection, flags, fd, 0)
  if (BigInt.asIntN(64, koffi.address(address)) === -1n) fail('mmap')
  return mappings.push({ address, length }) - 1
}

/** The bytes of a mapping as they are now, as latin1 text. */
export function readMapping(mapping, start, length) {
  const { address, length: total } = mappings[mapping]
  const bytes = koffi.decode(address, koffi.array('uint8_t', total))
  return Buffer.from(bytes.slice(start, start + length)).toString('latin1')
}

/** Writes latin1 text into a mapping. */
export function writeMapping(mapping, start, text) {
  const { address } = mappings[mapping]
  const bytes = Buffer.from(text, 'latin1')
  koffi.encode(address, start, koffi.array('uint8_t', bytes.length), bytes)
}

/** msync(2) with MS_SYNC. */
export function syncMapping(mapping) {
  const { address, length } = mappings[mapping]
  if (native.msync(address, length, MS_SYNC) === -1) fail('msync')
}

export function unmap(mapping) {
  const { address, length } = mappings[mapping]
  if (native.munmap(address, length) === -1) fail('munmap')
}

/** The first 4 KiB of a file, by a descriptor that stays open: a close would drop its locks. */
export function readText(fd) {
  const buffer = Buffer.alloc(4096)
  return buffer.toString('latin1', 0, fs.readSync(fd, buffer, 0, buffer.length, 0))
}

export function openDirectory(path) {
  return native.opendir(path) ?? fail('opendir')
}

/** The next name, or undefined at the end; "." and ".." are among them. */
export function readDirectory(directory) {
  const entry = native.readdir(directory)
  return entry === null ? undefined : koffi.decode(entry, direntHead).name
}

export function tellDirectory(directory) {
  return native.telldir(directory)
}

export function seekDirectory(directory, place) {
  native.seekdir(directory, place)
}

export function rewindDirectory(directory) {
  native.rewinddir(directory)
}

export function closeDirectory(directory) {
  if (native.closedir(directory) === -1) fail('closedir')
}
