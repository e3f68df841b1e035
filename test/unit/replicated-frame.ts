import t from 'tap'
import { NO_HASH, type LoggedEntry } from '../../lib/feed/entry.ts'
import { decodeFrame, encodeFrame, type Frame, type FrameItem } from '../../lib/feed/frame.ts'
import type { Epoch, Index, Position, SessionId, VolumeId } from '../../lib/ids.ts'
import { ByteWriter } from '../../lib/util/bytes.ts'
import { ReplicatedVolume } from '../support/replicated-volume.ts'
import { SimRandom } from '../support/sim-random.ts'

const VOLUME = 1 as VolumeId
const PLACE = { session: 4 as SessionId, position: 64 as Position, durable: 64 as Position }

function entries(count: number, seed = 1): LoggedEntry[] {
  const volume = new ReplicatedVolume(VOLUME, new Map(), new SimRandom(seed))
  return Array.from({ length: count }, () => volume.append())
}

function encode(items: readonly FrameItem[]): ReturnType<typeof encodeFrame> {
  return encodeFrame(new ByteWriter(), { ...PLACE, chainBefore: NO_HASH, items })
}

function decoded(bytes: Buffer): Frame {
  const frame = decodeFrame(bytes)
  if (typeof frame === 'string') throw new Error(frame)
  return frame
}

const DECISIONS: readonly FrameItem[] = [
  { kind: 'promise', volume: VOLUME, epoch: 7 as Epoch },
  { kind: 'cut', volume: VOLUME, to: 2 as Index },
  { kind: 'commit', volume: VOLUME, through: 1 as Index },
  {
    kind: 'install',
    volume: VOLUME,
    epoch: 8 as Epoch,
    index: (2 ** 40) as Index,
    hash: Buffer.alloc(32, 3)
  }
]

t.test('items come back as they were, in their order', async t => {
  const items = [...DECISIONS, ...entries(40).map(logged => ({ kind: 'entry' as const, logged }))]
  const encoded = encode(items)
  const frame = decoded(encoded.bytes)
  t.ok(frame.isReplicated)
  t.same(frame.items, items)
  t.equal(frame.entries.length, 40)
  t.ok(frame.chain.equals(encoded.chain))
})

t.test('an entry keeps the hash that it has, and one made here gets its own', async t => {
  const [first, second, third] = entries(3) as [LoggedEntry, LoggedEntry, LoggedEntry]
  const own = { entry: { ...second.entry, previous: NO_HASH }, bodies: second.bodies }
  const encoded = encode([{ kind: 'entry', logged: first }, own, { kind: 'entry', logged: third }])
  t.same(encoded.hashes, [second.hash], 'it follows the entry before it')
  const hashes = decoded(encoded.bytes).entries.map(({ hash }) => hash)
  t.same(hashes, [first.hash, second.hash, third.hash])
})

t.test('behind a cut an own entry follows what it says itself', async t => {
  const [first, second] = entries(2) as [LoggedEntry, LoggedEntry]
  const own = { entry: { ...second.entry, previous: NO_HASH }, bodies: [] }
  const cut = { kind: 'cut', volume: VOLUME, to: 0 as Index } as const
  const frame = decoded(encode([{ kind: 'entry', logged: first }, cut, own]).bytes)
  t.same(frame.entries[1]?.entry.previous, NO_HASH)
})

t.test('an entry with a hash that is not its own is never written', async t => {
  const [logged] = entries(1) as [LoggedEntry]
  const wrong = { kind: 'entry', logged: { ...logged, hash: Buffer.alloc(32, 1) } } as const
  t.throws(() => encode([wrong]), { name: 'InvariantError' })
})

t.test('every item is in the chain', async t => {
  const chains = DECISIONS.map(item => encode([item]).chain.toString('hex'))
  chains.push(encode(DECISIONS).chain.toString('hex'), encode([]).chain.toString('hex'))
  t.equal(new Set(chains).size, chains.length)
})

t.test('a frame of entries alone says that they need no commit', async t => {
  const own = entries(2).map(({ entry, bodies }) => ({ entry, bodies }))
  const place = { ...PLACE, chainBefore: NO_HASH }
  const frame = decoded(encodeFrame(new ByteWriter(), { ...place, entries: own }).bytes)
  t.notOk(frame.isReplicated)
  t.same(
    frame.items.map(({ kind }) => kind),
    ['entry', 'entry']
  )
})

t.test('an item of an unknown kind is refused', async t => {
  const writer = new ByteWriter()
  const item = { kind: 'commit', volume: VOLUME, through: 1 as Index } as const
  const { bytes } = encodeFrame(writer, { ...PLACE, chainBefore: NO_HASH, items: [item] })
  t.equal(bytes[84], 4, 'the tag')
  const { crc32 } = await import('node:zlib')
  for (const [at, value] of [
    [84, 99],
    [80, 12]
  ] as const) {
    const broken = Buffer.from(bytes)
    broken[at] = value
    broken.writeUInt32LE(crc32(broken.subarray(12)), 8)
    t.type(decodeFrame(broken), 'string')
  }
})
