import t from 'tap'
import { INIT_FLAG, INIT_FLAG2 } from '../../lib/fuse/abi.ts'
import { encodeInit } from '../../lib/fuse/encode.ts'
import { negotiateInit, type InitWanted } from '../../lib/fuse/init.ts'
import type { InitRequest } from '../../lib/fuse/request.ts'
import type { Ino } from '../../lib/ids.ts'

const MIB = 1024 * 1024

const OFFER: InitRequest = {
  op: 'init',
  unique: 2,
  opcode: 26,
  nodeid: 0 as Ino,
  uid: 0,
  gid: 0,
  pid: 0,
  major: 7,
  minor: 45,
  maxReadahead: 128 * 1024,
  flags: 0xffffffff,
  flags2: 0xffffffff
}
const WANTED: InitWanted = {
  flags: INIT_FLAG.POSIX_LOCKS | INIT_FLAG.DO_READDIRPLUS,
  flags2: INIT_FLAG2.HAS_EXPIRE_ONLY,
  maxWrite: MIB,
  maxReadahead: MIB,
  maxBackground: 64,
  congestionThreshold: 48,
  pageSize: 4096
}
const ALWAYS = INIT_FLAG.BIG_WRITES | INIT_FLAG.MAX_PAGES | INIT_FLAG.INIT_EXT

t.test('what the kernel offers and we want is taken, and nothing else', t => {
  const { reply, ...outcome } = negotiateInit(OFFER, WANTED)
  t.same(outcome, {
    isSettled: true,
    minor: 45,
    flagsTaken: WANTED.flags | ALWAYS,
    flags2Taken: WANTED.flags2,
    maxWrite: MIB
  })
  t.same(reply, {
    major: 7,
    minor: 45,
    maxReadahead: 128 * 1024,
    flags: WANTED.flags | ALWAYS,
    flags2: WANTED.flags2,
    maxBackground: 64,
    congestionThreshold: 48,
    maxWrite: MIB,
    timeGranNs: 1,
    maxPages: 256,
    maxStackDepth: 0
  })
  t.end()
})

t.test('an old kernel gets its own version and what it knows', t => {
  const offered = INIT_FLAG.POSIX_LOCKS | INIT_FLAG.BIG_WRITES
  const offer = { ...OFFER, minor: 31, flags: offered, maxReadahead: 2 * MIB }
  const { reply, flagsTaken, flags2Taken, maxWrite } = negotiateInit(offer, WANTED)
  t.match(reply, { minor: 31, flags: offered, flags2: 0, maxPages: 0, maxReadahead: MIB })
  t.match({ flagsTaken, flags2Taken }, { flagsTaken: offered, flags2Taken: 0 })
  t.equal(maxWrite, 32 * 4096)
  t.equal(reply.maxWrite, maxWrite)
  t.end()
})

t.test('a newer minor version is met with the newest that we know', t => {
  t.match(negotiateInit({ ...OFFER, minor: 99 }, WANTED), { minor: 45, reply: { minor: 45 } })
  t.end()
})

t.test('a newer major version is told ours, and another request awaited', t => {
  const outcome = negotiateInit({ ...OFFER, major: 8, minor: 0 }, WANTED)
  t.match(outcome, { isSettled: false, flagsTaken: 0, reply: { major: 7, minor: 45, flags: 0 } })
  t.end()
})

t.test('a kernel that is too old is refused with the version it has', t => {
  for (const [major, minor] of [
    [7, 30],
    [6, 99]
  ] as const) {
    t.throws(() => negotiateInit({ ...OFFER, major, minor }, WANTED), {
      code: 'MOUNT_FAILED',
      message: new RegExp(`version ${major}\\.${minor} .* needs 7\\.31`)
    })
  }
  t.end()
})

t.test('flags that change messages beyond what is decoded are never taken', t => {
  const wanted = { ...WANTED, flags: 0xffffffff, flags2: 0xffffffff }
  const { flagsTaken, flags2Taken } = negotiateInit(OFFER, wanted)
  t.equal(flagsTaken & INIT_FLAG.SETXATTR_EXT, 0)
  t.equal(flags2Taken & (INIT_FLAG2.REQUEST_TIMEOUT | INIT_FLAG2.OVER_IO_URING), 0)
  t.equal(negotiateInit(OFFER, wanted).reply.maxStackDepth, 1)
  t.ok(flagsTaken > 0)
  t.ok(flags2Taken > 0)
  t.end()
})

t.test('pages are counted in the size that the kernel has', t => {
  const outcome = negotiateInit(OFFER, { ...WANTED, pageSize: 65536 })
  t.equal(outcome.reply.maxPages, 16)
  t.throws(() => negotiateInit(OFFER, { ...WANTED, maxWrite: 4095 }), { name: 'InvariantError' })
  t.end()
})

t.test('the reply has its fields where the kernel looks for them', t => {
  const { reply } = negotiateInit(OFFER, { ...WANTED, flags2: INIT_FLAG2.PASSTHROUGH })
  const out = Buffer.alloc(100, 0xee)
  t.equal(encodeInit(out, 2, reply), 80)
  t.equal(out.readUInt32LE(0), 80)
  t.same(
    [16, 20, 24, 28].map(at => out.readUInt32LE(at)),
    [7, 45, 131072, reply.flags]
  )
  t.same(
    [32, 34, 44].map(at => out.readUInt16LE(at)),
    [64, 48, 256]
  )
  t.same(
    [36, 40, 48, 52].map(at => out.readUInt32LE(at)),
    [MIB, 1, INIT_FLAG2.PASSTHROUGH, 1]
  )
  t.ok(out.subarray(56, 80).every(byte => byte === 0))
  t.end()
})
