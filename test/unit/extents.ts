import t from 'tap'
import type { Extent } from '../../lib/feed/entry.ts'
import type { BlobId } from '../../lib/ids.ts'
import { cutExtent, firstBehind, piecesIn, replaceRange } from '../../lib/tree/extents.ts'
import { windowsOf, WINDOW_SIZE } from '../../lib/tree/window.ts'
import { SimRandom } from '../support/sim-random.ts'

function extent(offset: number, length: number, blob = 'a', blobOffset = 0): Extent {
  return { offset, length, blob: blob as BlobId, blobOffset }
}

t.test('a cut extent names less of the same blob', async t => {
  t.same(cutExtent(extent(100, 50, 'a', 7), 120, 10), extent(120, 10, 'a', 27))
})

t.test('pieces are found where they reach into a range', async t => {
  const pieces = [extent(0, 10), extent(10, 10), extent(30, 10)]
  t.equal(firstBehind(pieces, 10), 1)
  t.equal(firstBehind(pieces, 40), 3)
  t.same(piecesIn(pieces, 9, 11), [extent(0, 10), extent(10, 10)])
  t.same(piecesIn(pieces, 20, 30), [])
})

t.test('a replacement inside a piece leaves what is before and behind it', async t => {
  const pieces = [extent(0, 100, 'a')]
  replaceRange(pieces, 40, 60, cutExtent, extent(40, 20, 'b'))
  t.same(pieces, [extent(0, 40, 'a'), extent(40, 20, 'b'), extent(60, 40, 'a', 60)])
})

t.test('clearing a range takes whole pieces and cuts those at its ends', async t => {
  const pieces = [extent(0, 10), extent(10, 10), extent(20, 10)]
  replaceRange(pieces, 5, 25, cutExtent)
  t.same(pieces, [extent(0, 5), extent(25, 5, 'a', 5)])
})

t.test('any replacements give what writing the bytes would', async t => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new SimRandom(seed)
    const pieces: Extent[] = []
    const expected: (string | undefined)[] = []
    for (let i = 0; i < 20; i++) {
      const [start, length] = [random.int(60), 1 + random.int(20)]
      const blob = random.chance(0.2) ? undefined : String(i)
      const replacement = blob === undefined ? undefined : extent(start, length, blob)
      replaceRange(pieces, start, start + length, cutExtent, replacement)
      for (let at = start; at < start + length; at++) {
        expected[at] = blob === undefined ? undefined : `${blob}:${at - start}`
      }
    }
    for (let at = 0; at < 90; at++) {
      const [piece] = piecesIn(pieces, at, at + 1)
      const found = piece && `${piece.blob}:${piece.blobOffset + (at - piece.offset)}`
      if (found !== expected[at]) t.fail(`seed=${seed}: byte ${at} is of ${found}`)
    }
    const isSorted = pieces.every((piece, i) => {
      const before = pieces[i - 1]
      return before === undefined || before.offset + before.length <= piece.offset
    })
    if (!isSorted) t.fail(`seed=${seed}: pieces overlap`)
  }
  t.pass('200 seeds')
})

t.test('a range touches the windows of its first and its last byte', async t => {
  t.same([...windowsOf(0, 0)], [])
  t.same([...windowsOf(WINDOW_SIZE - 1, 1)], [0])
  t.same([...windowsOf(WINDOW_SIZE - 1, 2)], [0, 1])
})
