import t from 'tap'
import { LruMap } from '../../lib/util/lru-map.ts'

t.test('what was used longest ago goes first', async t => {
  const map = new LruMap<string, number>(3, () => 1)
  for (const key of ['a', 'b', 'c']) map.set(key, 1)
  map.get('a')
  t.same(map.set('d', 1), [['b', 1]])
  t.equal(map.get('b'), undefined)
  t.equal(map.get('a'), 1)
})

t.test('weights are added up, and taken off again', async t => {
  const map = new LruMap<string, number>(10, weight => weight)
  map.set('a', 6)
  map.set('a', 4)
  t.same(map.set('b', 6), [], 'the first weight of a is gone')
  t.equal(map.delete('b'), 6)
  t.same(map.set('c', 6), [])
  t.same(
    map.set('d', 9).map(([key]) => key),
    ['a', 'c']
  )
})

t.test('a value that is too heavy alone is kept until the next one comes', async t => {
  const map = new LruMap<string, number>(10, weight => weight)
  t.same(map.set('a', 50), [])
  t.equal(map.get('a'), 50)
  t.same(map.set('b', 1), [['a', 50]])
})

t.test('clearing hands out everything', async t => {
  const map = new LruMap<string, number>(10, weight => weight)
  map.set('a', 1)
  map.set('b', 2)
  t.same(map.clear(), [
    ['a', 1],
    ['b', 2]
  ])
  t.equal(map.size, 0)
})
