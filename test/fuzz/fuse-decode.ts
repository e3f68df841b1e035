/**
 * The decoder against damaged requests. It starts from what a kernel has really sent
 * (fixtures/fuse, recorded by running the scenario "serve" of support/mount-scenarios.ts with
 * ROOST_RECORD_FUSE naming a directory).
 */

import { readdirSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { RoostError } from '../../lib/errors.ts'
import { decodeRequest, uniqueOf } from '../../lib/fuse/decode.ts'

const FIXTURES = new URL('../fixtures/fuse/', import.meta.url)
const RUNS = 5000
/** Room behind a request, in which a decoder that goes too far would find something. */
const BEHIND = 256

const recorded = readdirSync(FIXTURES).map(name => {
  return { op: name.split('-')[0], bytes: readFileSync(new URL(name, FIXTURES)) }
})

interface Mutation {
  at: number
  bytes: Uint8Array
}

/** A request with some bytes replaced and its end moved, its own idea of its length kept or not. */
const damaged = fc
  .record({
    base: fc.constantFrom(...recorded.map(({ bytes }) => bytes)),
    tail: fc.uint8Array({ maxLength: 64 }),
    cut: fc.oneof(fc.constant(0), fc.nat(200)),
    mutations: fc.array(
      fc.record({
        at: fc.oneof(fc.nat(130), fc.constantFrom(4, 16, 20, 23, 36, 40, 44, 56, 60)),
        bytes: fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 8 }),
          fc.constant(new Uint8Array(8).fill(0xff)),
          fc.constant(new Uint8Array(8))
        )
      }),
      { maxLength: 4 }
    ),
    opcode: fc.option(fc.nat(60), { nil: undefined }),
    isLengthKept: fc.boolean()
  })
  .map(({ base, tail, cut, mutations, opcode, isLengthKept }) => {
    const whole = Buffer.concat([base, tail])
    const length = Math.max(whole.length - cut, 0)
    const bytes = Buffer.concat([whole.subarray(0, length), Buffer.alloc(BEHIND)])
    for (const mutation of mutations) mutate(bytes, length, mutation)
    if (opcode !== undefined && length >= 8) bytes.writeUInt32LE(opcode, 4)
    if (!isLengthKept && length >= 4) bytes.writeUInt32LE(length, 0)
    return { bytes, length }
  })

function mutate(bytes: Buffer, length: number, { at, bytes: values }: Mutation): void {
  for (let i = 0; i < values.length && at + i < length; i++) bytes[at + i] = values[i] ?? 0
}

/** What the decoder makes of a request: the request, or the refusal that it may throw. */
function outcomeOf(bytes: Buffer, length: number): unknown {
  try {
    return decodeRequest(bytes, length)
  } catch (error) {
    if (error instanceof RoostError && error.code === 'PROTOCOL') return error.message
    throw error
  }
}

/** Whether what is decoded stays the same whatever lies behind the request. */
function isBlindToWhatFollows(bytes: Buffer, length: number): boolean {
  const outcomes = [0x00, 0x41, 0xff].map(fill => {
    const copy = Buffer.from(bytes)
    copy.fill(fill, length)
    return outcomeOf(copy, length)
  })
  return outcomes.every(outcome => isDeepStrictEqual(outcome, outcomes[0]))
}

t.test('recorded requests are decoded as what they are', t => {
  t.ok(recorded.length >= 60)
  for (const { op, bytes } of recorded) {
    const request = decodeRequest(bytes, bytes.length)
    t.equal(request.op, op)
    t.equal(uniqueOf(bytes, bytes.length), request.unique)
  }
  t.end()
})

t.test('a damaged request is decoded or refused, by nothing but its own bytes', t => {
  fc.assert(
    fc.property(damaged, ({ bytes, length }) => isBlindToWhatFollows(bytes, length)),
    { numRuns: RUNS }
  )
  t.end()
})

t.test('bytes of any kind are decoded or refused', t => {
  const length = fc.nat(200)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), length, (random, length) => {
      const bytes = Buffer.from(random)
      if (bytes.length >= 4 && length <= bytes.length) bytes.writeUInt32LE(length, 0)
      outcomeOf(bytes, length)
      uniqueOf(bytes, length)
    }),
    { numRuns: RUNS }
  )
  t.end()
})
