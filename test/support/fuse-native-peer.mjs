/**
 * A small complete filesystem in memory on `fuse-native`: what the benchmark compares with.
 *
 *   node fuse-native-peer.mjs MOUNTPOINT
 *
 * prints one line when it is mounted. It unmounts at SIGTERM and when its stdin ends, as it does
 * when the process dies that started it (see fuse-native-mount.ts).
 *
 * It does what the binding allows as fast as the binding allows: nothing here waits, and no
 * permission is checked. Locks are left to the kernel. The binding does not tell who asks, so
 * what is made belongs to the owner of its directory.
 */

import { constants } from 'node:fs'
import { createRequire } from 'node:module'
import koffi from 'koffi'

const require = createRequire(import.meta.url)
// The binding needs libfuse.so.2. The package brings it under another file name, where the
// loader does not look for it; once it is loaded, the loader knows it by its own name.
koffi.load(require.resolve(`fuse-native/prebuilds/linux-${process.arch}/libfuse.so`))
const Fuse = require('fuse-native')

const { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } = constants
const UNCHANGED_ID = 0xffffffff
const NAME_BYTES_MAX = 255
/** A file is one buffer, which cannot be much larger. */
const FILE_BYTES_MAX = 2 ** 30

let lastIno = 0

class Inode {
  ino = ++lastIno
  nlink = 1
  size = 0
  /** A file's bytes, with room to grow; those from `size` on are zero. */
  bytes = Buffer.alloc(0)
  target = ''
  /** A directory's entries. */
  entries = undefined
  atime = Date.now()
  mtime = this.atime
  ctime = this.atime

  constructor(mode, parent) {
    this.mode = mode
    this.uid = parent?.uid ?? 0
    this.gid = parent?.gid ?? 0
    if ((mode & S_IFMT) !== S_IFDIR) return
    this.entries = new Map()
    this.nlink = 2
  }

  get blocks() {
    return Math.ceil(this.size / 512)
  }

  reserve(size) {
    if (size <= this.bytes.length) return
    const grown = Buffer.alloc(Math.max(size, 2 * this.bytes.length, 4096))
    this.bytes.copy(grown, 0, 0, this.size)
    this.bytes = grown
  }

  resize(size) {
    if (size > FILE_BYTES_MAX) fail('EFBIG')
    if (size < this.size) this.bytes.fill(0, size, this.size)
    this.reserve(size)
    this.size = size
    this.touch()
  }

  /** Its content has changed. */
  touch() {
    this.mtime = this.ctime = Date.now()
  }
}

class FsFailure {
  constructor(errno) {
    this.errno = errno
  }
}

const root = new Inode(S_IFDIR | 0o755)
const handles = new Map()
let lastHandle = 0

function fail(name) {
  throw new FsFailure(Fuse[name])
}

function find(path) {
  let inode = root
  if (path === '/') return inode
  for (const name of path.slice(1).split('/')) {
    if (inode.entries === undefined) fail('ENOTDIR')
    inode = inode.entries.get(name) ?? fail('ENOENT')
  }
  return inode
}

/** The directory that `path` lies in, and the last name of it. */
function place(path) {
  const slash = path.lastIndexOf('/')
  const parent = find(slash === 0 ? '/' : path.slice(0, slash))
  const name = path.slice(slash + 1)
  if (parent.entries === undefined) fail('ENOTDIR')
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) fail('ENAMETOOLONG')
  return { parent, name, inode: parent.entries.get(name) }
}

function make(path, mode) {
  const { parent, name, inode } = place(path)
  if (inode !== undefined) fail('EEXIST')
  const made = new Inode(mode, parent)
  parent.entries.set(name, made)
  if (made.entries !== undefined) parent.nlink += 1
  parent.touch()
  return made
}

function openHandle(inode) {
  handles.set(++lastHandle, inode)
  return lastHandle
}

function drop(inode) {
  inode.nlink -= 1
  inode.ctime = Date.now()
}

function removeDirectory(path) {
  const { parent, name, inode } = place(path)
  if (inode === undefined) fail('ENOENT')
  if (inode.entries === undefined) fail('ENOTDIR')
  if (inode.entries.size > 0) fail('ENOTEMPTY')
  parent.entries.delete(name)
  parent.nlink -= 1
  parent.touch()
}

function rename(from, to) {
  const source = place(from)
  const target = place(to)
  const moved = source.inode ?? fail('ENOENT')
  if (target.inode === moved) return
  if (target.inode?.entries !== undefined) {
    if (moved.entries === undefined) fail('EISDIR')
    removeDirectory(to)
  } else if (target.inode !== undefined) {
    if (moved.entries !== undefined) fail('ENOTDIR')
    drop(target.inode)
  }
  source.parent.entries.delete(source.name)
  target.parent.entries.set(target.name, moved)
  if (moved.entries !== undefined) {
    source.parent.nlink -= 1
    target.parent.nlink += 1
  }
  source.parent.touch()
  target.parent.touch()
  moved.ctime = Date.now()
}

function link(from, to) {
  const inode = find(from)
  const { parent, name, inode: existing } = place(to)
  if (existing !== undefined) fail('EEXIST')
  parent.entries.set(name, inode)
  parent.touch()
  inode.nlink += 1
  inode.ctime = Date.now()
}

function unlink(path) {
  const { parent, name, inode } = place(path)
  if (inode === undefined) fail('ENOENT')
  if (inode.entries !== undefined) fail('EISDIR')
  parent.entries.delete(name)
  parent.touch()
  drop(inode)
}

function change(path, update) {
  const inode = find(path)
  update(inode)
  inode.ctime = Date.now()
}

const STATFS = {
  bsize: 4096,
  frsize: 4096,
  blocks: 1 << 22,
  bfree: 1 << 21,
  bavail: 1 << 21,
  files: 1 << 24,
  ffree: 1 << 23,
  favail: 1 << 23,
  namemax: NAME_BYTES_MAX
}

/** Each returns what the kernel is owed, or throws a FsFailure. */
const operations = {
  statfs: () => STATFS,
  getattr: path => find(path),
  readdir: path => ['.', '..', ...(find(path).entries ?? fail('ENOTDIR')).keys()],
  readlink: path => find(path).target,
  open: path => openHandle(find(path)),
  create: (path, mode) => openHandle(make(path, S_IFREG | (mode & ~S_IFMT))),
  release: (path, handle) => void handles.delete(handle),
  fsync: () => undefined,
  fsyncdir: () => undefined,
  truncate: (path, size) => find(path).resize(size),
  ftruncate: (path, handle, size) => handles.get(handle).resize(size),
  mkdir: (path, mode) => void make(path, S_IFDIR | (mode & ~S_IFMT)),
  rmdir: removeDirectory,
  unlink,
  rename,
  link,
  chmod: (path, mode) =>
    change(path, inode => {
      inode.mode = (inode.mode & S_IFMT) | (mode & ~S_IFMT)
    }),
  chown: (path, uid, gid) =>
    change(path, inode => {
      if (uid >>> 0 !== UNCHANGED_ID) inode.uid = uid
      if (gid >>> 0 !== UNCHANGED_ID) inode.gid = gid
    }),
  utimens: (path, atime, mtime) =>
    change(path, inode => {
      inode.atime = atime
      inode.mtime = mtime
    }),
  symlink(target, path) {
    const made = make(path, S_IFLNK | 0o777)
    made.target = target
    made.size = Buffer.byteLength(target)
  }
}

/** The binding's form of an operation: the answer goes to the callback at the end. */
function answering(operation) {
  return (...args) => {
    const reply = args.pop()
    let value
    try {
      value = operation(...args)
    } catch (error) {
      if (!(error instanceof FsFailure)) throw error
      return reply(error.errno)
    }
    return reply(0, value)
  }
}

const ops = Object.fromEntries(
  Object.entries(operations).map(([name, operation]) => [name, answering(operation)])
)

// These two answer with a number of bytes in the place of the errno.
ops.read = (path, handle, buffer, length, position, reply) => {
  const inode = handles.get(handle)
  const end = Math.min(position + length, inode.size)
  reply(end > position ? inode.bytes.copy(buffer, 0, position, end) : 0)
}
ops.write = (path, handle, buffer, length, position, reply) => {
  const inode = handles.get(handle)
  if (position + length > FILE_BYTES_MAX) return reply(Fuse.EFBIG)
  inode.reserve(position + length)
  buffer.copy(inode.bytes, position, 0, length)
  inode.size = Math.max(inode.size, position + length)
  inode.touch()
  return reply(length)
}

// The binding has no names for two options of its library without which every write is cut into
// pages and hard links are different files: they ride behind the file system's name.
const fuse = new Fuse(process.argv[2], ops, {
  allowOther: true,
  fsname: 'fuse-native,use_ino,big_writes',
  timeout: false
})

fuse.mount(error => {
  if (error) throw error
  process.stdout.write('mounted\n')
})

let isEnding = false

function end() {
  if (isEnding) return
  isEnding = true
  fuse.unmount(error => process.exit(error ? 1 : 0))
}

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, end)
process.stdin.resume().on('end', end)
