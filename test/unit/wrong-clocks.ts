import t from 'tap'
import { ownClockOffset } from '../../lib/peer/clock-verdict.ts'
import { nextTime } from '../../lib/tree/next-time.ts'

const S = 1_000_000_000n
const HOUR_MS = 3_600_000

t.test('times ascend, but do not follow one that is far ahead', async t => {
  t.equal(nextTime(100n * S, 90n * S), 100n * S, 'the clock says what time it is')
  t.equal(nextTime(100n * S, 100n * S), 100n * S + 1n, 'two times are never the same')
  t.equal(nextTime(100n * S, 104n * S), 104n * S + 1n, 'a clock that is a little ahead is followed')
  t.equal(nextTime(100n * S, 3700n * S), 100n * S, 'one that is an hour ahead is not')
})

t.test('whose clock is wrong is what most clocks say', async t => {
  t.equal(ownClockOffset([]), undefined)
  t.equal(ownClockOffset([HOUR_MS]), undefined, 'two cannot tell')
  t.equal(ownClockOffset([-HOUR_MS, -HOUR_MS]), HOUR_MS, 'ours is ahead')
  t.equal(ownClockOffset([HOUR_MS, HOUR_MS + 3, 0]), undefined, 'two against two')
  t.equal(ownClockOffset([HOUR_MS, HOUR_MS, HOUR_MS]), -HOUR_MS, 'ours is behind')
  t.equal(ownClockOffset([0, HOUR_MS]), undefined, 'that of another is wrong')
  t.equal(ownClockOffset([-4000, 4900, 4900]), undefined, 'none is off by much')
})
