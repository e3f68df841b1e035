import t from 'tap'
import { NO_HASH, type Entry } from '../../lib/feed/entry.ts'
import { FeedReader } from '../../lib/feed/feed-reader.ts'
import { scanFeed } from '../../lib/feed/feed-scan.ts'
import { FeedSyncer } from '../../lib/feed/feed-syncer.ts'
import { FeedWriter } from '../../lib/feed/feed-writer.ts'
import { decodeFrame, encodeFrame, FRAME_ALIGN, type Frame } from '../../lib/feed/frame.ts'
import * as segment from '../../lib/feed/segment.ts'
import type { Epoch, Index, Ino, Position, SessionId, VolumeId } from '../../lib/ids.ts'
import { ByteWriter } from '../../lib/util/bytes.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'

const SESSION = 4 as SessionId
const START = { position: segment.firstFrameOf(0), chain: NO_HASH }
const NOTHING = 0 as Position

function writeEntry(index: number, size: number, previous = NO_HASH): Entry {
  return {
    volume: 1 as VolumeId,
    epoch: 1 as Epoch,
    index: index as Index,
    previous,
    time: BigInt(index),
    change: { kind: 'write', ino: 9 as Ino, offset: index, bytes: Buffer.alloc(size, index) }
  }
}

/** A disk with prepared segments, as the keeper makes them. */
function prepared(...segments: number[]): SimDisk {
  const disk = new SimDisk()
  disk.makeDirectory(segment.feedDirectoryOf(SESSION))
  for (const number of segments) {
    const file = disk.open(segment.segmentPathOf(SESSION, number), 'create')
    file.truncate(segment.SEGMENT_SIZE)
    file.close()
  }
  return disk
}

function append(writer: FeedWriter, index: number, size: number, durable = NOTHING): Position {
  writer.append([{ entry: writeEntry(index, size), bodies: [] }], durable)
  return writer.end
}

function scan(disk: SimDisk, attested = NOTHING) {
  const frames: Frame[] = []
  const scanned = scanFeed(disk, SESSION, START, attested)
  for (;;) {
    const next = scanned.next()
    if (next.done === true) return { frames, tail: next.value }
    frames.push(next.value)
  }
}

const indexOf = ({ entries }: Frame): number => Number(entries[0]?.entry.index)

t.test('a frame names its place, and the chain before and behind it', async t => {
  const entries = [
    { entry: writeEntry(1, 5), bodies: [] },
    { entry: writeEntry(2, 6), bodies: [] }
  ]
  const input = { session: SESSION, position: 64 as Position, durable: 64 as Position, entries }
  const out = new ByteWriter()
  const encoded = encodeFrame(out, { ...input, chainBefore: NO_HASH })
  t.equal(encoded.bytes.length % FRAME_ALIGN, 0)
  const frame = decodeFrame(encoded.bytes)
  if (typeof frame === 'string') throw new Error(frame)
  t.equal(frame.position, 64)
  t.ok(frame.chain.equals(encoded.chain))
  t.ok(frame.entries[1]?.entry.previous.equals(frame.entries[0]?.hash as Buffer))
  t.ok(frame.entries[1]?.hash.equals(encoded.hashes[1] as Buffer))
})

t.test('a riding body is no part of the hash of its entry', async t => {
  const change = { kind: 'seal', ino: 9 as Ino, size: 4, mtime: 1n } as const
  const blob = 'ab'.repeat(32) as never
  const extents = [{ offset: 0, length: 4, blob, blobOffset: 0 }]
  const hashes = ['some', 'else'].map(text => {
    const entry = { ...writeEntry(1, 0), change: { ...change, extents, riding: [0] } }
    const entries = [{ entry, bodies: [Buffer.from(text)] }]
    const place = { position: 64 as Position, durable: NOTHING, chainBefore: NO_HASH }
    return encodeFrame(new ByteWriter(), { session: SESSION, ...place, entries }).hashes[0]
  })
  t.same(hashes[0], hashes[1])
})

t.test('a segment header says which segment of which feed it begins', async t => {
  const header = { session: SESSION, segment: 7, chainBefore: Buffer.alloc(32, 3) }
  const bytes = segment.encodeSegmentHeader(header)
  t.equal(bytes.length, segment.SEGMENT_HEADER_SIZE)
  t.same(segment.decodeSegmentHeader(bytes), header)
  bytes[9] = 1
  t.equal(segment.decodeSegmentHeader(bytes), 'wrong header checksum')
  t.type(segment.decodeSegmentHeader(Buffer.alloc(64)), 'string')
})

t.test('the first append enters the first segment', async t => {
  const disk = prepared(0)
  const writer = new FeedWriter(disk, SESSION)
  t.equal(writer.roomInSegment, 0)
  append(writer, 1, 10)
  const { frames, tail } = scan(disk)
  t.same(frames.map(indexOf), [1])
  t.equal(tail.end, writer.end)
  t.equal(tail.torn, undefined)
})

t.test('an append without a prepared segment changes nothing and can be repeated', async t => {
  const disk = prepared()
  const writer = new FeedWriter(disk, SESSION)
  t.throws(() => append(writer, 1, 10), { code: 'DISK_FULL' })
  t.equal(writer.failed, undefined)
  disk.open(segment.segmentPathOf(SESSION, 0), 'create').truncate(segment.SEGMENT_SIZE)
  append(writer, 1, 10)
  t.same(scan(disk).frames.map(indexOf), [1])
})

t.test('after a write that failed nothing more is appended', async t => {
  const disk = prepared(0)
  const writer = new FeedWriter(disk, SESSION)
  append(writer, 1, 10)
  disk.fail('write', 'EIO')
  t.throws(() => append(writer, 2, 10), { code: 'FEED_FAILED' })
  t.throws(() => append(writer, 2, 10), { code: 'FEED_FAILED' })
  t.match(writer.failed, { code: 'FEED_FAILED' })
})

t.test('frames go on in the next segment, and the reader follows', async t => {
  const disk = prepared(0, 1, 2)
  const writer = new FeedWriter(disk, SESSION)
  for (let index = 1; index <= 40; index++) append(writer, index, 1_000_000)
  t.equal(segment.segmentOf(writer.end), 2)
  const { frames, tail } = scan(disk, writer.end)
  t.same(
    frames.map(indexOf),
    [...Array(40).keys()].map(i => i + 1)
  )
  t.equal(tail.torn, undefined)
})

t.test('a frame that just fills its segment is followed by the next segment', async t => {
  const disk = prepared(0, 1)
  const writer = new FeedWriter(disk, SESSION)
  for (let index = 1; writer.roomInSegment === 0 || writer.roomInSegment > 1_500_000; index++) {
    append(writer, index, 1_000_000)
  }
  const [before, small] = [writer.end, append(writer, 17, 8)]
  const overhead = small - before - 8
  append(writer, 18, writer.roomInSegment - overhead - 100_000)
  append(writer, 19, writer.roomInSegment - overhead)
  t.equal(writer.roomInSegment, 0)
  const full = writer.end
  t.equal(scan(disk, full).tail.torn, undefined, 'also when nothing follows')
  append(writer, 20, 10)
  const { frames, tail } = scan(disk, writer.end)
  t.equal(indexOf(frames.at(-1) as Frame), 20)
  t.equal(tail.torn, undefined)
  const reader = new FeedReader(disk, SESSION, START.position, START.chain)
  while (reader.nextBelow(full) !== undefined);
  t.ok(reader.position >= full)
  t.equal(reader.nextBelow(writer.end)?.entries[0]?.entry.index, 20)
})

t.test('a reader goes on from any place it reached', async t => {
  const disk = prepared(0, 1)
  const writer = new FeedWriter(disk, SESSION)
  for (let index = 1; index <= 20; index++) append(writer, index, 900_000)
  const first = new FeedReader(disk, SESSION, START.position, START.chain)
  for (let index = 1; index <= 20; index++) {
    first.nextBelow(writer.end)
    const other = new FeedReader(disk, SESSION, first.position, first.chain)
    const next = other.nextBelow(writer.end)
    t.equal(next && indexOf(next), index === 20 ? undefined : index + 1)
    other.close()
  }
})

t.test('a reader takes nothing beyond what is durable', async t => {
  const disk = prepared(0)
  const writer = new FeedWriter(disk, SESSION)
  const durable = append(writer, 1, 100)
  const reader = new FeedReader(disk, SESSION, START.position, START.chain)
  t.ok(reader.nextBelow(durable))
  append(writer, 2, 100)
  t.equal(reader.nextBelow(durable), undefined)
  t.ok(reader.nextBelow(writer.end), 'and finds it when it is')
})

t.test('a bad frame below what is durable is damage', async t => {
  const disk = prepared(0)
  const writer = new FeedWriter(disk, SESSION)
  append(writer, 1, 100)
  disk.flipBit(segment.segmentPathOf(SESSION, 0), writer.end - 30)
  const reader = new FeedReader(disk, SESSION, START.position, START.chain)
  t.throws(() => reader.nextBelow(writer.end), { code: 'FEED_DAMAGED' })
})

t.test('a hole in the part that nobody synced cuts what lies behind it, too', async t => {
  const disk = prepared(0)
  const writer = new FeedWriter(disk, SESSION)
  const first = append(writer, 1, 100)
  append(writer, 2, 100)
  append(writer, 3, 100)
  disk.flipBit(segment.segmentPathOf(SESSION, 0), first + 100)
  const { frames, tail } = scan(disk, first)
  t.same(frames.map(indexOf), [1])
  t.same(tail.torn, { position: first, reason: 'wrong checksum' })
})

t.test('a later frame attests what was durable when it was written', async t => {
  const disk = prepared(0)
  const writer = new FeedWriter(disk, SESSION)
  const first = append(writer, 1, 100)
  const second = append(writer, 2, 100)
  append(writer, 3, 100, second)
  disk.flipBit(segment.segmentPathOf(SESSION, 0), first + 100)
  t.throws(() => scan(disk), {
    code: 'FEED_DAMAGED',
    message: `feeds/0000000004/00000000.seg at byte ${first}: wrong checksum`
  })
})

t.test('a segment that was prepared and never used is no torn one', async t => {
  const disk = prepared(0, 1)
  const writer = new FeedWriter(disk, SESSION)
  append(writer, 1, 100)
  t.equal(scan(disk).tail.torn, undefined)
  t.equal(scan(prepared(0)).tail.torn, undefined, 'also the first')
  t.equal(scan(prepared()).tail.torn, undefined, 'nor is an empty feed')
})

t.test('what was synced through a position survives a power cut, over segments', async t => {
  for (let seed = 1; seed <= 3; seed++) {
    const disk = prepared(0, 1)
    await disk.syncAll()
    const writer = new FeedWriter(disk, SESSION)
    const syncer = new FeedSyncer(disk, SESSION)
    for (let index = 1; index <= 18; index++) append(writer, index, 950_000)
    const durable = writer.end
    await syncer.syncThrough(durable)
    t.equal(syncer.durable, durable)
    append(writer, 19, 1000)
    disk.crash(new SimRandom(seed))
    const { frames } = scan(disk, durable)
    if (frames.length < 18) t.fail(`seed=${seed}`)
  }
})

t.test('syncing what is durable already does nothing', async t => {
  const disk = prepared(0)
  const writer = new FeedWriter(disk, SESSION)
  const syncer = new FeedSyncer(disk, SESSION)
  append(writer, 1, 100)
  await syncer.syncThrough(writer.end)
  const before = disk.mutations
  await syncer.syncThrough(writer.end)
  await syncer.syncThrough(NOTHING)
  t.equal(disk.mutations, before)
})
