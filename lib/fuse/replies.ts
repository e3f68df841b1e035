/**
 * Replies, from what operations return to the bytes that the kernel reads.
 *
 * What the kernel is told stays valid until it is told otherwise: nobody but this mount changes
 * the tree, and the kernel sees what it changes itself.
 */

import { FsError } from '../errors.ts'
import type { Fh } from '../ids.ts'
import type { Dirent, Inode } from '../tree/inode.ts'
import type { Lock } from '../vfs/lock-table.ts'
import type { Node } from '../vfs/node.ts'
import { LOCK_TYPE, OUT_HEADER_SIZE } from './abi.ts'
import * as encode from './encode.ts'
import type { AttrFields, EntryTerms } from './encode.ts'
import type { InitReply } from './init.ts'

const TTL_MS = Infinity
const BLOCK_SIZE = 4096
/** What statfs says of inodes: there is no limit of ours, and this is one that programs can add. */
const FILES_MAX = 2 ** 31

/** Takes the first `length` bytes of `message`, which is used again afterwards. */
export type Send = (message: Buffer, length: number) => void

export class Replies {
  readonly #send: Send
  readonly #out: Buffer
  readonly #dirents: encode.DirentWriter
  #isPlus = false

  /** @param sizeMax bytes of data in the largest reply */
  constructor(send: Send, sizeMax: number) {
    this.#send = send
    this.#out = Buffer.allocUnsafeSlow(sizeMax + OUT_HEADER_SIZE)
    this.#dirents = new encode.DirentWriter(this.#out)
  }

  error(unique: number, errno: number): void {
    this.#send(this.#out, encode.encodeError(this.#out, unique, errno))
  }

  empty(unique: number): void {
    this.#send(this.#out, encode.encodeEmpty(this.#out, unique))
  }

  init(unique: number, reply: InitReply): void {
    this.#send(this.#out, encode.encodeInit(this.#out, unique, reply))
  }

  entry(unique: number, node: Node): void {
    node.nlookup++
    this.#send(this.#out, encode.encodeEntry(this.#out, unique, fieldsOf(node), termsOf(node)))
  }

  /** The name does not exist, and that may be remembered. */
  absent(unique: number): void {
    this.#send(this.#out, encode.encodeNegativeEntry(this.#out, unique, TTL_MS))
  }

  /** @param ttlMs for how long the kernel may believe it */
  attr(unique: number, node: Node, ttlMs = TTL_MS): void {
    this.#send(this.#out, encode.encodeAttr(this.#out, unique, fieldsOf(node), ttlMs))
  }

  opened(unique: number, fh: Fh, flags: number): void {
    this.#send(this.#out, encode.encodeOpen(this.#out, unique, fh, flags))
  }

  created(unique: number, node: Node, fh: Fh, flags: number): void {
    node.nlookup++
    const [attr, terms] = [fieldsOf(node), termsOf(node)]
    this.#send(this.#out, encode.encodeCreate(this.#out, unique, attr, terms, fh, flags))
  }

  written(unique: number, length: number): void {
    this.#send(this.#out, encode.encodeWrite(this.#out, unique, length))
  }

  /** A position, or how many bytes were copied, in 64 bits. */
  position(unique: number, position: number): void {
    this.#send(this.#out, encode.encodeLseek(this.#out, unique, position))
  }

  /** The whole of `bytes` if it fits into what the kernel has room for, or how long it is. */
  xattr(unique: number, bytes: Buffer, size: number): void {
    if (size !== 0 && bytes.length > size) throw new FsError('ERANGE')
    if (size !== 0) return this.bytes(unique, bytes)
    this.#send(this.#out, encode.encodeXattrSize(this.#out, unique, bytes.length))
  }

  bytes(unique: number, bytes: Uint8Array): void {
    this.#send(this.#out, encode.encodeBytes(this.#out, unique, bytes))
  }

  /** Where up to `size` bytes can be put before `filled` sends them. Any other reply takes it. */
  room(size: number): Buffer {
    return this.#out.subarray(OUT_HEADER_SIZE, OUT_HEADER_SIZE + size)
  }

  filled(unique: number, length: number): void {
    this.#send(this.#out, encode.encodeDataHeader(this.#out, unique, length))
  }

  text(unique: number, latin1: string): void {
    this.bytes(unique, Buffer.from(latin1, 'latin1'))
  }

  statfs(unique: number, space: { freeBytes: number; totalBytes: number }): void {
    const free = Math.floor(space.freeBytes / BLOCK_SIZE)
    const fields = {
      blocks: Math.floor(space.totalBytes / BLOCK_SIZE),
      bfree: free,
      bavail: free,
      files: FILES_MAX,
      ffree: FILES_MAX,
      bsize: BLOCK_SIZE,
      frsize: BLOCK_SIZE,
      namelen: 255
    }
    this.#send(this.#out, encode.encodeStatfs(this.#out, unique, fields))
  }

  /** @param lock the one in the way, or undefined when none is */
  lock(unique: number, lock: Lock | undefined): void {
    const { start = 0, end = 0, pid = 0 } = lock ?? {}
    const type =
      lock === undefined
        ? LOCK_TYPE.UNLCK
        : lock.type === 'write'
          ? LOCK_TYPE.WRLCK
          : LOCK_TYPE.RDLCK
    this.#send(this.#out, encode.encodeLk(this.#out, unique, { start, end, type, pid }))
  }

  beginListing(unique: number, size: number, isPlus: boolean): void {
    this.#isPlus = isPlus
    this.#dirents.begin(unique, size)
  }

  /** @param attr for READDIRPLUS, where it is in memory @returns whether it fitted */
  addName(name: string, { ino, type, cookie }: Dirent, attr: Inode | undefined): boolean {
    if (!this.#isPlus) return this.#dirents.add(name, ino, type, cookie)
    if (attr === undefined) return this.#dirents.addBare(name, ino, type, cookie)
    return this.#dirents.addPlus(name, fieldsOf({ attr }), termsOf({ attr }), cookie)
  }

  endListing(): void {
    this.#send(this.#out, this.#dirents.finish())
  }
}

function fieldsOf({ attr }: { readonly attr: Inode }): AttrFields {
  const { ino, size, mode, nlink, uid, gid, rdev, atime, mtime, ctime } = attr
  const blocks = Math.ceil(size / 512)
  return {
    ino,
    size,
    blocks,
    mode,
    nlink,
    uid,
    gid,
    rdev,
    atime,
    mtime,
    ctime,
    blksize: BLOCK_SIZE
  }
}

function termsOf({ attr }: { readonly attr: Inode }): EntryTerms {
  return { generation: attr.generation, entryTtlMs: TTL_MS, attrTtlMs: TTL_MS }
}
