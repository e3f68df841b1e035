/**
 * A file system of a few lines, all in memory: what the kernel's requests and our replies are
 * tried with. It keeps no promise beyond what tiny-fs-exercise.mjs looks at.
 */

import { ERRNO, FsError } from '../../lib/errors.ts'
import { FATTR, FOPEN, INIT_FLAG, LOCK_TYPE, S_IF } from '../../lib/fuse/abi.ts'
import * as encode from '../../lib/fuse/encode.ts'
import { negotiateInit, type InitOutcome } from '../../lib/fuse/init.ts'
import type { FuseRequest } from '../../lib/fuse/request.ts'
import type { Fh, Ino } from '../../lib/ids.ts'
import { pageSize } from '../../lib/io/libc.ts'

const TERMS: encode.EntryTerms = { generation: 0, entryTtlMs: Infinity, attrTtlMs: 1500.5 }
const FH = (2 ** 40) as Fh
const ROOT = 1

interface Node {
  mode: number
  uid: number
  gid: number
  nlink: number
  mtime: bigint
  data: Buffer
  children: Map<string, number>
  xattrs: Map<string, Buffer>
}

export class TinyFs {
  /** What INIT has come to. */
  init: InitOutcome | undefined
  /** How many messages of each operation came. */
  readonly counts = new Map<string, number>()
  readonly #out = Buffer.alloc(1024 * 1024 + 4096)
  readonly #dirents = new encode.DirentWriter(this.#out)
  readonly #nodes = new Map<number, Node>()
  #inoNext = 2 ** 32 + 1

  constructor(uid: number, gid: number) {
    this.#nodes.set(ROOT, nodeOf(S_IF.DIR | 0o755, uid, gid))
  }

  /** The reply to a request, in a buffer that the next one uses again; none where none is due. */
  answer(request: FuseRequest): Buffer | undefined {
    this.counts.set(request.op, (this.counts.get(request.op) ?? 0) + 1)
    const length = this.#lengthOf(request)
    return length === 0 ? undefined : this.#out.subarray(0, length)
  }

  /** Changes a file in the root without a request. */
  overwrite(name: string, text: string): void {
    this.#node(this.inoOf(name)).data = Buffer.from(text)
  }

  /** Gives a name in the root to a file that has another, likewise. */
  exchange(name: string, other: string): void {
    this.#node(ROOT).children.set(name, this.inoOf(other))
  }

  /** The inode of a file in the root. */
  inoOf(name: string): Ino {
    const ino = this.#node(ROOT).children.get(name)
    if (ino === undefined) throw new FsError('ENOENT')
    return ino as Ino
  }

  #lengthOf(request: FuseRequest): number {
    try {
      return this.#serve(request)
    } catch (error) {
      if (!(error instanceof FsError)) throw error
      return encode.encodeError(this.#out, request.unique, error.errno)
    }
  }

  #serve(request: FuseRequest): number {
    const out = this.#out
    const { unique } = request
    switch (request.op) {
      case 'init':
        return this.#serveInit(request)
      case 'forget':
      case 'batchForget':
      case 'interrupt':
        return 0
      case 'lookup':
        return this.#lookup(request.nodeid, request.name, unique)
      case 'getattr':
        return encode.encodeAttr(out, unique, this.#attrOf(request.nodeid), TERMS.attrTtlMs)
      case 'setattr':
        return this.#setattr(request)
      case 'readlink':
        return encode.encodeBytes(out, unique, this.#node(request.nodeid).data)
      case 'mknod':
      case 'mkdir':
      case 'symlink':
      case 'link':
      case 'create':
      case 'tmpfile':
        return this.#make(request)
      case 'unlink':
      case 'rmdir':
      case 'rename':
        return this.#changeNames(request)
      case 'open':
      case 'opendir':
        return encode.encodeOpen(out, unique, FH, FOPEN.KEEP_CACHE)
      case 'read':
      case 'write':
      case 'lseek':
      case 'fallocate':
      case 'copyFileRange':
        return this.#serveData(request)
      case 'readdir':
      case 'readdirplus':
        return this.#readdir(request)
      case 'statfs':
        return encode.encodeStatfs(out, unique, STATFS)
      case 'getlk':
        return encode.encodeLk(out, unique, {
          start: request.start,
          end: request.end,
          type: LOCK_TYPE.UNLCK,
          pid: 0
        })
      case 'setxattr':
      case 'getxattr':
      case 'listxattr':
      case 'removexattr':
        return this.#serveXattr(request)
      case 'ioctl':
      case 'poll':
      case 'statx':
      case 'unknown':
        return encode.encodeError(out, unique, ERRNO.ENOSYS)
      default:
        return encode.encodeEmpty(out, unique)
    }
  }

  #serveInit(request: FuseRequest & { op: 'init' }): number {
    const { WRITEBACK_CACHE, NO_OPEN_SUPPORT, POSIX_ACL, AUTO_INVAL_DATA } = INIT_FLAG
    this.init = negotiateInit(request, {
      flags: ~(WRITEBACK_CACHE | NO_OPEN_SUPPORT | POSIX_ACL | AUTO_INVAL_DATA),
      flags2: 0,
      maxWrite: 1024 * 1024,
      maxReadahead: 128 * 1024,
      maxBackground: 64,
      congestionThreshold: 48,
      pageSize: pageSize()
    })
    return encode.encodeInit(this.#out, request.unique, this.init.reply)
  }

  #lookup(parent: number, name: string, unique: number): number {
    const ino = this.#node(parent).children.get(name)
    if (ino === undefined) return encode.encodeNegativeEntry(this.#out, unique, Infinity)
    return encode.encodeEntry(this.#out, unique, this.#attrOf(ino), TERMS)
  }

  #setattr(request: FuseRequest & { op: 'setattr' }): number {
    const node = this.#node(request.nodeid)
    const { valid } = request
    if (valid & FATTR.MODE) node.mode = request.mode
    if (valid & FATTR.UID) node.uid = request.newUid
    if (valid & FATTR.GID) node.gid = request.newGid
    if (valid & FATTR.SIZE) node.data = resized(node.data, request.size)
    if (valid & FATTR.MTIME) node.mtime = request.mtime
    const attr = this.#attrOf(request.nodeid)
    return encode.encodeAttr(this.#out, request.unique, attr, TERMS.attrTtlMs)
  }

  #make(
    request: FuseRequest & { op: 'mknod' | 'mkdir' | 'symlink' | 'link' | 'create' | 'tmpfile' }
  ): number {
    const out = this.#out
    const { op, unique, nodeid, uid, gid } = request
    let ino = this.#inoNext
    if (op === 'link') ino = request.ino
    else this.#nodes.set(this.#inoNext++, nodeOf(modeOf(request), uid, gid))
    const node = this.#node(ino)
    if (op === 'link') node.nlink++
    if (op === 'symlink') node.data = Buffer.from(request.target, 'latin1')
    if (op === 'tmpfile') node.nlink = 0
    else this.#node(nodeid).children.set(op === 'link' ? request.newName : request.name, ino)
    const attr = this.#attrOf(ino)
    return op === 'create' || op === 'tmpfile'
      ? encode.encodeCreate(out, unique, attr, TERMS, FH, 0)
      : encode.encodeEntry(out, unique, attr, TERMS)
  }

  #changeNames(request: FuseRequest & { op: 'unlink' | 'rmdir' | 'rename' }): number {
    const names = this.#node(request.nodeid).children
    const ino = names.get(request.name)
    if (ino === undefined) throw new FsError('ENOENT')
    if (request.op === 'rmdir' && this.#node(ino).children.size > 0) throw new FsError('ENOTEMPTY')
    names.delete(request.name)
    if (request.op === 'rename') {
      this.#node(request.newParent).children.set(request.newName, ino)
    } else {
      this.#node(ino).nlink--
    }
    return encode.encodeEmpty(this.#out, request.unique)
  }

  #serveData(
    request: FuseRequest & { op: 'read' | 'write' | 'lseek' | 'fallocate' | 'copyFileRange' }
  ): number {
    const out = this.#out
    const { unique, offset } = request
    const node = this.#node(request.nodeid)
    switch (request.op) {
      case 'read':
        return encode.encodeBytes(out, unique, node.data.subarray(offset, offset + request.size))
      case 'write':
        writeInto(node, offset, request.data)
        return encode.encodeWrite(out, unique, request.data.length)
      case 'lseek':
        return encode.encodeLseek(out, unique, request.whence === 3 ? offset : node.data.length)
      case 'fallocate':
        node.data = resized(node.data, Math.max(node.data.length, offset + request.length))
        return encode.encodeEmpty(out, unique)
      case 'copyFileRange': {
        const bytes = Buffer.from(node.data.subarray(offset, offset + request.length))
        writeInto(this.#node(request.inoOut), request.offsetOut, bytes)
        return request.wide
          ? encode.encodeLseek(out, unique, bytes.length)
          : encode.encodeWrite(out, unique, bytes.length)
      }
    }
  }

  #readdir(request: FuseRequest & { op: 'readdir' | 'readdirplus' }): number {
    const entries = [...this.#node(request.nodeid).children].slice(request.offset)
    this.#dirents.begin(request.unique, request.size)
    entries.every(([name, ino], i) => {
      const attr = this.#attrOf(ino)
      const cookie = request.offset + i + 1
      if (request.op === 'readdir') return this.#dirents.add(name, attr.ino, attr.mode, cookie)
      // Every other one without attributes, so that both forms are seen.
      return i % 2 === 0
        ? this.#dirents.addPlus(name, attr, TERMS, cookie)
        : this.#dirents.addBare(name, attr.ino, attr.mode, cookie)
    })
    return this.#dirents.finish()
  }

  #serveXattr(
    request: FuseRequest & { op: 'setxattr' | 'getxattr' | 'listxattr' | 'removexattr' }
  ): number {
    const { xattrs } = this.#node(request.nodeid)
    if (request.op === 'setxattr') xattrs.set(request.name, Buffer.from(request.value))
    if (request.op === 'removexattr') xattrs.delete(request.name)
    if (request.op === 'setxattr' || request.op === 'removexattr') {
      return encode.encodeEmpty(this.#out, request.unique)
    }
    const list = [...xattrs.keys()].map(name => `${name}\0`).join('')
    const value = request.op === 'listxattr' ? Buffer.from(list) : xattrs.get(request.name)
    if (value === undefined) throw new FsError('ENODATA')
    return request.size === 0
      ? encode.encodeXattrSize(this.#out, request.unique, value.length)
      : encode.encodeBytes(this.#out, request.unique, value)
  }

  #node(ino: number): Node {
    const node = this.#nodes.get(ino)
    if (node === undefined) throw new FsError('ESTALE')
    return node
  }

  #attrOf(ino: number): encode.AttrFields {
    const node = this.#node(ino)
    const { mode, uid, gid, nlink, mtime, data } = node
    const times = { atime: mtime, mtime, ctime: mtime }
    const size = data.length
    const blocks = Math.ceil(size / 512)
    return {
      ino: ino as Ino,
      size,
      blocks,
      mode,
      nlink,
      uid,
      gid,
      rdev: 0,
      ...times,
      blksize: 4096
    }
  }
}

const STATFS: encode.StatfsFields = {
  blocks: 1000,
  bfree: 900,
  bavail: 800,
  files: 70,
  ffree: 60,
  bsize: 4096,
  namelen: 255,
  frsize: 4096
}

function nodeOf(mode: number, uid: number, gid: number): Node {
  const nlink = (mode & S_IF.MT) === S_IF.DIR ? 2 : 1
  const data = Buffer.alloc(0)
  return { mode, uid, gid, nlink, mtime: 0n, data, children: new Map(), xattrs: new Map() }
}

function modeOf(request: FuseRequest): number {
  if (request.op === 'symlink') return S_IF.LNK | 0o777
  const mode = 'mode' in request ? request.mode : 0
  return request.op === 'mkdir' ? S_IF.DIR | mode : mode
}

function writeInto(node: Node, offset: number, bytes: Buffer): void {
  node.data = resized(node.data, Math.max(node.data.length, offset + bytes.length))
  bytes.copy(node.data, offset)
}

function resized(data: Buffer, size: number): Buffer {
  const grown = Buffer.alloc(size)
  data.copy(grown)
  return grown
}
