import t from 'tap'
import fc from 'fast-check'
import { RoostError } from '../../lib/errors.ts'
import { InvariantError } from '../../lib/util/assert.ts'
import { ByteReader, ByteWriter } from '../../lib/util/bytes.ts'

t.test('numbers are written little-endian, 53-bit ones in eight bytes', t => {
  const writer = new ByteWriter(1)
  writer.u8(0x01)
  writer.u16(0x0302)
  writer.u32(0xf7060504)
  writer.u53(0x1f0e0d0c0b0a09)
  writer.u64(0xfffefdfcfbfaf9f8n)
  writer.i64(-2n)
  const hex =
    '01' + '0203' + '040506f7' + '090a0b0c0d0e1f00' + 'f8f9fafbfcfdfeff' + 'feffffffffffffff'
  t.equal(writer.view().toString('hex'), hex)
  t.equal(writer.position, 31)
  t.end()
})

t.test('a text is written as its length and one byte per character', t => {
  const writer = new ByteWriter()
  writer.text('a\xff')
  writer.bytes(Buffer.from([7, 8]))
  t.equal(writer.view().toString('hex'), '020061ff0708')
  t.end()
})

t.test('a length can be patched in afterwards', t => {
  const writer = new ByteWriter()
  writer.u32(0)
  writer.u8(9)
  writer.patchU32(0, 0xfffffffe)
  t.equal(writer.view().toString('hex'), 'feffffff09')
  t.throws(() => writer.patchU32(2, 1), InvariantError)
  t.end()
})

t.test('what was taken stays while the writer goes on', t => {
  const writer = new ByteWriter(8)
  writer.u32(1)
  const taken = writer.take()
  writer.u32(2)
  t.equal(taken.readUInt32LE(0), 1)
  t.equal(writer.position, 4)
  writer.reset()
  t.equal(writer.position, 0)
  t.end()
})

t.test('a given buffer is written in place and does not grow', t => {
  const given = Buffer.alloc(4)
  const writer = new ByteWriter(given)
  writer.u32(0x04030201)
  t.equal(given.toString('hex'), '01020304')
  t.throws(() => writer.u8(1), InvariantError)
  t.end()
})

t.test('a value that does not fit its field is a bug of the caller', t => {
  const writer = new ByteWriter()
  t.throws(() => writer.u16(65536), InvariantError)
  t.throws(() => writer.u32(-1), InvariantError)
  t.throws(() => writer.u53(2 ** 53), InvariantError)
  t.throws(() => writer.u53(0.5), InvariantError)
  t.throws(() => writer.text('\u0100'), InvariantError)
  t.throws(() => writer.text('x'.repeat(65536)), InvariantError)
  t.end()
})

t.test('a reader refuses a field that its range does not hold, and stays before it', t => {
  const reader = new ByteReader(Buffer.from('05000102030405', 'hex'), 1, 4)
  t.equal(reader.u8(), 0)
  for (const read of [() => reader.u32(), () => reader.u64(), () => reader.bytes(3)]) {
    t.throws(read, { code: 'PROTOCOL' })
    t.equal(reader.position, 2)
  }
  t.throws(() => reader.bytes(-1), { code: 'PROTOCOL' })
  t.throws(() => reader.text(), { code: 'PROTOCOL' })
  t.equal(reader.position, 2)
  t.equal(reader.remaining, 2)
  t.equal(reader.u16(), 0x0201)
  t.equal(reader.remaining, 0)
  t.end()
})

t.test('a 53-bit number above the safe integers is refused', t => {
  t.equal(new ByteReader(Buffer.from('ffffffffffff1f00', 'hex')).u53(), Number.MAX_SAFE_INTEGER)
  t.throws(() => new ByteReader(Buffer.from('0000000000002000', 'hex')).u53(), { code: 'PROTOCOL' })
  t.end()
})

t.test('whatever is written is read back', t => {
  const field = fc.oneof(
    fc.record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
    fc.record({ kind: fc.constant('u16' as const), value: fc.nat(65535) }),
    fc.record({
      kind: fc.constant('u32' as const),
      value: fc.integer({ min: 0, max: 0xffffffff })
    }),
    fc.record({ kind: fc.constant('u53' as const), value: fc.maxSafeNat() }),
    fc.record({ kind: fc.constant('u64' as const), value: fc.bigInt(0n, 2n ** 64n - 1n) }),
    fc.record({
      kind: fc.constant('i64' as const),
      value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    }),
    fc.record({
      kind: fc.constant('text' as const),
      value: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes).toString('latin1'))
    })
  )
  fc.assert(
    fc.property(fc.array(field), fields => {
      const writer = new ByteWriter(0)
      for (const { kind, value } of fields) {
        Reflect.apply(Reflect.get(writer, kind) as () => void, writer, [value])
      }
      const reader = new ByteReader(writer.take())
      for (const { kind, value } of fields) t.equal(reader[kind](), value)
      return reader.remaining === 0
    })
  )
  t.end()
})

t.test('any bytes at all are read or refused, never anything else', t => {
  const kinds = ['u8', 'u16', 'u32', 'u53', 'u64', 'i64', 'text'] as const
  fc.assert(
    fc.property(fc.uint8Array(), fc.array(fc.constantFrom(...kinds)), (bytes, reads) => {
      const reader = new ByteReader(Buffer.from(bytes))
      for (const kind of reads) {
        try {
          reader[kind]()
        } catch (error) {
          if (!(error instanceof RoostError)) throw error
        }
      }
    })
  )
  t.end()
})
