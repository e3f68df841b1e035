/**
 * Replies and notifications to the kernel, from values to bytes.
 *
 * Each encoder writes one message into `out`, from `at` on (0 where not given), and returns its
 * length. `out` must have room: a message that exceeds it is a bug. Nothing is allocated.
 *
 * Times to live are in milliseconds; Infinity lasts until the kernel is told otherwise.
 */

import type { Fh, Ino } from '../ids.ts'
import { assert } from '../util/assert.ts'
import { NOTIFY, OUT_HEADER_SIZE, OUT_SIZE, S_IF } from './abi.ts'
import type { InitReply } from './init.ts'
import { messageSize, putHeader, putI64, putName, putTime, putTtl, putU16, putU32 } from './put.ts'

/** What an inode is, as the kernel is told. */
export interface AttrFields {
  readonly ino: Ino
  readonly size: number
  /** In units of 512 bytes. */
  readonly blocks: number
  /** Type and permissions. */
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  /** Nanoseconds since 1970; they must fit a signed 64-bit number, which lasts until 2262. */
  readonly atime: bigint
  readonly mtime: bigint
  readonly ctime: bigint
  readonly blksize: number
}

/** How long the kernel may answer by itself, and which inode it is that has this number. */
export interface EntryTerms {
  /** With us always the same, as inode numbers are never used again. */
  readonly generation: number
  readonly entryTtlMs: number
  readonly attrTtlMs: number
}

/** statfs(2): blocks are units of `frsize` bytes. */
export interface StatfsFields {
  readonly blocks: number
  readonly bfree: number
  readonly bavail: number
  readonly files: number
  readonly ffree: number
  readonly bsize: number
  readonly namelen: number
  readonly frsize: number
}

/** A lock in the way of another; `end` Infinity is the end of the file. */
export interface LockFields {
  readonly start: number
  readonly end: number
  readonly type: number
  readonly pid: number
}

/** @param errno positive, as in ERRNO */
export function encodeError(out: Buffer, unique: number, errno: number, at = 0): number {
  assert(errno > 0, 'an error needs a positive errno')
  putHeader(out, at, OUT_HEADER_SIZE, -errno, unique)
  return OUT_HEADER_SIZE
}

/** Success with nothing to say. */
export function encodeEmpty(out: Buffer, unique: number, at = 0): number {
  putHeader(out, at, OUT_HEADER_SIZE, 0, unique)
  return OUT_HEADER_SIZE
}

/** Data of read, readlink, getxattr or listxattr. */
export function encodeBytes(out: Buffer, unique: number, bytes: Uint8Array, at = 0): number {
  const length = encodeDataHeader(out, unique, bytes.length, at)
  out.set(bytes, at + OUT_HEADER_SIZE)
  return length
}

/** The header before data of `dataLength` bytes that the caller puts OUT_HEADER_SIZE after it. */
export function encodeDataHeader(out: Buffer, unique: number, dataLength: number, at = 0): number {
  const length = messageSize(dataLength)
  putHeader(out, at, length, 0, unique)
  return length
}

/** Reply to lookup, mknod, mkdir, symlink and link; raises the inode's `nlookup` by one. */
export function encodeEntry(
  out: Buffer,
  unique: number,
  attr: AttrFields,
  terms: EntryTerms,
  at = 0
): number {
  const length = messageSize(OUT_SIZE.ENTRY)
  putHeader(out, at, length, 0, unique)
  putEntry(out, at + OUT_HEADER_SIZE, attr, terms)
  return length
}

/** Reply to lookup: there is no such name, which the kernel may remember for a time. */
export function encodeNegativeEntry(
  out: Buffer,
  unique: number,
  entryTtlMs: number,
  at = 0
): number {
  const length = messageSize(OUT_SIZE.ENTRY)
  putHeader(out, at, length, 0, unique)
  const start = at + OUT_HEADER_SIZE
  out.fill(0, start, start + OUT_SIZE.ENTRY)
  putTtl(out, start + 16, start + 32, entryTtlMs)
  return length
}

/** Reply to getattr and setattr. */
export function encodeAttr(
  out: Buffer,
  unique: number,
  attr: AttrFields,
  attrTtlMs: number,
  at = 0
): number {
  const length = messageSize(OUT_SIZE.ATTR_REPLY)
  putHeader(out, at, length, 0, unique)
  const start = at + OUT_HEADER_SIZE
  putTtl(out, start, start + 8, attrTtlMs)
  putU32(out, start + 12, 0)
  putAttr(out, start + 16, attr)
  return length
}

/** Reply to open and opendir. @param flags bits of FOPEN */
export function encodeOpen(out: Buffer, unique: number, fh: Fh, flags: number, at = 0): number {
  const length = messageSize(OUT_SIZE.OPEN)
  putHeader(out, at, length, 0, unique)
  putOpen(out, at + OUT_HEADER_SIZE, fh, flags)
  return length
}

/** Reply to create and tmpfile; raises the inode's `nlookup` by one. @param flags bits of FOPEN */
export function encodeCreate(
  out: Buffer,
  unique: number,
  attr: AttrFields,
  terms: EntryTerms,
  fh: Fh,
  flags: number,
  at = 0
): number {
  const length = messageSize(OUT_SIZE.ENTRY + OUT_SIZE.OPEN)
  putHeader(out, at, length, 0, unique)
  putEntry(out, at + OUT_HEADER_SIZE, attr, terms)
  putOpen(out, at + OUT_HEADER_SIZE + OUT_SIZE.ENTRY, fh, flags)
  return length
}

/** Reply to write, and to a copyFileRange that is not `wide`: how many bytes were written. */
export function encodeWrite(out: Buffer, unique: number, size: number, at = 0): number {
  return encodeU32(out, unique, size, at)
}

/** Reply to getxattr and listxattr of size 0: how many bytes there are. */
export function encodeXattrSize(out: Buffer, unique: number, size: number, at = 0): number {
  return encodeU32(out, unique, size, at)
}

/** Reply to lseek, and to a `wide` copyFileRange. */
export function encodeLseek(out: Buffer, unique: number, offset: number, at = 0): number {
  const length = messageSize(OUT_SIZE.LSEEK)
  putHeader(out, at, length, 0, unique)
  putI64(out, at + OUT_HEADER_SIZE, offset)
  return length
}

export function encodeStatfs(out: Buffer, unique: number, fields: StatfsFields, at = 0): number {
  const length = messageSize(OUT_SIZE.STATFS)
  putHeader(out, at, length, 0, unique)
  const start = at + OUT_HEADER_SIZE
  out.fill(0, start, start + OUT_SIZE.STATFS)
  putI64(out, start, fields.blocks)
  putI64(out, start + 8, fields.bfree)
  putI64(out, start + 16, fields.bavail)
  putI64(out, start + 24, fields.files)
  putI64(out, start + 32, fields.ffree)
  putU32(out, start + 40, fields.bsize)
  putU32(out, start + 44, fields.namelen)
  putU32(out, start + 48, fields.frsize)
  return length
}

/** Reply to getlk: the lock that is in the way, or the one asked for with type UNLCK. */
export function encodeLk(out: Buffer, unique: number, lock: LockFields, at = 0): number {
  const length = messageSize(OUT_SIZE.LK)
  putHeader(out, at, length, 0, unique)
  const start = at + OUT_HEADER_SIZE
  putI64(out, start, lock.start)
  putI64(out, start + 8, lock.end)
  putU32(out, start + 16, lock.type)
  putU32(out, start + 20, lock.pid)
  return length
}

/** Reply to init, as `negotiateInit` has found it. */
export function encodeInit(out: Buffer, unique: number, reply: InitReply, at = 0): number {
  const length = messageSize(OUT_SIZE.INIT)
  putHeader(out, at, length, 0, unique)
  const start = at + OUT_HEADER_SIZE
  out.fill(0, start, start + OUT_SIZE.INIT)
  putU32(out, start, reply.major)
  putU32(out, start + 4, reply.minor)
  putU32(out, start + 8, reply.maxReadahead)
  putU32(out, start + 12, reply.flags)
  putU16(out, start + 16, reply.maxBackground)
  putU16(out, start + 18, reply.congestionThreshold)
  putU32(out, start + 20, reply.maxWrite)
  putU32(out, start + 24, reply.timeGranNs)
  putU16(out, start + 28, reply.maxPages)
  putU32(out, start + 32, reply.flags2)
  putU32(out, start + 36, reply.maxStackDepth)
  return length
}

/**
 * Entries of a readdir or readdirplus reply, as many as fit.
 *
 * `begin`, then `add` (or, for readdirplus, `addPlus` and `addBare`) until one returns false,
 * then `finish`. A reply without entries means the end of the directory.
 */
export class DirentWriter {
  readonly #out: Buffer
  #start = 0
  #position = 0
  #end = 0
  #unique = 0

  /** @param out holds the reply; it is given once and written by every round. */
  constructor(out: Buffer) {
    this.#out = out
  }

  /** @param size how many bytes the entries may take, as the request says. */
  begin(unique: number, size: number, at = 0): void {
    this.#unique = unique
    this.#start = at
    this.#position = at + OUT_HEADER_SIZE
    this.#end = Math.min(this.#position + size, this.#out.length)
  }

  /**
   * Adds an entry to a readdir reply.
   *
   * @param mode only its type is told.
   * @param cookie the `offset` with which a later readdir goes on after this entry; above 0.
   * @returns false, and adds nothing, when it does not fit.
   */
  add(name: string, ino: Ino, mode: number, cookie: number): boolean {
    return this.#addDirent(name, ino, mode, cookie, 0)
  }

  /** Adds an entry to a readdirplus reply, which raises the inode's `nlookup` by one. */
  addPlus(name: string, attr: AttrFields, terms: EntryTerms, cookie: number): boolean {
    const at = this.#position
    if (!this.#addDirent(name, attr.ino, attr.mode, cookie, OUT_SIZE.ENTRY)) return false
    putEntry(this.#out, at, attr, terms)
    return true
  }

  /** Adds to a readdirplus reply an entry without attributes, of which nothing is counted. */
  addBare(name: string, ino: Ino, mode: number, cookie: number): boolean {
    const at = this.#position
    if (!this.#addDirent(name, ino, mode, cookie, OUT_SIZE.ENTRY)) return false
    this.#out.fill(0, at, at + OUT_SIZE.ENTRY)
    return true
  }

  /** Completes the reply. @returns its length */
  finish(): number {
    const length = this.#position - this.#start
    putHeader(this.#out, this.#start, length, 0, this.#unique)
    return length
  }

  #addDirent(name: string, ino: Ino, mode: number, cookie: number, before: number): boolean {
    const out = this.#out
    const at = this.#position + before
    const next = align(at + OUT_SIZE.DIRENT + name.length - this.#start) + this.#start
    if (next > this.#end) return false
    putI64(out, at, ino)
    putI64(out, at + 8, cookie)
    putU32(out, at + 16, name.length)
    putU32(out, at + 20, (mode & S_IF.MT) >>> 12)
    putName(out, at + OUT_SIZE.DIRENT, name)
    for (let i = at + OUT_SIZE.DIRENT + name.length; i < next; i++) out[i] = 0
    this.#position = next
    return true
  }
}

/**
 * Notification: pages of an inode are no longer what they were, and its attributes neither.
 *
 * @param offset below 0 leaves the pages alone.
 * @param length 0 means to the end of the file.
 */
export function encodeNotifyInvalInode(
  out: Buffer,
  ino: Ino,
  offset: number,
  length: number,
  at = 0
): number {
  const total = messageSize(OUT_SIZE.NOTIFY_INVAL_INODE)
  putHeader(out, at, total, NOTIFY.INVAL_INODE, 0)
  const start = at + OUT_HEADER_SIZE
  putI64(out, start, ino)
  putI64(out, start + 8, offset)
  putI64(out, start + 16, length)
  return total
}

/** Notification: all names that are known are out of date. Since 7.44. */
export function encodeNotifyIncEpoch(out: Buffer, at = 0): number {
  const total = messageSize(0)
  putHeader(out, at, total, NOTIFY.INC_EPOCH, 0)
  return total
}

/**
 * Notification: what is known of a name, and of the attributes of its directory, is out of date.
 *
 * @param flags 0, or EXPIRE_ONLY where INIT has offered HAS_EXPIRE_ONLY.
 */
export function encodeNotifyInvalEntry(
  out: Buffer,
  parent: Ino,
  name: string,
  flags = 0,
  at = 0
): number {
  const total = messageSize(OUT_SIZE.NOTIFY_INVAL_ENTRY + name.length + 1)
  putHeader(out, at, total, NOTIFY.INVAL_ENTRY, 0)
  const start = at + OUT_HEADER_SIZE
  putI64(out, start, parent)
  putU32(out, start + 8, name.length)
  putU32(out, start + 12, flags)
  putName(out, start + OUT_SIZE.NOTIFY_INVAL_ENTRY, name)
  out[at + total - 1] = 0
  return total
}

/** Notification: `child` lost this name in `parent`, which watchers of the directory are told. */
export function encodeNotifyDelete(
  out: Buffer,
  parent: Ino,
  child: Ino,
  name: string,
  at = 0
): number {
  const total = messageSize(OUT_SIZE.NOTIFY_DELETE + name.length + 1)
  putHeader(out, at, total, NOTIFY.DELETE, 0)
  const start = at + OUT_HEADER_SIZE
  putI64(out, start, parent)
  putI64(out, start + 8, child)
  putU32(out, start + 16, name.length)
  putU32(out, start + 20, 0)
  putName(out, start + OUT_SIZE.NOTIFY_DELETE, name)
  out[at + total - 1] = 0
  return total
}

/** Notification: what whoever served before has not answered is to be sent again (Linux 6.9). */
export function encodeNotifyResend(out: Buffer, at = 0): number {
  putHeader(out, at, OUT_HEADER_SIZE, NOTIFY.RESEND, 0)
  return OUT_HEADER_SIZE
}

/** Entries of a directory begin at multiples of 8 bytes after the header, which has 16. */
function align(position: number): number {
  return (position + 7) & ~7
}

function encodeU32(out: Buffer, unique: number, value: number, at: number): number {
  const length = messageSize(OUT_SIZE.WRITE)
  putHeader(out, at, length, 0, unique)
  putU32(out, at + OUT_HEADER_SIZE, value)
  putU32(out, at + OUT_HEADER_SIZE + 4, 0)
  return length
}

function putOpen(out: Buffer, at: number, fh: Fh, flags: number): void {
  putI64(out, at, fh)
  putU32(out, at + 8, flags)
  putU32(out, at + 12, 0)
}

function putEntry(out: Buffer, at: number, attr: AttrFields, terms: EntryTerms): void {
  putI64(out, at, attr.ino)
  putI64(out, at + 8, terms.generation)
  putTtl(out, at + 16, at + 32, terms.entryTtlMs)
  putTtl(out, at + 24, at + 36, terms.attrTtlMs)
  putAttr(out, at + 40, attr)
}

function putAttr(out: Buffer, at: number, attr: AttrFields): void {
  putI64(out, at, attr.ino)
  putI64(out, at + 8, attr.size)
  putI64(out, at + 16, attr.blocks)
  putTime(out, at + 24, at + 48, attr.atime)
  putTime(out, at + 32, at + 52, attr.mtime)
  putTime(out, at + 40, at + 56, attr.ctime)
  putU32(out, at + 60, attr.mode)
  putU32(out, at + 64, attr.nlink)
  putU32(out, at + 68, attr.uid)
  putU32(out, at + 72, attr.gid)
  putU32(out, at + 76, attr.rdev)
  putU32(out, at + 80, attr.blksize)
  putU32(out, at + 84, 0)
}
