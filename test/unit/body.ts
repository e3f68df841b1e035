import t from 'tap'
import type { Extent } from '../../lib/feed/entry.ts'
import type { BlobId } from '../../lib/ids.ts'
import { WINDOW_SIZE } from '../../lib/tree/window.ts'
import { Body } from '../../lib/vfs/body.ts'
import { SimRandom } from '../support/sim-random.ts'

function extent(offset: number, length: number, blob = 'a'): Extent {
  return { offset, length, blob: blob as BlobId, blobOffset: 0 }
}

const shape = (body: Body): string[] =>
  body
    .pieces(0, 10 * WINDOW_SIZE)
    .map(
      ({ offset, length, sealed, source }) =>
        `${offset}+${length} ${sealed ? 'sealed' : 'dirty'} ${source.blob ?? 'memory'}`
    )

t.test('a new body needs nothing from the store', async t => {
  const body = new Body(0)
  t.equal(body.missing(0, 5 * WINDOW_SIZE), undefined)
  t.notOk(body.dirty)
})

t.test('windows of a sealed body are asked for up to its end', async t => {
  const body = new Body(WINDOW_SIZE + 1)
  t.equal(body.missing(0, 3 * WINDOW_SIZE), 0)
  body.load(0, [extent(0, WINDOW_SIZE)])
  t.equal(body.missing(0, 3 * WINDOW_SIZE), 1)
  body.load(1, [extent(WINDOW_SIZE, 1, 'b')])
  t.equal(body.missing(0, 3 * WINDOW_SIZE), undefined)
  t.same(shape(body), ['0+1048576 sealed a', '1048576+1 sealed b'])
})

t.test('appends go into the memory of the last piece', async t => {
  const body = new Body(0)
  for (let i = 0; i < 50; i++) body.write(i * 100, Buffer.alloc(100, i))
  t.same(shape(body), ['0+5000 dirty memory'])
  t.equal(body.fragments, 1)
  t.equal(body.dirtyPieces()[0]?.source.bytes[4999], 49)
})

t.test('an overwrite within memory stays one piece', async t => {
  const body = new Body(0)
  body.write(0, Buffer.alloc(100, 'a'))
  body.write(10, Buffer.alloc(5, 'b'))
  t.same(shape(body), ['0+100 dirty memory'])
  t.equal(String(body.dirtyPieces()[0]?.source.bytes.subarray(9, 16)), 'abbbbba')
})

t.test('an overwrite of what is sealed leaves the rest sealed', async t => {
  const body = new Body(0)
  body.seal([extent(0, 1000)])
  body.write(200, Buffer.alloc(100))
  t.same(shape(body), ['0+200 sealed a', '200+100 dirty memory', '300+700 sealed a'])
  t.ok(body.dirty)
  body.seal([extent(200, 100, 'b')])
  t.same(shape(body), ['0+200 sealed a', '200+100 sealed b', '300+700 sealed a'])
  t.notOk(body.dirty)
})

t.test('a write over the end of a window is kept in two parts', async t => {
  const body = new Body(0)
  body.write(WINDOW_SIZE - 10, Buffer.alloc(30))
  t.same(shape(body), ['1048566+10 dirty memory', '1048576+20 dirty memory'])
})

t.test('a window written full is handed out to be staged', async t => {
  const body = new Body(0)
  const half = Buffer.alloc(WINDOW_SIZE / 2, 1)
  t.same(body.write(0, half), [])
  const [full] = body.write(WINDOW_SIZE / 2, half)
  t.equal(full?.used, WINDOW_SIZE)
})

t.test('memory on its way to the disk is not written to', async t => {
  const body = new Body(0)
  body.write(0, Buffer.alloc(100, 'a'))
  const [piece] = body.dirtyPieces()
  if (piece === undefined) throw new Error('no piece')
  piece.source.state = 'staging'
  body.write(10, Buffer.alloc(10, 'b'))
  body.write(100, Buffer.alloc(10, 'c'))
  t.equal(String(piece.source.bytes), 'a'.repeat(100))
  t.same(
    shape(body).map(each => each.split(' ')[0]),
    ['0+10', '10+10', '20+80', '100+10']
  )
})

t.test('what was cut off never comes back from the store', async t => {
  const body = new Body(3 * WINDOW_SIZE)
  body.load(0, [extent(0, WINDOW_SIZE)])
  body.truncate(1000)
  body.load(1, [extent(WINDOW_SIZE, 5, 'b')])
  t.equal(body.missing(0, 3 * WINDOW_SIZE), undefined)
  t.same(shape(body), ['0+1000 sealed a'])
})

t.test('a body that has to tell only that it is one is dirty without pieces', async t => {
  const body = new Body(0)
  body.markDirty()
  t.ok(body.dirty)
  body.seal([])
  t.notOk(body.dirty)
})

t.test('any writes, cuts and seals give what a plain buffer has', async t => {
  const size = 3 * WINDOW_SIZE
  for (let seed = 1; seed <= 30; seed++) {
    const random = new SimRandom(seed)
    const body = new Body(0)
    const plain = Buffer.alloc(size)
    const blobs = new Map<string, Buffer>()
    for (let i = 1; i <= 15; i++) {
      const at = random.int(2 * WINDOW_SIZE)
      const chance = random.next()
      if (chance < 0.15) {
        body.truncate(at)
        plain.fill(0, at)
      } else if (chance < 0.3) {
        seal(body, blobs, `${i}`)
      } else {
        const bytes = Buffer.alloc(1 + random.int(200_000), i)
        body.write(at, bytes)
        plain.set(bytes, at)
      }
    }
    const read = Buffer.alloc(size)
    for (const { offset, length, source, sourceOffset } of body.pieces(0, size)) {
      const bytes = blobs.get(source.blob ?? '') ?? source.bytes
      read.set(bytes.subarray(sourceOffset, sourceOffset + length), offset)
    }
    if (!read.equals(plain)) t.fail(`seed=${seed}`)
  }
  t.pass('30 seeds')
})

/** As the sealer does: every dirty piece becomes a blob. */
function seal(body: Body, blobs: Map<string, Buffer>, prefix: string): void {
  const extents = body.dirtyPieces().map(({ offset, length, source, sourceOffset }, i) => {
    const blob = `${prefix}.${i}`
    blobs.set(blob, Buffer.from(source.bytes.subarray(sourceOffset, sourceOffset + length)))
    return extent(offset, length, blob)
  })
  body.seal(extents)
}
