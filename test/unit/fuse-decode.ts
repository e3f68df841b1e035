import t, { type Test } from 'tap'
import { FATTR, OPCODE, RENAME_FLAG, UNIQUE_RESENT } from '../../lib/fuse/abi.ts'
import { decodeRequest, uniqueOf } from '../../lib/fuse/decode.ts'
import type { FuseRequest } from '../../lib/fuse/request.ts'
import { isResent } from '../../lib/fuse/unique.ts'
import { ByteWriter } from '../../lib/util/bytes.ts'

const HEADER = {
  unique: 0x1_0000_0002,
  nodeid: 0x1f_ffff_ffff_ffff,
  uid: 0xfffffffe,
  gid: 7,
  pid: 9
}

type Field = number | string | bigint | Buffer | { wide: number }

/** A u64; plain numbers are u32, strings are names with their NUL, bigints any 8 bytes. */
const q = (wide: number) => ({ wide })

function requestOf(opcode: number, fields: Field[], extensionUnits = 0): Buffer {
  const writer = new ByteWriter()
  writer.u32(0)
  writer.u32(opcode)
  writer.u53(HEADER.unique)
  writer.u53(HEADER.nodeid)
  writer.u32(HEADER.uid)
  writer.u32(HEADER.gid)
  writer.u32(HEADER.pid)
  writer.u16(extensionUnits)
  writer.u16(0)
  for (const field of fields) {
    if (typeof field === 'number') writer.u32(field)
    else if (typeof field === 'bigint') writer.u64(BigInt.asUintN(64, field))
    else if (typeof field === 'string') writer.bytes(Buffer.from(`${field}\0`, 'latin1'))
    else if (Buffer.isBuffer(field)) writer.bytes(field)
    else writer.u53(field.wide)
  }
  writer.patchU32(0, writer.position)
  return writer.take()
}

/** What is decoded beyond the header, which is checked here. */
function decoded(t: Test, opcode: number, fields: Field[]): Record<string, unknown> {
  const bytes = requestOf(opcode, fields)
  // Room behind the request, so that reading beyond it would not fail by itself.
  const buffer = Buffer.concat([bytes, Buffer.alloc(4096, 0xee)])
  const {
    unique,
    opcode: seen,
    nodeid,
    uid,
    gid,
    pid,
    ...rest
  } = decodeRequest(buffer, bytes.length)
  t.same({ unique, nodeid, uid, gid, pid }, HEADER)
  t.equal(seen, opcode)
  const isFixed = fields.every(field => typeof field !== 'string' && !Buffer.isBuffer(field))
  for (let cut = 1; cut <= bytes.length - 40; cut++) {
    const shorter = Buffer.from(buffer)
    shorter.writeUInt32LE(bytes.length - cut, 0)
    if (isFixed || cut === 1) {
      t.throws(() => decodeRequest(shorter, bytes.length - cut), { code: 'PROTOCOL' })
    }
  }
  return rest
}

const CASES: [string, number, Field[], Record<string, unknown>][] = [
  ['lookup', OPCODE.LOOKUP, ['caf\xe9'], { name: 'caf\xe9' }],
  ['forget', OPCODE.FORGET, [q(3)], { nlookup: 3 }],
  [
    'batchForget',
    OPCODE.BATCH_FORGET,
    [2, 0, q(5), q(1), q(6), q(2 ** 40)],
    {
      forgets: [
        { nodeid: 5, nlookup: 1 },
        { nodeid: 6, nlookup: 2 ** 40 }
      ]
    }
  ],
  ['getattr', OPCODE.GETATTR, [0, 0, q(8)], { fh: undefined }],
  ['getattr', OPCODE.GETATTR, [1, 0, q(8)], { fh: 8 }],
  ['statx', OPCODE.STATX, [1, 0, q(8), 0x100, 0xfff], { fh: 8, statxFlags: 0x100, mask: 0xfff }],
  ['readlink', OPCODE.READLINK, [], {}],
  ['symlink', OPCODE.SYMLINK, ['name', '../target'], { name: 'name', target: '../target' }],
  [
    'mknod',
    OPCODE.MKNOD,
    [0o100600, 5, 0o22, 0, 'n'],
    { name: 'n', mode: 0o100600, rdev: 5, umask: 0o22 }
  ],
  ['mkdir', OPCODE.MKDIR, [0o700, 0o22, 'd'], { name: 'd', mode: 0o700, umask: 0o22 }],
  ['unlink', OPCODE.UNLINK, ['n'], { name: 'n' }],
  ['rmdir', OPCODE.RMDIR, ['n'], { name: 'n' }],
  [
    'rename',
    OPCODE.RENAME,
    [q(4), 'a', 'bc'],
    { name: 'a', newParent: 4, newName: 'bc', flags: 0 }
  ],
  [
    'rename',
    OPCODE.RENAME2,
    [q(4), RENAME_FLAG.EXCHANGE, 0, 'a', 'bc'],
    { name: 'a', newParent: 4, newName: 'bc', flags: 2 }
  ],
  ['link', OPCODE.LINK, [q(12), 'new'], { ino: 12, newName: 'new' }],
  ['open', OPCODE.OPEN, [0x8002, 1], { flags: 0x8002, openFlags: 1 }],
  ['opendir', OPCODE.OPENDIR, [0x10000, 0], { flags: 0x10000 }],
  [
    'create',
    OPCODE.CREATE,
    [0o101, 0o100644, 0o22, 1, 'n'],
    { name: 'n', flags: 0o101, mode: 0o100644, umask: 0o22, openFlags: 1 }
  ],
  [
    'tmpfile',
    OPCODE.TMPFILE,
    [0o2, 0o100644, 0o22, 0],
    { flags: 0o2, mode: 0o100644, umask: 0o22 }
  ],
  [
    'read',
    OPCODE.READ,
    [q(8), q(2 ** 40), 131072, 0, 5n, 0x8000, 0],
    { fh: 8, offset: 2 ** 40, size: 131072, lockOwner: undefined, flags: 0x8000 }
  ],
  [
    'read',
    OPCODE.READ,
    [q(8), -1n, 1, 2, -1n, 0, 0],
    { fh: 8, offset: Infinity, size: 1, lockOwner: 2n ** 64n - 1n, flags: 0 }
  ],
  [
    'write',
    OPCODE.WRITE,
    [q(8), q(10), 3, 3, 77n, 0x401, 0, Buffer.from('abc')],
    { fh: 8, offset: 10, data: Buffer.from('abc'), writeFlags: 3, lockOwner: 77n, flags: 0x401 }
  ],
  ['statfs', OPCODE.STATFS, [], {}],
  [
    'release',
    OPCODE.RELEASE,
    [q(8), 2, 3, 9n],
    { fh: 8, flags: 2, releaseFlags: 3, lockOwner: 9n }
  ],
  [
    'releasedir',
    OPCODE.RELEASEDIR,
    [q(8), 2, 0, 9n],
    { fh: 8, flags: 2, releaseFlags: 0, lockOwner: 9n }
  ],
  ['flush', OPCODE.FLUSH, [q(8), 0, 0, 9n], { fh: 8, lockOwner: 9n }],
  ['fsync', OPCODE.FSYNC, [q(8), 1, 0], { fh: 8, dataOnly: true }],
  ['fsyncdir', OPCODE.FSYNCDIR, [q(8), 0, 0], { fh: 8, dataOnly: false }],
  ['readdir', OPCODE.READDIR, [q(8), q(3), 4096, 0, 0n, 0, 0], { fh: 8, offset: 3, size: 4096 }],
  [
    'readdirplus',
    OPCODE.READDIRPLUS,
    [q(8), q(3), 4096, 0, 0n, 0, 0],
    { fh: 8, offset: 3, size: 4096 }
  ],
  [
    'setlkw',
    OPCODE.SETLKW,
    [q(8), 5n, q(1), 2n ** 63n - 1n, 1, 44, 1, 0],
    { fh: 8, owner: 5n, start: 1, end: Infinity, type: 1, lockPid: 44, lkFlags: 1 }
  ],
  [
    'setlk',
    OPCODE.SETLK,
    [q(8), 5n, q(0), q(9), 2, 44, 0, 0],
    { fh: 8, owner: 5n, start: 0, end: 9, type: 2, lockPid: 44, lkFlags: 0 }
  ],
  [
    'getlk',
    OPCODE.GETLK,
    [q(8), 5n, 2n ** 53n, 2n ** 53n, 0, 44, 0, 0],
    { fh: 8, owner: 5n, start: Infinity, end: Infinity, type: 0, lockPid: 44, lkFlags: 0 }
  ],
  ['access', OPCODE.ACCESS, [4, 0], { mask: 4 }],
  ['interrupt', OPCODE.INTERRUPT, [q(98)], { interrupted: 98 }],
  ['destroy', OPCODE.DESTROY, [], {}],
  ['lseek', OPCODE.LSEEK, [q(8), q(100), 3, 0], { fh: 8, offset: 100, whence: 3 }],
  [
    'fallocate',
    OPCODE.FALLOCATE,
    [q(8), q(1), q(2), 3, 0],
    { fh: 8, offset: 1, length: 2, mode: 3 }
  ],
  [
    'copyFileRange',
    OPCODE.COPY_FILE_RANGE,
    [q(1), q(2), q(3), q(4), q(5), q(6), 0n],
    { fh: 1, offset: 2, inoOut: 3, fhOut: 4, offsetOut: 5, length: 6, wide: false }
  ],
  [
    'copyFileRange',
    OPCODE.COPY_FILE_RANGE_64,
    [q(1), q(2), q(3), q(4), q(5), -1n, 0n],
    { fh: 1, offset: 2, inoOut: 3, fhOut: 4, offsetOut: 5, length: Infinity, wide: true }
  ],
  [
    'setxattr',
    OPCODE.SETXATTR,
    [2, 1, 'user.x', Buffer.from('\0v')],
    { name: 'user.x', value: Buffer.from('\0v'), flags: 1 }
  ],
  ['getxattr', OPCODE.GETXATTR, [64, 0, 'user.x'], { name: 'user.x', size: 64 }],
  ['listxattr', OPCODE.LISTXATTR, [64, 0], { size: 64 }],
  ['removexattr', OPCODE.REMOVEXATTR, ['user.x'], { name: 'user.x' }],
  [
    'ioctl',
    OPCODE.IOCTL,
    [q(8), 1, 2, 3n, 2, 5, Buffer.from('in')],
    { fh: 8, flags: 1, cmd: 2, arg: 3n, outSize: 5, data: Buffer.from('in') }
  ],
  ['poll', OPCODE.POLL, [q(8), 3n, 1, 5], { fh: 8, kh: 3n, flags: 1, events: 5 }],
  ['unknown', OPCODE.BMAP, [q(8), 1, 0], {}],
  ['unknown', 4095, [], {}]
]

for (const [op, opcode, fields, expected] of CASES) {
  t.test(`opcode ${opcode} is decoded as ${op}, and refused when cut short`, t => {
    if (op === 'unknown') {
      const bytes = requestOf(opcode, fields)
      t.match(decodeRequest(bytes, bytes.length), { ...HEADER, op, opcode })
    } else {
      t.strictSame(decoded(t, opcode, fields), { op, ...expected })
    }
    t.end()
  })
}

const SETATTR_TIMES = [-2n, 1n, 2n ** 33n]

function setattrOf(valid: number, nsec = 999_999_999): FuseRequest {
  const [atime = 0n, mtime = 0n, ctime = 0n] = SETATTR_TIMES
  const fields = [valid, 0, q(8), q(4096), 5n, atime, mtime, ctime, nsec, 2, 3, 0o644, 0, 11, 12, 0]
  const bytes = requestOf(OPCODE.SETATTR, fields)
  return decodeRequest(bytes, bytes.length)
}

t.test('setattr gives the fields that it means, times as nanoseconds before and after 1970', t => {
  t.match(setattrOf(0xfff), {
    op: 'setattr',
    valid: 0xfff,
    fh: 8,
    size: 4096,
    lockOwner: 5n,
    atime: -1_000_000_001n,
    mtime: 1_000_000_002n,
    ctime: 8589934592_000000003n,
    mode: 0o644,
    newUid: 11,
    newGid: 12
  })
  t.match(setattrOf(FATTR.MODE), {
    valid: FATTR.MODE,
    fh: undefined,
    size: 0,
    lockOwner: 0n,
    atime: 0n,
    mtime: 0n,
    ctime: 0n,
    mode: 0o644,
    newUid: 0,
    newGid: 0
  })
  t.throws(() => setattrOf(FATTR.ATIME, 1_000_000_000), { code: 'PROTOCOL' })
  t.end()
})

t.test('init has a second word of flags only when the first says so', t => {
  const rest = Buffer.alloc(44)
  const long = requestOf(OPCODE.INIT, [7, 45, 131072, 0xffffffff, 0x7ff, rest])
  t.match(decodeRequest(long, long.length), {
    op: 'init',
    major: 7,
    minor: 45,
    maxReadahead: 131072,
    flags: 0xffffffff,
    flags2: 0x7ff
  })
  const short = requestOf(OPCODE.INIT, [7, 31, 131072, 0x3fffffff])
  t.match(decodeRequest(short, short.length), { minor: 31, flags: 0x3fffffff, flags2: 0 })
  const cut = requestOf(OPCODE.INIT, [7, 45, 131072, 0x40000000, 0x7ff])
  t.throws(() => decodeRequest(cut, cut.length), { code: 'PROTOCOL' })
  t.end()
})

t.test('the data of a write lies in the buffer of the request', t => {
  const bytes = requestOf(OPCODE.WRITE, [q(8), q(0), 1, 0, 0n, 0, 0, Buffer.from('a')])
  const request = decodeRequest(bytes, bytes.length)
  bytes[bytes.length - 1] = 0x62
  t.equal(request.op === 'write' && request.data.toString(), 'b')
  t.end()
})

t.test('what follows the arguments is not taken for a name', t => {
  const bytes = requestOf(OPCODE.SYMLINK, ['name', Buffer.from('target7\0')], 1)
  t.throws(() => decodeRequest(bytes, bytes.length), { code: 'PROTOCOL' })
  const whole = requestOf(OPCODE.SYMLINK, ['name', 'to', Buffer.alloc(8, 1)], 1)
  t.match(decodeRequest(whole, whole.length), { name: 'name', target: 'to' })
  t.end()
})

t.test('a request whose sizes contradict each other is refused', t => {
  const refused = (bytes: Buffer, length = bytes.length) =>
    t.throws(() => decodeRequest(bytes, length), { name: 'RoostError', code: 'PROTOCOL' })
  const lookup = requestOf(OPCODE.LOOKUP, ['name'])
  refused(lookup, lookup.length - 1)
  refused(lookup, lookup.length + 1)
  refused(lookup, 39)
  refused(requestOf(OPCODE.LOOKUP, ['']))
  refused(requestOf(OPCODE.LOOKUP, [Buffer.from('no end')]))
  refused(requestOf(OPCODE.LOOKUP, []))
  refused(requestOf(OPCODE.LOOKUP, ['name'], 1000))
  refused(requestOf(OPCODE.BATCH_FORGET, [0xffffffff, 0, q(1), q(1)]))
  refused(requestOf(OPCODE.WRITE, [q(8), q(0), 4, 0, 0n, 0, 0, Buffer.from('abc')]))
  refused(requestOf(OPCODE.SETXATTR, [3, 0, 'user.x', Buffer.from('ab')]))
  t.end()
})

t.test('a request that is sent again is told by the top bit of its number', t => {
  const bytes = requestOf(OPCODE.INTERRUPT, [2n ** 63n + 5n])
  bytes.writeBigUInt64LE(2n ** 63n + 4n, 8)
  const request = decodeRequest(bytes, bytes.length)
  t.match(request, { unique: UNIQUE_RESENT + 4, interrupted: UNIQUE_RESENT + 5 })
  t.ok(isResent(request.unique))
  t.notOk(isResent(HEADER.unique))
  t.equal(uniqueOf(bytes, bytes.length), request.unique)
  for (const unique of [2n ** 52n, 2n ** 63n + 2n ** 52n, 2n ** 64n - 1n]) {
    bytes.writeBigUInt64LE(unique, 8)
    t.throws(() => decodeRequest(bytes, bytes.length), { code: 'PROTOCOL' })
    t.equal(uniqueOf(bytes, bytes.length), undefined)
  }
  t.end()
})

t.test('a number of ours beyond 53 bits is refused', t => {
  const bytes = requestOf(OPCODE.READ, [2n ** 53n, q(0), 1, 0, 0n, 0, 0])
  t.throws(() => decodeRequest(bytes, bytes.length), { code: 'PROTOCOL' })
  const nodeid = requestOf(OPCODE.STATFS, [])
  nodeid.writeBigUInt64LE(2n ** 53n, 16)
  t.throws(() => decodeRequest(nodeid, nodeid.length), { code: 'PROTOCOL' })
  t.equal(uniqueOf(nodeid, nodeid.length), HEADER.unique)
  nodeid.writeBigUInt64LE(2n ** 53n, 8)
  t.equal(uniqueOf(nodeid, nodeid.length), undefined)
  t.equal(uniqueOf(nodeid, 39), undefined)
  t.end()
})
