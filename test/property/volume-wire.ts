import fc from 'fast-check'
import t from 'tap'
import type { HistoryPoint } from '../../lib/council/lease-record.ts'
import { RoostError } from '../../lib/errors.ts'
import type { BlobId, Epoch, Index, Ino, ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'
import type { ReplicatedEntry } from '../../lib/volume/replicated-entry.ts'
import {
  decodeVolumeBatch,
  encodeVolumeBatch,
  type AddressedMessage,
  type ReplicaVolumeMessage
} from '../../lib/volume/volume-wire.ts'
import { HistoryChain, sealOf, type ChainedChange } from '../support/history-chain.ts'

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const epoch = u32.map(value => value as Epoch)
const index = u53.map(value => value as Index)
const ino = u53.map(value => value as Ino)
const volume = fc.integer({ min: 0, max: 2 ** 21 - 1 }).map(value => value as VolumeId)
const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(array => Buffer.from(array))
const hashText = hash.map(each => each.toString('hex'))
const point: fc.Arbitrary<HistoryPoint> = fc.tuple(epoch, index, hashText).map(toPoint)
const tail = fc
  .tuple(fc.nat(1e9), fc.uniqueArray(fc.nat(1e6), { maxLength: 5 }))
  .map(([commit, steps]) => ({
    commit: commit as Index,
    runs: steps
      .sort((a, b) => a - b)
      .map((step, i) => ({ epoch: (step + 1) as Epoch, last: (commit + 1 + i * 7) as Index }))
  }))

const change: fc.Arbitrary<ChainedChange> = fc.oneof(
  fc.tuple(ino, u53, bytes).map(([target, offset, written]): ChainedChange => ({
    change: { kind: 'write', ino: target, offset, bytes: written }
  })),
  fc.tuple(ino, ino).map(([parent, target]): ChainedChange => ({
    change: { kind: 'unlink', parent, name: 'cur', ino: target, drop: true }
  })),
  fc
    .tuple(ino, fc.array(bytes, { maxLength: 3 }), fc.array(hashText, { maxLength: 2 }))
    .map(([target, riding, others]) => sealOf(target, riding, others as BlobId[]))
)

/** Entries behind a point, in an epoch or two. */
const stretch = fc
  .tuple(volume, fc.nat(1e9), hash, fc.nat(1e6), fc.array(change, { maxLength: 5 }), fc.nat(5))
  .map(([of, before, hashBefore, first, changes, turn]) => {
    const chain = new HistoryChain(of, before, hashBefore)
    const entries = changes.map((each, i) =>
      chain.next(each, (first + (i < turn ? 0 : 1)) as Epoch)
    )
    const previous = toPoint([first as Epoch, before as Index, hashBefore.toString('hex')])
    return { volume: of, previous, entries, last: (first + 1) as Epoch }
  })

const answer = fc.oneof(
  fc.constant({ kind: 'granted' } as const),
  u32.map(ticks => ({ kind: 'busy', ticks }) as const),
  u32.map(ticks => ({ kind: 'later', ticks }) as const),
  fc
    .option(u32, { nil: undefined })
    .map(hint => ({ kind: 'notHolder', hint: hint as ReplicaId | undefined }) as const)
)

const plain: fc.Arbitrary<ReplicaVolumeMessage> = fc.oneof(
  fc.tuple(epoch, index, index).map(([of, through, commit]): ReplicaVolumeMessage => {
    return { kind: 'ack', epoch: of, through, commit }
  }),
  fc.tuple(epoch, epoch).map(([of, promised]): ReplicaVolumeMessage => {
    return { kind: 'refused', epoch: of, promised }
  }),
  fc.tuple(epoch, tail).map(([of, have]): ReplicaVolumeMessage => {
    return { kind: 'missing', epoch: of, tail: have }
  }),
  fc.tuple(epoch, point).map(([of, at]): ReplicaVolumeMessage => {
    return { kind: 'checkpoint', epoch: of, point: at }
  }),
  epoch.map((of): ReplicaVolumeMessage => ({ kind: 'seal', epoch: of })),
  fc.tuple(epoch, point, point).map(([of, last, commit]): ReplicaVolumeMessage => {
    return { kind: 'sealed', epoch: of, last, commit }
  }),
  fc.tuple(point, tail).map(([through, have]): ReplicaVolumeMessage => {
    return { kind: 'fetch', through, tail: have }
  }),
  fc.tuple(point, point).map(([through, at]): ReplicaVolumeMessage => {
    return { kind: 'base', through, point: at }
  }),
  fc.tuple(u32, u53).map(([session, number]): ReplicaVolumeMessage => {
    return { kind: 'ask', session: session as SessionId, number, waited: number }
  }),
  fc.tuple(u53, answer).map(([number, said]): ReplicaVolumeMessage => {
    return { kind: 'answer', number, answer: said }
  })
)

const addressed: fc.Arbitrary<AddressedMessage> = fc.oneof(
  fc.tuple(volume, plain).map(([of, message]) => ({ volume: of, message })),
  fc.tuple(stretch, point).map(([{ volume: of, previous, entries, last }, commit]) => ({
    volume: of,
    message: { kind: 'append', epoch: last, previous, entries, commit } as const
  })),
  fc.tuple(stretch, point).map(([{ volume: of, previous, entries }, through]) => ({
    volume: of,
    message: { kind: 'fetched', through, previous, entries } as const
  }))
)
const batch = fc.array(addressed, { maxLength: 6 })

t.test('a batch is the same after encoding and decoding', async t => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(batch, messages => {
      for (const { message } of messages) seen.add(message.kind)
      const encoded = encodeVolumeBatch(messages)
      const decoded = decodeVolumeBatch(encoded)
      t.strictSame(decoded, messages)
      t.ok(encodeVolumeBatch(decoded).equals(encoded), 'and is handed on as it came')
    }),
    { numRuns: 300 }
  )
  t.equal(seen.size, 12, 'every kind of message was among them')
})

t.test('any bytes are a batch or refused, never anything else', async t => {
  const first = Buffer.from([1])
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), array => {
      return (
        refusesWell(() => decodeVolumeBatch(Buffer.from(array))) &&
        refusesWell(() => decodeVolumeBatch(Buffer.concat([first, array])))
      )
    }),
    { numRuns: 2000 }
  )
  t.pass()
})

t.test('a batch with bytes changed, missing or added is refused or is another batch', async t => {
  fc.assert(
    fc.property(batch, u32, fc.integer({ min: 1, max: 255 }), u32, (messages, at, byte, cut) => {
      const good = encodeVolumeBatch(messages)
      const changed = Buffer.from(good)
      changed[at % good.length] = (changed[at % good.length] ?? 0) ^ byte
      return (
        refusesWell(() => decodeVolumeBatch(changed)) &&
        isRefused(() => decodeVolumeBatch(good.subarray(0, cut % good.length))) &&
        isRefused(() => decodeVolumeBatch(Buffer.concat([good, Buffer.from([byte])])))
      )
    }),
    { numRuns: 2000 }
  )
  t.pass()
})

const body = Buffer.from('a message that rides')

function chained(): ReplicatedEntry[] {
  const chain = new HistoryChain(7 as VolumeId)
  return [
    chain.next(sealOf(5 as Ino, [body]), 1 as Epoch),
    chain.next({ change: { kind: 'drop', ino: 5 as Ino } }, 1 as Epoch),
    chain.next({ change: { kind: 'close' } }, 2 as Epoch)
  ]
}

function appendOf(
  entries: readonly ReplicatedEntry[],
  options: { volume?: number; epoch?: number; index?: number } = {}
): Buffer {
  const { volume: of = 7, epoch: holder = 2, index: before = 0 } = options
  const previous = toPoint([0 as Epoch, before as Index, '0'.repeat(64)])
  const message = { kind: 'append', epoch: holder as Epoch, previous, entries } as const
  return encodeVolumeBatch([{ volume: of as VolumeId, message: { ...message, commit: previous } }])
}

t.test('what is not a history is refused by name', async t => {
  const entries = chained()
  t.equal(decodeVolumeBatch(appendOf(entries)).length, 1)
  const says = (encoded: Buffer, message: RegExp): void => {
    t.throws(() => decodeVolumeBatch(encoded), { code: 'PROTOCOL', message })
  }
  says(appendOf(entries.slice(1)), /entry 2 does not follow 0/)
  says(appendOf([entries[0], entries[2]] as ReplicatedEntry[]), /entry 3 does not follow 1/)
  says(appendOf(entries, { index: 4 }), /entry 1 does not follow 4/)
  says(appendOf(entries, { volume: 8 }), /an entry of another volume than 8/)
  says(appendOf(entries, { epoch: 1 }), /entry 3 is of an epoch after its holder's/)
  says(appendOf([], { volume: 2 ** 21 }), /there is no volume 2097152/)
  const other = appendOf(entries)
  const at = other.indexOf(body)
  other.writeUInt8(other.readUInt8(at) ^ 1, at)
  says(other, /a body has another hash than its entry names/)
})

t.test('a seal that takes more of a riding body than there is, is refused', async t => {
  const { change: seal, bodies } = sealOf(5 as Ino, [body])
  const extents = seal.extents.map(each => ({ ...each, blobOffset: 1 }))
  const long = { change: { ...seal, extents }, bodies }
  const entries = [new HistoryChain(7 as VolumeId).next(long, 1 as Epoch)]
  t.throws(() => decodeVolumeBatch(appendOf(entries)), { message: /shorter than what its entry/ })
})

function toPoint([of, at, text]: [Epoch, Index, string]): HistoryPoint {
  return { epoch: of, index: at, hash: text }
}

function refusesWell(task: () => unknown): boolean {
  try {
    task()
    return true
  } catch (error) {
    return error instanceof RoostError && error.code === 'PROTOCOL'
  }
}

function isRefused(task: () => unknown): boolean {
  try {
    task()
    return false
  } catch (error) {
    return error instanceof RoostError && error.code === 'PROTOCOL'
  }
}
