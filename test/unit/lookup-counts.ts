import fc from 'fast-check'
import t from 'tap'
import { inoOf, type Ino, type VolumeId } from '../../lib/ids.ts'
import { LookupCounts } from '../../lib/vfs/lookup-counts.ts'

t.test('a count is handed over once', async t => {
  const counts = new LookupCounts()
  const ino = inoOf(7 as VolumeId, 4711)
  t.equal(counts.take(ino), 0)
  counts.put(ino, 3)
  t.equal(counts.take((ino + 1) as Ino), 0)
  t.equal(counts.take(ino), 3)
  t.equal(counts.take(ino), 0)
  t.equal(counts.bytes, 0, 'and nothing stays of it')
})

t.test('counts are those of a map, and take memory only while there are any', async () => {
  const op = fc.record({
    ino: fc.integer({ min: 1, max: 2000 }).map(n => inoOf((n % 3) as VolumeId, n)),
    count: fc.integer({ min: 1, max: 5 }),
    act: fc.constantFrom('put', 'lower', 'take')
  })
  fc.assert(
    fc.property(fc.array(op, { maxLength: 300 }), ops => {
      const counts = new LookupCounts()
      const model = new Map<Ino, number>()
      for (const { ino, count, act } of ops) {
        const known = model.get(ino) ?? 0
        if (act === 'take') {
          if (counts.take(ino) !== known) return false
          model.delete(ino)
        } else if (act === 'put' && known === 0) {
          counts.put(ino, count)
          model.set(ino, count)
        } else if (act === 'lower') {
          counts.lower(ino, count)
          if (known > count) model.set(ino, known - count)
          else model.delete(ino)
        }
      }
      for (const [ino, count] of model) if (counts.take(ino) !== count) return false
      return counts.bytes === 0
    })
  )
})

t.test('four million files of four thousand users take less than 20 MB', async t => {
  const counts = new LookupCounts()
  for (let volume = 1; volume <= 4000; volume++) {
    for (let counter = 1; counter <= 1000; counter++) {
      counts.put(inoOf(volume as VolumeId, counter), 1)
    }
  }
  t.ok(counts.bytes < 21_000_000, `${String(counts.bytes)} bytes`)
})
