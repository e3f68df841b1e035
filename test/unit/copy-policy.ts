import t from 'tap'
import type { ReplicaId, VolumeId } from '../../lib/ids.ts'
import { betterRule } from '../../lib/replication/copy-policy.ts'
import type { CopyRule } from '../../lib/volume/volume-rules.ts'

const VOLUME = 7 as VolumeId

function rule(copies: number, ...dataSet: number[]): CopyRule {
  return { copies, dataSet: dataSet as ReplicaId[] }
}

function better(
  current: CopyRule,
  stores: number[],
  alive: number[],
  copies = 2
): CopyRule | undefined {
  const view = { stores: stores as ReplicaId[], alive: alive as ReplicaId[], copies }
  return betterRule(VOLUME, current, view)
}

t.test('what is as it should be stays', async t => {
  t.equal(better(rule(2, 1, 2, 3), [1, 2, 3], [1, 2, 3]), undefined)
  t.equal(better(rule(1, 1), [1], [1]), undefined)
})

t.test('a store that has come is a home', async t => {
  t.same(better(rule(1, 1), [1, 2], [1, 2]), rule(2, 1, 2))
  t.same(better(rule(2, 1, 2), [1, 2, 3], [1, 2, 3]), rule(2, 1, 2, 3))
})

t.test('one of three may be away without any change', async t => {
  t.equal(better(rule(2, 1, 2, 3), [1, 2, 3], [1, 3]), undefined)
})

t.test('with too few left, those that are left are the data set, with fewer copies', async t => {
  t.same(better(rule(2, 1, 2), [1, 2], [2]), rule(1, 2))
  t.same(better(rule(2, 1, 2, 3), [1, 2, 3], [3]), rule(1, 3))
  t.equal(better(rule(1, 2), [1, 2], [2]), undefined, 'and that stays while it is so')
})

t.test('whoever is back is taken in again', async t => {
  t.same(better(rule(1, 2), [1, 2], [1, 2]), rule(2, 1, 2))
  t.same(better(rule(1, 3), [1, 2, 3], [2, 3]), rule(2, 2, 3), 'also before the last is')
})

t.test('with nobody there is nothing to be done', async t => {
  t.equal(better(rule(2, 1, 2), [1, 2], []), undefined)
})
