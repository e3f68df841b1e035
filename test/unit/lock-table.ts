/** The lock table's behaviours one by one; test/property/lock-table.ts has the random ones. */

import t from 'tap'
import { FsError } from '../../lib/errors.ts'
import { inoOf, type Ino, type VolumeId } from '../../lib/ids.ts'
import { LOCK_WAITERS_MAX, LockTable, type Lock, type LockType } from '../../lib/vfs/lock-table.ts'

const INO = inoOf(1 as VolumeId, 7)
const OTHER_INO = inoOf(1 as VolumeId, 8)

function posix(owner: number, type: LockType, start: number, end: number): Lock {
  return { kind: 'posix', owner: BigInt(owner), type, start, end, pid: 100 + owner }
}

function flock(owner: number, type: LockType): Lock {
  return { ...posix(owner, type, 0, Infinity), kind: 'flock' }
}

function rangesOf(table: LockTable, ino: Ino = INO): string[] {
  return table.locksOf(ino).map(({ owner, type, start, end }) => `${owner} ${type} ${start}-${end}`)
}

t.test('readers share a range and a writer is refused until they are gone', async t => {
  const table = new LockTable()
  t.equal(table.acquire(INO, posix(1, 'read', 0, 9)), true)
  t.equal(table.acquire(INO, posix(2, 'read', 5, 20)), true)
  t.equal(table.acquire(INO, posix(3, 'write', 9, 9)), false)
  table.releaseOwner(INO, 'posix', 1n)
  t.equal(table.acquire(INO, posix(3, 'write', 9, 9)), false)
  table.releaseOwner(INO, 'posix', 2n)
  t.equal(table.acquire(INO, posix(3, 'write', 9, 9)), true)
})

t.test('a test names the first conflicting lock with its pid, and never the own one', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(2, 'write', 50, Infinity))
  table.acquire(INO, posix(1, 'read', 10, 19))
  t.same(table.test(INO, posix(3, 'write', 0, 100)), posix(1, 'read', 10, 19))
  t.same(table.test(INO, posix(3, 'read', 0, 100)), posix(2, 'write', 50, Infinity))
  t.equal(table.test(INO, posix(3, 'write', 20, 49)), undefined)
  t.equal(table.test(INO, posix(2, 'write', 20, 100)), undefined)
  t.equal(table.test(OTHER_INO, posix(3, 'write', 0, 100)), undefined)
})

t.test('a release in the middle of a lock leaves its two ends', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'write', 0, Infinity))
  table.release(INO, posix(1, 'write', 10, 19))
  t.same(rangesOf(table), ['1 write 0-9', '1 write 20-Infinity'])
  t.equal(table.size, 2)
  t.equal(table.acquire(INO, posix(2, 'write', 10, 19)), true)
})

t.test('a lock of the other type replaces its part of the own one', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'write', 0, 29))
  table.acquire(INO, posix(1, 'read', 10, 19))
  t.same(rangesOf(table), ['1 write 0-9', '1 read 10-19', '1 write 20-29'])
})

t.test('touching and overlapping locks of one owner and type become one', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'read', 0, 9))
  table.acquire(INO, posix(1, 'read', 20, 29))
  table.acquire(INO, posix(1, 'read', 10, 19))
  table.acquire(INO, posix(1, 'read', 25, 40))
  t.same(rangesOf(table), ['1 read 0-40'])
  t.equal(table.size, 1)
})

t.test('an upgrade waits for the other readers and keeps the read lock meanwhile', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'read', 0, 9))
  table.acquire(INO, posix(2, 'read', 0, 9))
  t.equal(table.wait(INO, posix(1, 'write', 0, 9), 71), 'waiting')
  t.same(rangesOf(table), ['1 read 0-9', '2 read 0-9'])
  table.releaseOwner(INO, 'posix', 2n)
  t.same(table.takeGranted(), [71])
  t.same(rangesOf(table), ['1 write 0-9'])
})

t.test('two upgrades of one shared range are a deadlock for the second', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'read', 0, 9))
  table.acquire(INO, posix(2, 'read', 0, 9))
  t.equal(table.wait(INO, posix(1, 'write', 0, 9), 71), 'waiting')
  t.equal(table.wait(INO, posix(2, 'write', 0, 9), 72), 'deadlock')
  t.equal(table.waiterCount, 1)
})

t.test('a circle over three owners and two inodes is a deadlock', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'write', 0, 0))
  table.acquire(INO, posix(2, 'write', 1, 1))
  table.acquire(OTHER_INO, posix(3, 'write', 0, 0))
  t.equal(table.wait(INO, posix(1, 'write', 1, 1), 71), 'waiting')
  t.equal(table.wait(OTHER_INO, posix(2, 'write', 0, 0), 72), 'waiting')
  t.equal(table.wait(INO, posix(3, 'read', 0, 0), 73), 'deadlock')
})

t.test('a downgrade grants the readers that wait', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'write', 0, 9))
  t.equal(table.wait(INO, posix(2, 'read', 0, 9), 72), 'waiting')
  t.equal(table.wait(INO, posix(3, 'read', 5, 5), 73), 'waiting')
  table.acquire(INO, posix(1, 'read', 0, 9))
  t.same(table.takeGranted(), [72, 73])
  t.same(table.takeGranted(), [])
})

t.test('a reader that would wait stands behind a waiting writer', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'read', 0, 9))
  t.equal(table.wait(INO, posix(2, 'write', 0, 9), 72), 'waiting')
  t.equal(table.wait(INO, posix(3, 'read', 0, 9), 73), 'waiting')
  t.equal(table.wait(INO, posix(4, 'read', 10, 19), 74), 'granted')
  table.releaseOwner(INO, 'posix', 1n)
  t.same(table.takeGranted(), [72])
  table.releaseOwner(INO, 'posix', 2n)
  t.same(table.takeGranted(), [73])
})

t.test('a request that does not wait passes those who do', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'read', 0, 9))
  table.wait(INO, posix(2, 'write', 0, 9), 72)
  t.equal(table.acquire(INO, posix(3, 'read', 0, 9)), true)
})

t.test('the holder for whom a writer waits passes that writer', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'read', 0, 9))
  t.equal(table.wait(INO, posix(2, 'write', 0, 19), 72), 'waiting')
  t.equal(table.wait(INO, posix(1, 'read', 10, 19), 71), 'granted')
})

t.test('courtesy to a writer ends when a later wait would make it a deadlock', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(3, 'read', 0, 9))
  table.acquire(OTHER_INO, posix(1, 'write', 0, 0))
  t.equal(table.wait(INO, posix(2, 'write', 0, 9), 72), 'waiting')
  t.equal(table.wait(INO, posix(1, 'read', 0, 9), 71), 'waiting')
  t.equal(table.wait(OTHER_INO, posix(3, 'write', 0, 0), 73), 'waiting')
  t.same(table.takeGranted(), [71])
})

t.test('a cancelled waiter is gone and those behind it move up', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'read', 0, 9))
  table.wait(INO, posix(2, 'write', 0, 9), 72)
  table.wait(INO, posix(3, 'read', 0, 9), 73)
  t.equal(table.cancel(72), true)
  t.same(table.takeGranted(), [73])
  t.equal(table.cancel(72), false)
  t.equal(table.cancel(73), false, 'granted requests are not taken back')
  t.equal(table.waiterCount, 0)
})

t.test('a close frees what is held and leaves what waits', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'write', 0, 9))
  table.acquire(INO, posix(2, 'write', 10, 19))
  table.wait(INO, posix(2, 'write', 0, 9), 72)
  table.releaseOwner(INO, 'posix', 2n)
  t.same(rangesOf(table), ['1 write 0-9'])
  table.releaseOwner(INO, 'posix', 1n)
  t.same(table.takeGranted(), [72])
})

t.test('flock and byte ranges do not see each other', async t => {
  const table = new LockTable()
  t.equal(table.acquire(INO, posix(1, 'write', 0, Infinity)), true)
  t.equal(table.acquire(INO, flock(2, 'write')), true)
  t.equal(table.acquire(INO, flock(3, 'read')), false)
  table.releaseOwner(INO, 'posix', 1n)
  t.same(rangesOf(table), ['2 write 0-Infinity'])
})

t.test('a refused flock conversion has lost the old lock', async t => {
  const table = new LockTable()
  table.acquire(INO, flock(1, 'read'))
  table.acquire(INO, flock(2, 'read'))
  t.equal(table.acquire(INO, flock(1, 'write')), false)
  t.same(rangesOf(table), ['2 read 0-Infinity'])
})

t.test('a flock conversion lets those who wait go first', async t => {
  const table = new LockTable()
  table.acquire(INO, flock(1, 'read'))
  table.wait(INO, flock(2, 'write'), 72)
  t.equal(table.wait(INO, flock(1, 'write'), 71), 'waiting')
  t.same(table.takeGranted(), [72])
  table.releaseOwner(INO, 'flock', 2n)
  t.same(table.takeGranted(), [71])
})

t.test('a flock that is held already is granted at once, past waiters', async t => {
  const table = new LockTable()
  table.acquire(INO, flock(1, 'read'))
  table.wait(INO, flock(2, 'write'), 72)
  t.equal(table.wait(INO, flock(1, 'read'), 71), 'granted')
  t.same(table.takeGranted(), [])
})

t.test('an inode without locks leaves nothing behind', async t => {
  const table = new LockTable()
  table.release(INO, posix(1, 'write', 0, 9))
  table.acquire(INO, posix(1, 'write', 0, 9))
  t.equal(table.isLocked(INO), true)
  table.release(INO, posix(1, 'write', 0, Infinity))
  t.equal(table.isLocked(INO), false)
  t.equal(table.size, 0)
})

t.test('one waiter too many gets ENOLCK', async t => {
  const table = new LockTable()
  table.acquire(INO, posix(1, 'write', 0, 9))
  for (let n = 0; n < LOCK_WAITERS_MAX; n++) table.wait(INO, posix(2 + n, 'write', 0, 9), n)
  const surplus = posix(99_999, 'write', 0, 9)
  t.throws(() => table.wait(INO, surplus, 99_999), new FsError('ENOLCK'))
  t.equal(table.cancel(0), true)
  t.equal(table.wait(INO, surplus, 99_999), 'waiting')
})

t.test('a range without bytes and a partial flock are bugs of the caller', async t => {
  const table = new LockTable()
  t.throws(() => table.acquire(INO, posix(1, 'write', 5, 4)), { name: 'InvariantError' })
  t.throws(() => table.acquire(INO, posix(1, 'write', Infinity, Infinity)), {
    name: 'InvariantError'
  })
  t.throws(() => table.acquire(INO, { ...flock(1, 'write'), end: 9 }), { name: 'InvariantError' })
})
