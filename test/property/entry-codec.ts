import fc from 'fast-check'
import t from 'tap'
import { RoostError } from '../../lib/errors.ts'
import { decodeEntry, encodeEntry } from '../../lib/feed/entry-codec.ts'
import type { AttrChange, Change, Entry, Extent } from '../../lib/feed/entry.ts'
import { decodeFrame, encodeFrame } from '../../lib/feed/frame.ts'
import { decodeSegmentHeader } from '../../lib/feed/segment.ts'
import type { BlobId, Epoch, Index, Ino, Position, SessionId, VolumeId } from '../../lib/ids.ts'
import { ByteWriter } from '../../lib/util/bytes.ts'
import { sha256Hex } from '../../lib/util/hash.ts'

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const ino = u53.map(value => value as Ino)
const name = fc.uint8Array({ maxLength: 255 }).map(bytes => Buffer.from(bytes).toString('latin1'))
const bytes = fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array))
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(array => Buffer.from(array))
const blob = hash.map(each => each.toString('hex') as BlobId)
const plain = { noNullPrototype: true }
const extent: fc.Arbitrary<Extent> = fc.record(
  { offset: u53, length: u32, blob, blobOffset: u32 },
  plain
)
const attr = fc.record(
  { mode: u32, uid: u32, gid: u32, size: u53, atime: i64, mtime: i64 },
  { requiredKeys: [], ...plain }
) as fc.Arbitrary<AttrChange>

function kind<K extends Change['kind'], Fields extends object>(
  of: K,
  fields: { [F in keyof Fields]: fc.Arbitrary<Fields[F]> }
): fc.Arbitrary<{ kind: K } & Fields> {
  return fc.record({ kind: fc.constant(of), ...fields }, plain) as unknown as fc.Arbitrary<
    { kind: K } & Fields
  >
}

const flag = fc.boolean()
const named = { parent: ino, name, ino }
const change = fc.oneof(
  kind('begin', { session: u32.map(value => value as SessionId), skip: u32 }),
  kind('makeRoot', { mode: u32, uid: u32, gid: u32 }),
  kind('close', {}),
  kind('create', {
    ...named,
    mode: u32,
    uid: u32,
    gid: u32,
    rdev: u32,
    fileClass: fc.constantFrom('general', 'log', 'blob'),
    target: name
  }),
  kind('link', named),
  kind('unlink', { ...named, drop: flag }),
  kind('rmdir', named),
  kind('rename', { parent: ino, name, newParent: ino, newName: name, replaced: ino, drop: flag }),
  kind('setattr', { ino, attr }),
  kind('write', { ino, offset: u53, bytes }),
  kind('seal', {
    ino,
    size: u53,
    mtime: i64,
    extents: fc.array(extent, { maxLength: 5 }),
    riding: fc.constant([])
  }),
  kind('drop', { ino }),
  kind('punch', { ino, offset: u53, length: u53 }),
  kind('tmpfile', { ino, mode: u32, uid: u32, gid: u32 }),
  kind('setxattr', { ino, name, value: bytes }),
  kind('removexattr', { ino, name }),
  kind('exchange', { parent: ino, name, newParent: ino, newName: name })
) as fc.Arbitrary<Change>

const entry: fc.Arbitrary<Entry> = fc.record(
  {
    volume: fc.integer({ min: 0, max: 2 ** 21 - 1 }).map(value => value as VolumeId),
    epoch: u32.map(value => value as Epoch),
    index: u53.map(value => value as Index),
    previous: hash,
    time: i64,
    change
  },
  plain
)

function encoded(value: Entry): Buffer {
  const out = new ByteWriter()
  encodeEntry(out, value)
  return out.take()
}

/** Whether `task` returns, or refuses as a decoder should. */
function refusesWell(task: () => unknown): boolean {
  try {
    task()
    return true
  } catch (error) {
    return error instanceof RoostError && error.code === 'PROTOCOL'
  }
}

t.test('an entry is the same after encoding and decoding', async t => {
  fc.assert(
    fc.property(entry, value => {
      t.strictSame(decodeEntry(encoded(value)), value)
    }),
    { numRuns: 300 }
  )
})

t.test('riding bodies stay with the extents that they belong to', async t => {
  const seal = fc.array(fc.tuple(bytes, flag), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(seal, parts => {
      const extents = parts.map(([body], i): Extent => {
        const id = sha256Hex(body) as BlobId
        return { offset: i * 1000, length: body.length, blob: id, blobOffset: 0 }
      })
      const riding = parts.flatMap(([, rides], i) => (rides ? [i] : []))
      const bodies = parts.flatMap(([body, rides]) => (rides ? [body] : []))
      const sealed: Entry = {
        volume: 1 as VolumeId,
        epoch: 1 as Epoch,
        index: 1 as Index,
        previous: Buffer.alloc(32),
        time: 1n,
        change: { kind: 'seal', ino: 5 as Ino, size: 9, mtime: 3n, extents, riding }
      }
      const frame = framed([{ entry: sealed, bodies }])
      const decoded = decodeFrame(frame)
      if (typeof decoded === 'string') throw new Error(decoded)
      t.strictSame(decoded.entries[0]?.entry, sealed)
      t.strictSame(decoded.entries[0]?.bodies, bodies)
    }),
    { numRuns: 60 }
  )
})

t.test('any bytes are an entry or refused, never anything else', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), array =>
      refusesWell(() => decodeEntry(Buffer.from(array)))
    ),
    { numRuns: 2000 }
  )
  t.pass()
})

t.test('an entry with bytes changed, missing or added is refused or is another entry', async t => {
  fc.assert(
    fc.property(entry, u32, fc.integer({ min: 0, max: 255 }), u32, (value, at, byte, cut) => {
      const good = encoded(value)
      const changed = Buffer.from(good)
      changed[at % changed.length] = byte
      const short = good.subarray(0, cut % good.length)
      const long = Buffer.concat([good, Buffer.from([byte])])
      return (
        refusesWell(() => decodeEntry(changed)) &&
        isRefused(() => decodeEntry(short)) &&
        isRefused(() => decodeEntry(long))
      )
    }),
    { numRuns: 1000 }
  )
  t.pass()
})

t.test('any bytes are a frame, a segment header, or a sentence', async t => {
  const frame = framed([])
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), u32, (array, at) => {
      const noise = Buffer.from(array)
      // With the right magic, so that more than the first test is reached.
      const likely = Buffer.concat([frame.subarray(0, 4), noise])
      const changed = Buffer.from(frame)
      changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ 0x10
      return (
        typeof decodeFrame(noise) === 'string' &&
        typeof decodeFrame(likely) === 'string' &&
        typeof decodeFrame(changed) === 'string' &&
        typeof decodeSegmentHeader(noise) === 'string'
      )
    }),
    { numRuns: 1000 }
  )
  t.pass()
})

function isRefused(task: () => unknown): boolean {
  try {
    task()
    return false
  } catch (error) {
    return error instanceof RoostError && error.code === 'PROTOCOL'
  }
}

function framed(entries: readonly { entry: Entry; bodies: readonly Buffer[] }[]): Buffer {
  const { bytes: frame } = encodeFrame(new ByteWriter(), {
    session: 3 as SessionId,
    position: 64 as Position,
    durable: 64 as Position,
    chainBefore: Buffer.alloc(32),
    entries
  })
  return Buffer.from(frame)
}
