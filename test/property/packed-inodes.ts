/** Packed inodes against a map, which knows everything that was put in and not taken out. */

import fc from 'fast-check'
import t from 'tap'
import type { Epoch, Ino } from '../../lib/ids.ts'
import { encodeInode } from '../../lib/store/records.ts'
import { S_IFREG, type Inode } from '../../lib/tree/inode.ts'
import { PackedInodes, type Generation } from '../../lib/vfs/packed-inodes.ts'

const INODES = 400
const PAGE_BYTES = 1024

interface Step {
  readonly act: 'put' | 'get' | 'take' | 'reclaim'
  readonly number: number
  readonly generation: Generation
}

const steps = fc.array(
  fc.record<Step>({
    act: fc.constantFrom('put', 'put', 'put', 'put', 'get', 'get', 'take', 'reclaim'),
    number: fc.nat(INODES - 1),
    generation: fc.constantFrom('fresh', 'kept')
  }),
  { maxLength: 1500, size: 'max' }
)

t.test('what is packed comes out as it went in, until it is cleared away', async () => {
  fc.assert(
    fc.property(steps, all => {
      const packed = new PackedInodes(PAGE_BYTES)
      const model = new Map<Ino, Inode>()
      for (const { act, number, generation } of all) {
        const ino = inoOf(number)
        const has = packed.has(ino)
        if (has && !model.has(ino)) return false
        if (act === 'put' && !has) {
          const inode = inodeOf(number)
          model.set(ino, inode)
          packed.put(encodeInode(inode), generation)
        }
        if (act === 'get' && has && !isSame(packed.get(ino), model.get(ino))) return false
        if (act === 'take') {
          if (!isSame(packed.take(ino)?.inode, has ? model.get(ino) : undefined)) return false
          if (packed.has(ino)) return false
        }
        if (act === 'reclaim') packed.reclaim(generation)
        let count = 0
        for (let n = 0; n < INODES; n++) if (packed.has(inoOf(n))) count++
        if (count !== packed.size) return false
      }
      for (const generation of ['fresh', 'fresh', 'kept', 'kept', 'kept'] as const) {
        while (packed.reclaim(generation) && packed.size > 0);
      }
      return true
    }),
    { numRuns: 60 }
  )
})

t.test('what was looked at again stays when its page is cleared, and the rest goes', async t => {
  const packed = new PackedInodes(PAGE_BYTES)
  for (let n = 0; n < 5; n++) packed.put(encodeInode(inodeOf(n)), 'fresh')
  for (const n of [1, 1, 2]) packed.get(inoOf(n))
  packed.reclaim('fresh')
  t.same(
    [0, 1, 2, 3, 4].map(n => packed.has(inoOf(n))),
    [false, true, false, false, false]
  )
  t.equal(packed.bytesOf('fresh'), 0)
  t.equal(packed.take(inoOf(1))?.generation, 'kept')
})

t.test('a record that is longer than a page is left out', async t => {
  const packed = new PackedInodes(PAGE_BYTES)
  const inode = { ...inodeOf(1), xattrs: new Map([['user.a', 'x'.repeat(PAGE_BYTES)]]) }
  packed.put(encodeInode(inode), 'fresh')
  t.equal(packed.size, 0)
})

/** Of three volumes, and neighbours in each. */
function inoOf(number: number): Ino {
  return ((number % 3) * 2 ** 32 + Math.floor(number / 3) + 1) as Ino
}

function inodeOf(number: number): Inode {
  const time = BigInt(number) * 1_000_000_007n
  return {
    ino: inoOf(number),
    generation: number as Epoch,
    mode: S_IFREG | (number % 512),
    nlink: 1 + (number % 3),
    uid: number,
    gid: 2 ** 32 - 1 - number,
    rdev: 0,
    size: number * 2 ** 20,
    bodyEnd: number,
    atime: time,
    mtime: -time,
    ctime: time + 1n,
    fileClass: number % 2 === 0 ? 'blob' : 'log',
    target: 'x'.repeat(number % 100),
    parent: 0,
    name: ''
  }
}

function isSame(one: Inode | undefined, other: Inode | undefined): boolean {
  const text = (inode: Inode | undefined): string =>
    JSON.stringify(inode, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))
  return text(one) === text(other)
}
