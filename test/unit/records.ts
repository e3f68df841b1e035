import fc from 'fast-check'
import t from 'tap'
import type { FileClass } from '../../lib/feed/entry.ts'
import type { BlobId, Epoch, Index, Ino, Position, SessionId, VolumeId } from '../../lib/ids.ts'
import * as records from '../../lib/store/records.ts'

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const text = fc.uint8Array({ maxLength: 255 }).map(bytes => Buffer.from(bytes).toString('latin1'))
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes))

t.test('an inode is the same after encoding and decoding', async t => {
  fc.assert(
    fc.property(u53, u32, u53, i64, text, fc.integer({ min: 0, max: 2 }), (...values) => {
      const [big, small, size, time, name, kind] = values
      const inode = {
        ino: big as Ino,
        generation: small as Epoch,
        mode: small,
        nlink: small,
        uid: small,
        gid: 7,
        rdev: small,
        size,
        bodyEnd: big,
        atime: time,
        mtime: -1n,
        ctime: time,
        fileClass: (['general', 'log', 'blob'] as FileClass[])[kind] as FileClass,
        target: name,
        parent: size as Ino,
        name
      }
      t.strictSame(records.decodeInode(records.encodeInode(inode)), inode)
      const xattrs = new Map([
        ['user.one', name],
        ['user.two', '']
      ])
      const more = { ...inode, xattrs }
      t.strictSame(records.decodeInode(records.encodeInode(more)), more)
    }),
    { numRuns: 50 }
  )
})

t.test('names, extents, volumes, marks and counts likewise', async t => {
  fc.assert(
    fc.property(u53, u32, u32, hash, text, i64, (big, small, other, bytes, name, time) => {
      const dirent = { ino: big as Ino, type: small, cookie: big as Index }
      t.strictSame(records.decodeDirent(records.encodeDirent(dirent)), dirent)
      const listed = records.decodeListed(records.encodeListed(name, dirent))
      t.strictSame(listed, { ...dirent, name })
      const blob = bytes.toString('hex') as BlobId
      const extents = [0, 1].map(() => ({ offset: big, length: small, blob, blobOffset: other }))
      t.strictSame(records.decodeExtents(records.encodeExtents(extents)), extents)
      const volume = {
        volume: small as VolumeId,
        epoch: other as Epoch,
        index: big as Index,
        hash: bytes,
        time,
        nextCounter: big,
        nextVolume: small,
        closed: small % 2 === 1
      }
      t.strictSame(records.decodeVolume(records.encodeVolume(volume)), volume)
      const mark = { session: small as SessionId, position: big as Position, chain: bytes }
      t.strictSame(records.decodeMark(records.encodeMark(mark)), mark)
      t.equal(records.decodeCount(records.encodeCount(big)), big)
    }),
    { numRuns: 50 }
  )
})

t.test('what was encoded stays when the next value is', async t => {
  const first = records.encodeCount(1)
  records.encodeCount(2)
  t.equal(records.decodeCount(first), 1)
})
