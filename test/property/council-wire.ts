import fc from 'fast-check'
import t from 'tap'
import { decodePost, encodePost, type CouncilPost } from '../../lib/council/council-wire.ts'
import { putRaftWrite, takeRaftWrite } from '../../lib/council/raft-codec.ts'
import { RoostError } from '../../lib/errors.ts'
import { ByteReader, ByteWriter } from '../../lib/util/bytes.ts'
import { councilMessage, raftMessage, raftWrite } from '../support/council-arbitraries.ts'

const post = fc.oneof(
  councilMessage.map((message): CouncilPost => ({ kind: 'council', message })),
  raftMessage.map((message): CouncilPost => ({ kind: 'raft', message }))
)

t.test('a message comes back as it was', async t => {
  fc.assert(
    fc.property(post, value => {
      t.same(decodePost(encodePost(value)), value)
    }),
    { numRuns: 2000 }
  )
})

t.test('a write of the log comes back as it was', async t => {
  fc.assert(
    fc.property(raftWrite, write => {
      const out = new ByteWriter()
      putRaftWrite(out, write)
      const input = new ByteReader(out.take())
      t.same(takeRaftWrite(input), write)
      t.equal(input.remaining, 0)
    }),
    { numRuns: 1000 }
  )
})

t.test('a message that is cut short, or longer than it should be, is refused', async t => {
  fc.assert(
    fc.property(post, fc.nat(), (value, at) => {
      const bytes = encodePost(value)
      t.equal(refusalOf(bytes.subarray(0, at % bytes.length)), 'PROTOCOL')
      t.equal(refusalOf(Buffer.concat([bytes, Buffer.of(0)])), 'PROTOCOL')
    }),
    { numRuns: 1000 }
  )
})

t.test('damaged messages are refused or are others, and nothing else happens', async t => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 8
  })
  fc.assert(
    fc.property(post, damage, (value, damages) => {
      const bytes = encodePost(value)
      for (const [at, byte] of damages) bytes[at % bytes.length] = byte
      t.ok(['PROTOCOL', 'none'].includes(refusalOf(bytes)))
    }),
    { numRuns: 5000 }
  )
})

t.test('any bytes at all are refused or are a message', async t => {
  const any = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
  const begun = fc.tuple(fc.constantFrom(0, 1), any).map(([kind, rest]) => {
    return Buffer.concat([Buffer.of(1, kind), rest])
  })
  fc.assert(
    fc.property(fc.oneof(any, begun), bytes => {
      t.ok(['PROTOCOL', 'none'].includes(refusalOf(bytes)))
    }),
    { numRuns: 5000 }
  )
})

t.test('entries that do not follow each other are refused', async t => {
  const entry = { term: 3, index: 8, command: undefined, config: undefined }
  const append = (term: number, indexes: number[]): Buffer =>
    encodePost({
      kind: 'raft',
      message: {
        kind: 'append',
        term,
        previous: { term: 2, index: 7 },
        entries: indexes.map(index => ({ ...entry, index })),
        commit: 0,
        round: 1
      }
    })
  t.equal(refusalOf(append(3, [8, 9])), 'none')
  t.equal(refusalOf(append(3, [9])), 'PROTOCOL', 'a gap')
  t.equal(refusalOf(append(3, [8, 8])), 'PROTOCOL', 'one index twice')
  t.equal(refusalOf(append(2, [8])), 'PROTOCOL', 'of a term that has not come')
})

t.test('another version, and a snapshot that is no state, are refused', async t => {
  t.equal(refusalOf(Buffer.of(2, 1, 2)), 'PROTOCOL')
  const snapshot = {
    place: { term: 1, index: 1 },
    config: { voters: [] },
    state: Buffer.from('no council')
  }
  const message = { kind: 'snapshot', term: 1, snapshot, round: 1 } as const
  t.equal(refusalOf(encodePost({ kind: 'raft', message })), 'PROTOCOL')
})

/** The code of what is thrown. */
function refusalOf(bytes: Buffer): string {
  try {
    decodePost(bytes)
    return 'none'
  } catch (error) {
    return error instanceof RoostError ? error.code : String(error)
  }
}
