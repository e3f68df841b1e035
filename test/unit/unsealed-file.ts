import t from 'tap'
import { UnsealedFile } from '../../lib/fuse/unsealed-file.ts'
import { inoOf, type Epoch, type Ino, type VolumeId } from '../../lib/ids.ts'
import type { UnsealedWrite } from '../../lib/vfs/ports.ts'
import { SimDisk } from '../support/sim-disk.ts'

const PATH = 'unsealed'
const [A, B] = [3, 4].map(counter => inoOf(1 as VolumeId, counter)) as [Ino, Ino]
const NOON = 1_800_000_000_000_000_123n

function writeOf(ino: Ino, offset: number, bytes: Buffer, time: bigint): UnsealedWrite {
  return { ino, offset, bytes, time, epoch: 9 as Epoch }
}

/** What the next daemon finds, shortly. */
function leftOn(disk: SimDisk): string[] {
  return new UnsealedFile(disk, true).left.map(
    ({ ino, offset, bytes }) =>
      `${ino === A ? 'a' : 'b'}@${offset} ${Buffer.from(bytes).toString()}`
  )
}

t.test('the next daemon finds what was written, in its order, with its time', async t => {
  const disk = new SimDisk()
  const file = new UnsealedFile(disk, false)
  file.wrote(writeOf(A, 0, Buffer.from('one'), NOON))
  file.wrote(writeOf(B, 7, Buffer.from('two'), NOON))
  file.wrote(writeOf(A, 3, Buffer.from('three'), NOON))
  t.same(leftOn(disk), ['a@0 one', 'a@3 three', 'b@7 two'])
  const [first] = new UnsealedFile(disk, true).left
  t.match(first, { time: NOON, epoch: 9 })
})

t.test('what became history is not found, and what was written after it is', async t => {
  const disk = new SimDisk()
  const file = new UnsealedFile(disk, false)
  file.wrote(writeOf(A, 0, Buffer.from('one'), NOON))
  file.wrote(writeOf(B, 0, Buffer.from('two'), NOON))
  file.settled(A)
  t.same(leftOn(disk), ['b@0 two'])
  file.wrote(writeOf(A, 9, Buffer.from('more'), NOON))
  t.same(leftOn(disk), ['b@0 two', 'a@9 more'])
})

t.test('it begins anew when nothing is under way, and old records do not come back', async t => {
  const disk = new SimDisk()
  const file = new UnsealedFile(disk, false)
  for (let n = 0; n < 5; n++) file.wrote(writeOf(A, n, Buffer.alloc(1000, 'x'), NOON))
  const { length } = disk.bytes(PATH)
  file.settled(A)
  file.wrote(writeOf(B, 0, Buffer.alloc(1000, 'y'), NOON))
  t.same(leftOn(disk), [`b@0 ${'y'.repeat(1000)}`])
  file.settled(B)
  for (let n = 0; n < 5; n++) {
    file.wrote(writeOf(B, n, Buffer.alloc(1000, 'z'), NOON))
    file.settled(B)
  }
  t.same(leftOn(disk), [])
  t.ok(disk.bytes(PATH).length < length + 100, 'it does not grow')
})

t.test('a record of which any part is missing was answered to nobody', async t => {
  const disk = new SimDisk()
  const file = new UnsealedFile(disk, false)
  file.wrote(writeOf(A, 0, Buffer.from('whole'), NOON))
  const { length } = disk.bytes(PATH)
  file.wrote(writeOf(A, 5, Buffer.from('torn'), NOON))
  const all = Buffer.from(disk.bytes(PATH))
  for (let size = length; size < all.length; size++) {
    const torn = disk.open(PATH, 'existing')
    torn.truncate(size)
    torn.close()
    t.same(leftOn(disk), ['a@0 whole'])
  }
})

t.test('a daemon that took over goes on behind what it found, and keeps it once', async t => {
  const disk = new SimDisk()
  new UnsealedFile(disk, false).wrote(writeOf(A, 0, Buffer.from('one'), NOON))
  const next = new UnsealedFile(disk, true)
  next.whileRestoring(() => {
    next.wrote(writeOf(A, 0, Buffer.from('one'), NOON))
  })
  next.wrote(writeOf(A, 3, Buffer.from('two'), NOON))
  t.same(leftOn(disk), ['a@0 one', 'a@3 two'])
  next.settled(A)
  t.same(leftOn(disk), [])
})

t.test('a daemon that follows nobody finds nothing, nor does any after it', async t => {
  const disk = new SimDisk()
  new UnsealedFile(disk, false).wrote(writeOf(A, 0, Buffer.from('one'), NOON))
  t.same(new UnsealedFile(disk, false).left, [])
  t.same(leftOn(disk), [])
  UnsealedFile.discard(disk)
  UnsealedFile.discard(disk)
  t.same(disk.paths(), [])
})

t.test('it is full while much is under way, and not when all of that is history', async t => {
  const file = new UnsealedFile(new SimDisk(), false)
  const mebibyte = Buffer.alloc(1024 * 1024)
  for (let n = 0; n < 32; n++) {
    t.notOk(file.isFull)
    file.wrote(writeOf(A, n * mebibyte.length, mebibyte, NOON))
  }
  t.ok(file.isFull)
  file.settled(A)
  t.notOk(file.isFull)
})
