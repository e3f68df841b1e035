/** Values of the store as bytes. Numbers are little-endian. */

import type { Extent, FileClass } from '../feed/entry.ts'
import { HASH_SIZE } from '../feed/entry.ts'
import type { BlobId, Epoch, Index, Ino, Position, SessionId, VolumeId } from '../ids.ts'
import type { Dirent, Inode } from '../tree/inode.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import { present } from '../util/assert.ts'

/** A place in the feeds: everything before it is done. */
export interface FeedMark {
  readonly session: SessionId
  readonly position: Position
  readonly chain: Buffer
}

/** A name as a listing finds it. */
export interface ListedName extends Dirent {
  readonly name: string
}

const CLASSES: readonly FileClass[] = ['general', 'log', 'blob']
const writer = new ByteWriter(4096)

function encoded(write: (out: ByteWriter) => void): Buffer {
  writer.reset()
  write(writer)
  return Buffer.from(writer.view())
}

export function encodeInode(inode: Inode): Buffer {
  return encoded(out => {
    out.u53(inode.ino)
    out.u32(inode.generation)
    out.u32(inode.mode)
    out.u32(inode.nlink)
    out.u32(inode.uid)
    out.u32(inode.gid)
    out.u32(inode.rdev)
    out.u53(inode.size)
    out.u53(inode.bodyEnd)
    out.i64(inode.atime)
    out.i64(inode.mtime)
    out.i64(inode.ctime)
    out.u8(CLASSES.indexOf(inode.fileClass))
    out.text(inode.target)
    out.u53(inode.parent)
    out.text(inode.name)
    for (const [name, value] of inode.xattrs ?? []) {
      out.text(name)
      out.u32(value.length)
      out.bytes(Buffer.from(value, 'latin1'))
    }
  })
}

export function decodeInode(bytes: Buffer): Inode {
  const input = new ByteReader(bytes)
  const inode: Inode = {
    ino: input.u53() as Ino,
    generation: input.u32() as Epoch,
    mode: input.u32(),
    nlink: input.u32(),
    uid: input.u32(),
    gid: input.u32(),
    rdev: input.u32(),
    size: input.u53(),
    bodyEnd: input.u53(),
    atime: input.i64(),
    mtime: input.i64(),
    ctime: input.i64(),
    fileClass: present(CLASSES[input.u8()], 'file class'),
    target: input.text(),
    parent: input.u53() as Ino | 0,
    name: input.text()
  }
  if (input.remaining > 0) inode.xattrs = decodeXattrs(input)
  return inode
}

/** The number of the inode that a record is of, without the rest. */
export function inoOfInode(bytes: Buffer): Ino {
  return new ByteReader(bytes).u53() as Ino
}

function decodeXattrs(input: ByteReader): Map<string, string> {
  const xattrs = new Map<string, string>()
  while (input.remaining > 0) {
    const name = input.text()
    xattrs.set(name, input.bytes(input.u32()).toString('latin1'))
  }
  return xattrs
}

export function encodeDirent({ ino, type, cookie }: Dirent): Buffer {
  return encoded(out => {
    out.u53(ino)
    out.u32(type)
    out.u53(cookie)
  })
}

export function decodeDirent(bytes: Buffer): Dirent {
  const input = new ByteReader(bytes)
  return { ino: input.u53() as Ino, type: input.u32(), cookie: input.u53() as Index }
}

/** Where the fields of a listed name are; the name is the rest, LENGTH bytes as a u16. */
export const LISTED = { INO: 0, TYPE: 8, COOKIE: 12, LENGTH: 20, NAME: 22 } as const

export function encodeListed(name: string, { ino, type, cookie }: Dirent): Buffer {
  return encoded(out => {
    out.u53(ino)
    out.u32(type)
    out.u53(cookie)
    out.text(name)
  })
}

export function decodeListed(bytes: Buffer): ListedName {
  const input = new ByteReader(bytes)
  const [ino, type, cookie] = [input.u53() as Ino, input.u32(), input.u53() as Index]
  return { ino, type, cookie, name: input.text() }
}

export function encodeExtents(extents: readonly Extent[]): Buffer {
  return encoded(out => {
    for (const extent of extents) {
      out.u53(extent.offset)
      out.u32(extent.length)
      out.u32(extent.blobOffset)
      out.bytes(Buffer.from(extent.blob, 'hex'))
    }
  })
}

export function decodeExtents(bytes: Buffer): Extent[] {
  const input = new ByteReader(bytes)
  const extents: Extent[] = []
  while (input.remaining > 0) {
    const [offset, length, blobOffset] = [input.u53(), input.u32(), input.u32()]
    const blob = input.bytes(HASH_SIZE).toString('hex') as BlobId
    extents.push({ offset, length, blob, blobOffset })
  }
  return extents
}

export function encodeVolume(record: VolumeRecord): Buffer {
  return encoded(out => {
    out.u32(record.volume)
    out.u32(record.epoch)
    out.u53(record.index)
    out.bytes(record.hash)
    out.i64(record.time)
    out.u53(record.nextCounter)
    out.u32(record.nextVolume)
    out.u8(record.closed ? 1 : 0)
  })
}

export function decodeVolume(bytes: Buffer): VolumeRecord {
  const input = new ByteReader(bytes)
  return {
    volume: input.u32() as VolumeId,
    epoch: input.u32() as Epoch,
    index: input.u53() as Index,
    hash: Buffer.from(input.bytes(HASH_SIZE)),
    time: input.i64(),
    nextCounter: input.u53(),
    nextVolume: input.u32(),
    closed: input.u8() === 1
  }
}

export function encodeMark({ session, position, chain }: FeedMark): Buffer {
  return encoded(out => {
    out.u32(session)
    out.u53(position)
    out.bytes(chain)
  })
}

export function decodeMark(bytes: Buffer): FeedMark {
  const input = new ByteReader(bytes)
  const [session, position] = [input.u32() as SessionId, input.u53() as Position]
  return { session, position, chain: Buffer.from(input.bytes(HASH_SIZE)) }
}

/** A point of a volume's history, with the hash of its entry. */
export interface StoredPoint {
  readonly epoch: Epoch
  readonly index: Index
  readonly hash: Buffer
}

export function encodePoint({ epoch, index, hash }: StoredPoint): Buffer {
  return encoded(out => {
    out.u32(epoch)
    out.u53(index)
    out.bytes(hash)
  })
}

export function decodePoint(bytes: Buffer): StoredPoint {
  const input = new ByteReader(bytes)
  const [epoch, index] = [input.u32() as Epoch, input.u53() as Index]
  return { epoch, index, hash: Buffer.from(input.bytes(HASH_SIZE)) }
}

export function encodeCount(count: number): Buffer {
  return encoded(out => {
    out.u53(count)
  })
}

export function decodeCount(bytes: Buffer): number {
  return new ByteReader(bytes).u53()
}
