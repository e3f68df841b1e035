import t, { type Test } from 'tap'
import { ERRNO } from '../../lib/errors.ts'
import { EXPIRE_ONLY, FOPEN, LOCK_TYPE, NOTIFY, UNIQUE_RESENT } from '../../lib/fuse/abi.ts'
import * as encode from '../../lib/fuse/encode.ts'
import type { Fh, Ino } from '../../lib/ids.ts'
import { ByteWriter } from '../../lib/util/bytes.ts'

const UNIQUE = 2 ** 33 + 6
const INO = (2 ** 32 + 5) as Ino
const FH = (2 ** 40 + 1) as Fh
const OFFSET_MAX = 2n ** 63n - 1n

const ATTR: encode.AttrFields = {
  ino: INO,
  size: 2 ** 52 + 1,
  blocks: 8,
  mode: 0o100644,
  nlink: 2,
  uid: 0xfffffffe,
  gid: 100,
  rdev: 0,
  atime: -1n,
  mtime: 1_700_000_000_123_456_789n,
  ctime: -1_000_000_000n,
  blksize: 4096
}
const TERMS: encode.EntryTerms = { generation: 7, entryTtlMs: Infinity, attrTtlMs: 1500.25 }

/** Fields of a message: numbers are u32, bigints u64, strings bytes as they are. */
type Field = number | bigint | string

function bytesOf(fields: Field[]): Buffer {
  const writer = new ByteWriter()
  for (const field of fields) {
    if (typeof field === 'number') writer.u32(field >>> 0)
    else if (typeof field === 'bigint') writer.u64(BigInt.asUintN(64, field))
    else writer.bytes(Buffer.from(field, 'latin1'))
  }
  return writer.take()
}

function messageOf(error: number, unique: number, fields: Field[]): Buffer {
  const body = bytesOf(fields)
  return Buffer.concat([bytesOf([body.length + 16, error, BigInt(unique)]), body])
}

/** Encodes at the start of a dirty buffer and in its middle, and compares both. */
function check(
  t: Test,
  run: (out: Buffer, at?: number) => number,
  error: number,
  unique: number,
  fields: Field[]
): void {
  const expected = messageOf(error, unique, fields)
  const out = Buffer.alloc(1024, 0xee)
  t.equal(run(out), expected.length)
  t.same(out.subarray(0, expected.length), expected)
  t.ok(out.subarray(expected.length).every(byte => byte === 0xee))
  out.fill(0xee)
  t.equal(run(out, 100), expected.length)
  t.same(out.subarray(100, 100 + expected.length), expected)
  t.ok(out.subarray(0, 100).every(byte => byte === 0xee))
  t.throws(() => run(Buffer.alloc(expected.length - 1)), { name: 'InvariantError' })
}

const ATTR_FIELDS: Field[] = [
  ...[BigInt(INO), 2n ** 52n + 1n, 8n],
  ...[-1n, 1_700_000_000n, -1n],
  ...[999_999_999, 123_456_789, 0],
  ...[0o100644, 2, 0xfffffffe, 100, 0, 4096, 0]
]
const ENTRY_FIELDS: Field[] = [
  ...[BigInt(INO), 7n, 2n ** 31n - 1n, 1n, 0, 500_250_000],
  ...ATTR_FIELDS
]
const OPEN_FIELDS: Field[] = [BigInt(FH), FOPEN.KEEP_CACHE, 0]

t.test('an error is a header with a negative errno', t => {
  const run = (out: Buffer, at?: number) => encode.encodeError(out, UNIQUE, ERRNO.ENOENT, at)
  check(t, run, -ERRNO.ENOENT, UNIQUE, [])
  t.throws(() => encode.encodeError(Buffer.alloc(16), UNIQUE, 0), { name: 'InvariantError' })
  t.end()
})

t.test('success without more to say is a header alone', t => {
  check(t, (out, at) => encode.encodeEmpty(out, UNIQUE, at), 0, UNIQUE, [])
  t.end()
})

t.test('data follows its header, or is put there by the caller', t => {
  const data = Buffer.from('some data')
  check(t, (out, at) => encode.encodeBytes(out, UNIQUE, data, at), 0, UNIQUE, ['some data'])
  const out = Buffer.alloc(64)
  t.equal(encode.encodeDataHeader(out, UNIQUE, 10), 26)
  t.same(out.subarray(0, 16), messageOf(0, UNIQUE, ['0123456789']).subarray(0, 16))
  t.end()
})

t.test('an entry has its terms and the attributes, with times rounded down', t => {
  const run = (out: Buffer, at?: number) => encode.encodeEntry(out, UNIQUE, ATTR, TERMS, at)
  check(t, run, 0, UNIQUE, ENTRY_FIELDS)
  t.end()
})

t.test('a missing name is an entry without an inode', t => {
  const run = (out: Buffer, at?: number) => encode.encodeNegativeEntry(out, UNIQUE, 2001, at)
  check(t, run, 0, UNIQUE, [0n, 0n, 2n, 0n, 1_000_000, 0, '\0'.repeat(88)])
  t.end()
})

t.test('attributes stand behind their time to live', t => {
  const run = (out: Buffer, at?: number) => encode.encodeAttr(out, UNIQUE, ATTR, 0, at)
  check(t, run, 0, UNIQUE, [0n, 0, 0, ...ATTR_FIELDS])
  t.end()
})

t.test('open gives a handle, and create an entry before it', t => {
  const { KEEP_CACHE } = FOPEN
  const open = (out: Buffer, at?: number) => encode.encodeOpen(out, UNIQUE, FH, KEEP_CACHE, at)
  check(t, open, 0, UNIQUE, OPEN_FIELDS)
  const create = (out: Buffer, at?: number) =>
    encode.encodeCreate(out, UNIQUE, ATTR, TERMS, FH, KEEP_CACHE, at)
  check(t, create, 0, UNIQUE, [...ENTRY_FIELDS, ...OPEN_FIELDS])
  t.end()
})

t.test('counts have 32 bits and positions 64', t => {
  check(t, (out, at) => encode.encodeWrite(out, UNIQUE, 4096, at), 0, UNIQUE, [4096, 0])
  check(t, (out, at) => encode.encodeXattrSize(out, UNIQUE, 12, at), 0, UNIQUE, [12, 0])
  check(t, (out, at) => encode.encodeLseek(out, UNIQUE, 2 ** 40, at), 0, UNIQUE, [2n ** 40n])
  t.end()
})

t.test('statfs has five counts and three sizes', t => {
  const sizes = { bsize: 4096, namelen: 255, frsize: 512 }
  const fields = { blocks: 2 ** 40, bfree: 3, bavail: 2, files: 9, ffree: 8, ...sizes }
  const expected = [2n ** 40n, 3n, 2n, 9n, 8n, 4096, 255, 512, '\0'.repeat(28)]
  check(t, (out, at) => encode.encodeStatfs(out, UNIQUE, fields, at), 0, UNIQUE, expected)
  t.end()
})

t.test('a lock without an end goes to the end of the file', t => {
  const lock = { start: 5, end: Infinity, type: LOCK_TYPE.WRLCK, pid: 77 }
  const expected = [5n, OFFSET_MAX, LOCK_TYPE.WRLCK, 77]
  check(t, (out, at) => encode.encodeLk(out, UNIQUE, lock, at), 0, UNIQUE, expected)
  t.end()
})

t.test('notifications have no request, and their code in place of an error', t => {
  const parent = 9 as Ino
  check(t, (out, at) => encode.encodeNotifyInvalInode(out, INO, -1, 0, at), NOTIFY.INVAL_INODE, 0, [
    BigInt(INO),
    -1n,
    0n
  ])
  check(
    t,
    (out, at) => encode.encodeNotifyInvalEntry(out, parent, 'caf\xe9', EXPIRE_ONLY, at),
    NOTIFY.INVAL_ENTRY,
    0,
    [9n, 4, 1, 'caf\xe9\0']
  )
  check(t, (out, at) => encode.encodeNotifyDelete(out, parent, INO, 'name', at), NOTIFY.DELETE, 0, [
    9n,
    BigInt(INO),
    4,
    0,
    'name\0'
  ])
  t.end()
})

t.test('times are split exactly, over all that a signed 64-bit number holds', t => {
  const billion = 1_000_000_000n
  const times = [0n, 1n, -1n, billion, -billion, billion - 1n, -billion - 1n]
  times.push(2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n, -(2n ** 32n), 2n ** 48n - 1n, 2n ** 52n)
  for (let i = 0n; i < 500n; i++) times.push(BigInt.asIntN(64, i * 0x9e3779b97f4a7c15n))
  const out = Buffer.alloc(256)
  for (const mtime of times) {
    encode.encodeAttr(out, UNIQUE, { ...ATTR, mtime }, 0)
    const seconds = out.readBigInt64LE(32 + 32)
    const nsec = out.readUInt32LE(32 + 52)
    if (seconds * billion + BigInt(nsec) !== mtime || nsec >= 1e9) t.fail(`${mtime} is split wrong`)
  }
  t.pass()
  t.end()
})

t.test('directory entries are aligned, typed, and end at the size asked for', t => {
  const out = Buffer.alloc(512, 0xee)
  const writer = new encode.DirentWriter(out)
  writer.begin(UNIQUE, 64)
  t.equal(writer.add('1', INO, 0o120777, 2 ** 40), true)
  t.equal(writer.add('123456789', INO, 0o100644, 4), false)
  t.equal(writer.add('12345678', INO, 0o040755, 3), true)
  t.equal(writer.add('', INO, 0o100644, 5), false)
  const expected = messageOf(0, UNIQUE, [
    ...[BigInt(INO), 2n ** 40n, 1, 10, '1\0\0\0\0\0\0\0'],
    ...[BigInt(INO), 3n, 8, 4, '12345678']
  ])
  t.equal(writer.finish(), expected.length)
  t.same(out.subarray(0, expected.length), expected)
  t.ok(out.subarray(expected.length).every(byte => byte === 0xee))
  t.end()
})

t.test('a directory at its end is a header alone', t => {
  const out = Buffer.alloc(16)
  const writer = new encode.DirentWriter(out)
  writer.begin(UNIQUE, 4096)
  t.equal(writer.add('name', INO, 0o100644, 1), false)
  t.equal(writer.finish(), 16)
  t.same(out, messageOf(0, UNIQUE, []))
  t.end()
})

t.test('entries with attributes, and bare ones, have the same form', t => {
  const out = Buffer.alloc(1024, 0xee)
  const writer = new encode.DirentWriter(out)
  writer.begin(UNIQUE, 400, 24)
  t.equal(writer.addBare('..', INO, 0o040755, 1), true)
  t.equal(writer.addPlus('caf\xe9', ATTR, TERMS, 2), true)
  t.equal(writer.addPlus('more', ATTR, TERMS, 3), false)
  t.equal(writer.addBare('more', INO, 0o100644, 3), false)
  const expected = messageOf(0, UNIQUE, [
    ...['\0'.repeat(128), BigInt(INO), 1n, 2, 4, '..\0\0\0\0\0\0'],
    ...[...ENTRY_FIELDS, BigInt(INO), 2n, 4, 8, 'caf\xe9\0\0\0\0']
  ])
  t.equal(writer.finish(), expected.length)
  t.same(out.subarray(24, 24 + expected.length), expected)
  writer.begin(UNIQUE, 400)
  t.equal(writer.finish(), 16)
  t.end()
})

t.test('the reply to a request that was sent again has the top bit of its number', t => {
  const out = Buffer.alloc(64)
  encode.encodeEmpty(out, UNIQUE_RESENT + UNIQUE)
  t.equal(out.readBigUInt64LE(8), 2n ** 63n + BigInt(UNIQUE))
  encode.encodeEmpty(out, UNIQUE)
  t.equal(out.readBigUInt64LE(8), BigInt(UNIQUE))
  t.end()
})

t.test('the wish to have requests sent again is a notification without arguments', t => {
  check(t, encode.encodeNotifyResend, NOTIFY.RESEND, 0, [])
  t.end()
})
