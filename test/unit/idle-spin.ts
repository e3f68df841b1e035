import t from 'tap'
import { IdleSpin } from '../../lib/fuse/idle-spin.ts'

/** A clock that only moves when something takes time. */
function spinning() {
  let now = 0
  const clock = { nowNs: () => 0n, monotonicMs: () => now }
  const spin = new IdleSpin(clock)
  let looks = 0
  return {
    /** The look with the number `found` finds something. */
    spin: (found: number): { isFound: boolean; looks: number } => {
      looks = 0
      const isFound = spin.spin(() => ++looks === found)
      return { isFound, looks }
    },
    sleep: (ms: number): string =>
      spin.sleep(() => {
        now += ms
        return 'slept'
      })
  }
}

t.test('nothing is looked for until a sleep was short', t => {
  const { spin, sleep } = spinning()
  t.same(spin(1), { isFound: false, looks: 0 })
  t.equal(sleep(5), 'slept')
  t.same(spin(1), { isFound: false, looks: 0 })
  sleep(0.1)
  t.same(spin(7), { isFound: true, looks: 7 })
  t.end()
})

t.test('it goes on as long as something is found', t => {
  const { spin, sleep } = spinning()
  sleep(0)
  for (let i = 0; i < 10; i++) t.same(spin(20), { isFound: true, looks: 20 })
  t.end()
})

t.test('looking ends after a moment, and is given up when it was in vain', t => {
  const { spin, sleep } = spinning()
  sleep(0)
  const { isFound, looks } = spin(Infinity)
  t.notOk(isFound)
  t.equal(looks, 40)
  t.same(spin(1), { isFound: false, looks: 0 })
  sleep(0.1)
  t.ok(spin(1).isFound)
  t.end()
})
