/**
 * Entries as bytes.
 *
 * All numbers are little-endian. An encoded entry begins with volume, epoch, index, time and the
 * predecessor's hash, then the kind of change and its fields. The bodies that ride with a seal are
 * not part of it: the entry names them by hash, so that its own hash is the same whether a
 * replica got the bytes or not.
 *
 * A decoder meets bytes from a disk or, later, from a peer: anything that is not exactly an
 * entry is a RoostError PROTOCOL, never a RangeError.
 */

import { RoostError } from '../errors.ts'
import type { BlobId, Epoch, Index, Ino, SessionId, VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import { ByteReader, type ByteWriter } from '../util/bytes.ts'
import {
  HASH_SIZE,
  type AttrChange,
  type Change,
  type ChangeKind,
  type Entry,
  type Extent,
  type FileClass
} from './entry.ts'

/** Numbers of the kinds on disk; never reused for another meaning. */
const KIND_CODE: Record<ChangeKind, number> = {
  begin: 1,
  makeRoot: 2,
  close: 3,
  create: 4,
  link: 5,
  unlink: 6,
  rmdir: 7,
  rename: 8,
  setattr: 9,
  write: 10,
  seal: 11,
  drop: 12,
  exchange: 13,
  punch: 14,
  tmpfile: 15,
  setxattr: 16,
  removexattr: 17
}
const KIND_OF_CODE = new Map(Object.entries(KIND_CODE).map(([k, c]) => [c, k as ChangeKind]))

const CLASS_CODE: Record<FileClass, number> = { general: 0, log: 1, blob: 2 }
const CLASS_OF_CODE: readonly FileClass[] = ['general', 'log', 'blob']

const ATTR_MODE = 1
const ATTR_UID = 2
const ATTR_GID = 4
const ATTR_SIZE = 8
const ATTR_ATIME = 16
const ATTR_MTIME = 32

export function encodeEntry(out: ByteWriter, entry: Entry): void {
  out.u32(entry.volume)
  out.u32(entry.epoch)
  out.u53(entry.index)
  out.i64(entry.time)
  out.bytes(entry.previous)
  out.u8(KIND_CODE[entry.change.kind])
  encodeChange(out, entry.change)
}

/** @throws RoostError PROTOCOL unless `bytes` is one whole entry. */
export function decodeEntry(bytes: Buffer): Entry {
  const input = new ByteReader(bytes)
  const volume = input.u32() as VolumeId
  const epoch = input.u32() as Epoch
  const index = input.u53() as Index
  const time = input.i64()
  const previous = input.bytes(HASH_SIZE)
  const code = input.u8()
  const kind = KIND_OF_CODE.get(code)
  if (kind === undefined) throw new RoostError('PROTOCOL', `unknown kind of change ${code}`)
  const change = decodeChange(input, kind)
  if (input.remaining > 0) throw new RoostError('PROTOCOL', `bytes left after a ${kind} entry`)
  return { volume, epoch, index, previous, time, change }
}

function encodeChange(out: ByteWriter, change: Change): void {
  switch (change.kind) {
    case 'begin':
      out.u32(change.session)
      return out.u32(change.skip)
    case 'makeRoot':
      out.u32(change.mode)
      out.u32(change.uid)
      return out.u32(change.gid)
    case 'close':
      return
    case 'create':
      return encodeCreate(out, change)
    case 'link':
      out.u53(change.parent)
      out.text(change.name)
      return out.u53(change.ino)
    case 'unlink':
      out.u53(change.parent)
      out.text(change.name)
      out.u53(change.ino)
      return out.u8(change.drop ? 1 : 0)
    case 'rmdir':
      out.u53(change.parent)
      out.text(change.name)
      return out.u53(change.ino)
    case 'rename':
      out.u53(change.parent)
      out.text(change.name)
      out.u53(change.newParent)
      out.text(change.newName)
      out.u53(change.replaced)
      return out.u8(change.drop ? 1 : 0)
    case 'setattr':
      out.u53(change.ino)
      return encodeAttrChange(out, change.attr)
    case 'write':
      out.u53(change.ino)
      out.u53(change.offset)
      out.u32(change.bytes.length)
      return out.bytes(change.bytes)
    case 'seal':
      return encodeSeal(out, change)
    case 'drop':
      return out.u53(change.ino)
    case 'exchange':
      return encodeExchange(out, change)
    case 'punch':
      out.u53(change.ino)
      out.u53(change.offset)
      return out.u53(change.length)
    case 'tmpfile':
      out.u53(change.ino)
      out.u32(change.mode)
      out.u32(change.uid)
      return out.u32(change.gid)
    case 'setxattr':
      out.u53(change.ino)
      out.text(change.name)
      out.u32(change.value.length)
      return out.bytes(change.value)
    case 'removexattr':
      out.u53(change.ino)
      return out.text(change.name)
    default:
      return unreachable(change)
  }
}

function decodeChange(input: ByteReader, kind: ChangeKind): Change {
  switch (kind) {
    case 'begin':
      return { kind, session: input.u32() as SessionId, skip: input.u32() }
    case 'makeRoot':
      return { kind, mode: input.u32(), uid: input.u32(), gid: input.u32() }
    case 'close':
      return { kind }
    case 'create':
      return decodeCreate(input)
    case 'link':
      return { kind, parent: ino(input), name: input.text(), ino: ino(input) }
    case 'unlink': {
      const [parent, name, child] = [ino(input), input.text(), ino(input)]
      return { kind, parent, name, ino: child, drop: flag(input) }
    }
    case 'rmdir':
      return { kind, parent: ino(input), name: input.text(), ino: ino(input) }
    case 'rename': {
      const [parent, name] = [ino(input), input.text()]
      const [newParent, newName, replaced] = [ino(input), input.text(), ino(input)]
      return { kind, parent, name, newParent, newName, replaced, drop: flag(input) }
    }
    case 'setattr':
      return { kind, ino: ino(input), attr: decodeAttrChange(input) }
    case 'write': {
      const [target, offset, length] = [ino(input), input.u53(), input.u32()]
      return { kind, ino: target, offset, bytes: input.bytes(length) }
    }
    case 'seal':
      return decodeSeal(input)
    case 'drop':
      return { kind, ino: ino(input) }
    case 'exchange': {
      const [parent, name] = [ino(input), input.text()]
      return { kind, parent, name, newParent: ino(input), newName: input.text() }
    }
    case 'punch':
      return { kind, ino: ino(input), offset: input.u53(), length: input.u53() }
    case 'tmpfile':
      return { kind, ino: ino(input), mode: input.u32(), uid: input.u32(), gid: input.u32() }
    case 'setxattr':
      return { kind, ino: ino(input), name: input.text(), value: input.bytes(input.u32()) }
    case 'removexattr':
      return { kind, ino: ino(input), name: input.text() }
    default:
      return unreachable(kind)
  }
}

function encodeExchange(out: ByteWriter, change: Change & { kind: 'exchange' }): void {
  out.u53(change.parent)
  out.text(change.name)
  out.u53(change.newParent)
  out.text(change.newName)
}

function encodeCreate(out: ByteWriter, change: Change & { kind: 'create' }): void {
  out.u53(change.parent)
  out.text(change.name)
  out.u53(change.ino)
  out.u32(change.mode)
  out.u32(change.uid)
  out.u32(change.gid)
  out.u32(change.rdev)
  out.u8(CLASS_CODE[change.fileClass])
  out.text(change.target)
}

function decodeCreate(input: ByteReader): Change {
  const [parent, name, child] = [ino(input), input.text(), ino(input)]
  const [mode, uid, gid, rdev] = [input.u32(), input.u32(), input.u32(), input.u32()]
  const code = input.u8()
  const fileClass = CLASS_OF_CODE[code]
  if (fileClass === undefined) throw new RoostError('PROTOCOL', `unknown file class ${code}`)
  const target = input.text()
  return { kind: 'create', parent, name, ino: child, mode, uid, gid, rdev, fileClass, target }
}

function encodeAttrChange(out: ByteWriter, attr: AttrChange): void {
  let mask = 0
  if (attr.mode !== undefined) mask |= ATTR_MODE
  if (attr.uid !== undefined) mask |= ATTR_UID
  if (attr.gid !== undefined) mask |= ATTR_GID
  if (attr.size !== undefined) mask |= ATTR_SIZE
  if (attr.atime !== undefined) mask |= ATTR_ATIME
  if (attr.mtime !== undefined) mask |= ATTR_MTIME
  out.u8(mask)
  if (attr.mode !== undefined) out.u32(attr.mode)
  if (attr.uid !== undefined) out.u32(attr.uid)
  if (attr.gid !== undefined) out.u32(attr.gid)
  if (attr.size !== undefined) out.u53(attr.size)
  if (attr.atime !== undefined) out.i64(attr.atime)
  if (attr.mtime !== undefined) out.i64(attr.mtime)
}

function decodeAttrChange(input: ByteReader): AttrChange {
  const mask = input.u8()
  if (mask >= ATTR_MTIME * 2) throw new RoostError('PROTOCOL', `unknown attributes ${mask}`)
  return {
    ...(mask & ATTR_MODE && { mode: input.u32() }),
    ...(mask & ATTR_UID && { uid: input.u32() }),
    ...(mask & ATTR_GID && { gid: input.u32() }),
    ...(mask & ATTR_SIZE && { size: input.u53() }),
    ...(mask & ATTR_ATIME && { atime: input.i64() }),
    ...(mask & ATTR_MTIME && { mtime: input.i64() })
  }
}

function encodeSeal(out: ByteWriter, change: Change & { kind: 'seal' }): void {
  out.u53(change.ino)
  out.u53(change.size)
  out.i64(change.mtime)
  out.u32(change.extents.length)
  let next = 0
  change.extents.forEach((extent, i) => {
    const rides = change.riding[next] === i
    if (rides) next++
    out.u53(extent.offset)
    out.u32(extent.length)
    out.u32(extent.blobOffset)
    out.u8(rides ? 1 : 0)
    out.bytes(Buffer.from(extent.blob, 'hex'))
  })
}

function decodeSeal(input: ByteReader): Change {
  const [target, size, mtime, count] = [ino(input), input.u53(), input.i64(), input.u32()]
  const extents: Extent[] = []
  const riding: number[] = []
  for (let i = 0; i < count; i++) {
    const [offset, length, blobOffset] = [input.u53(), input.u32(), input.u32()]
    if (flag(input)) riding.push(i)
    const blob = input.bytes(HASH_SIZE).toString('hex') as BlobId
    extents.push({ offset, length, blob, blobOffset })
  }
  return { kind: 'seal', ino: target, size, mtime, extents, riding }
}

function ino(input: ByteReader): Ino {
  return input.u53() as Ino
}

function flag(input: ByteReader): boolean {
  const value = input.u8()
  if (value > 1) throw new RoostError('PROTOCOL', `${value} is not a flag`)
  return value === 1
}
