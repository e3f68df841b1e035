import t from 'tap'
import type { BlobId, Index, Ino } from '../../lib/ids.ts'
import * as keys from '../../lib/store/keys.ts'

const NUMBERS = [0, 1, 255, 256, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER - 1]

t.test('keys sort as their numbers do', async t => {
  const sorted = NUMBERS.map(value => keys.inodeKey(value as Ino))
  t.same([...sorted].sort(), sorted)
})

t.test('an inode number is read back from its key', async t => {
  for (const value of NUMBERS) {
    t.equal(keys.inoOfKey(keys.inodeKey(value as Ino)), value)
    t.equal(keys.inoOfKey(keys.orphanKey(value as Ino)), value)
    t.equal(keys.inoOfKey(keys.containerGarbageKey(value as Ino)), value)
  }
})

t.test('a blob is read back from the key of what is to be deleted', async t => {
  const blob = '00ff7f80'.repeat(8) as BlobId
  t.equal(keys.blobOfKey(keys.blobGarbageKey(blob)), blob)
})

t.test('the range of a listing has what comes behind a cookie in that directory', async t => {
  const ino = (2 ** 32) as Ino
  const [from, to] = keys.listingRange(ino, 5 as Index)
  const has = (key: string): boolean => key >= from && key < to
  t.notOk(has(keys.listingKey(ino, 5 as Index)))
  t.ok(has(keys.listingKey(ino, 6 as Index)))
  t.ok(has(keys.listingKey(ino, (2 ** 45) as Index)))
  t.notOk(has(keys.listingKey((ino + 1) as Ino, 1 as Index)))
  t.notOk(has(keys.listingKey((ino - 1) as Ino, 9 as Index)))
})

t.test('the ranges of what is to be deleted do not overlap', async t => {
  const blob = keys.blobGarbageKey('ff'.repeat(32) as BlobId)
  const container = keys.containerGarbageKey(0 as Ino)
  const within = (key: string, [from, to]: readonly [string, string]): boolean =>
    key >= from && key < to
  t.ok(within(blob, keys.BLOB_GARBAGE_RANGE))
  t.notOk(within(blob, keys.CONTAINER_GARBAGE_RANGE))
  t.ok(within(container, keys.CONTAINER_GARBAGE_RANGE))
  t.notOk(within(container, keys.BLOB_GARBAGE_RANGE))
})
