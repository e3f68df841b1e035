import t from 'tap'
import { inoOf, type Epoch, type Ino, type SessionId, type VolumeId } from '../../lib/ids.ts'
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

t.test('a handle that was used in a lost epoch is of no use until it is closed', async t => {
  const handles = new HandleTable(7 as SessionId)
  const [used, later, elsewhere] = [
    handles.open(inoOf(1 as VolumeId, 5), 0, false),
    handles.open(inoOf(1 as VolumeId, 6), 0, false),
    handles.open(inoOf(2 as VolumeId, 5), 0, false)
  ]
  used.epoch = elsewhere.epoch = 3 as Epoch
  later.epoch = 5 as Epoch
  handles.poison(1 as VolumeId, 2 as Epoch, 4 as Epoch)
  const poisoned = (): boolean[] => [used, later, elsewhere].map(({ isPoisoned }) => isPoisoned)
  t.same(poisoned(), [true, false, false])
  handles.poison(1 as VolumeId, 5 as Epoch, 5 as Epoch)
  t.same(poisoned(), [true, true, false])
  handles.close(used.fh)
  t.notOk(handles.open(used.ino, 0, false).isPoisoned)
})
