import t from 'tap'
import type { Ino, SessionId } from '../../lib/ids.ts'
import { HandleTable } from '../../lib/vfs/handle-table.ts'

const FILE = 5 as Ino

t.test(
  'a handle of an earlier session is fenced where a lock could be held through it',
  async t => {
    const before = new HandleTable(7 as SessionId)
    const [lockable, lockless] = [before.open(FILE, 0, false), before.open(FILE, 0, true)]
    t.notOk(before.isFenced(lockable.fh, false))
    t.notOk(before.isFenced(lockless.fh, false))
    for (const session of [8, 7 + 2 ** 20, 2 ** 21 - 1]) {
      const after = new HandleTable(session as SessionId)
      t.ok(after.isFenced(lockable.fh, false))
      t.notOk(after.isFenced(lockless.fh, false))
      t.ok(after.isFenced(lockless.fh, true), 'in a cluster what was written may be lost as well')
      t.equal(after.get(lockable.fh), undefined)
      t.notOk(after.isFenced(after.open(FILE, 0, false).fh, false))
    }
    t.notOk(before.isFenced(0, false), 'where the kernel opens by itself there is no handle')
  }
)

t.test('handles fit 53 bits in every session', async t => {
  const { fh } = new HandleTable((2 ** 21 - 1) as SessionId).open(FILE, 0, true)
  t.ok(Number.isSafeInteger(fh))
})
