import { readFileSync } from 'node:fs'
import t from 'tap'
import { bootMs } from '../../lib/io/boot-clock.ts'
import { SystemClock } from '../../lib/io/system-clock.ts'

t.test('the wall clock agrees with the machine', async t => {
  const clock = new SystemClock()
  const beforeMs = Date.now()
  const nowMs = Number(clock.nowNs() / 1_000_000n)
  t.ok(nowMs >= beforeMs - 2 && nowMs <= Date.now() + 2)
})

t.test('the wall clock tells moments apart that Date does not', async t => {
  const clock = new SystemClock()
  const moments = Array.from({ length: 1000 }, () => clock.nowNs())
  t.ok(new Set(moments).size > 100)
})

t.test('the wall clock follows when somebody sets it', async t => {
  const clock = new SystemClock()
  const dayMs = 86_400_000
  const real = Date.now
  t.intercept(Date, 'now', { value: () => real() + dayMs })
  const aheadMs = Number(clock.nowNs() / 1_000_000n) - real()
  t.ok(aheadMs > dayMs - 1000 && aheadMs < dayMs + 1000)
})

t.test('the clock since the start of the machine is that of the kernel', async t => {
  const [uptime = ''] = readFileSync('/proc/uptime', 'latin1').split(' ')
  const moments = Array.from({ length: 1000 }, () => bootMs())
  t.ok((moments[0] ?? 0) >= Number(uptime) * 1000 - 10)
  t.same(
    moments,
    moments.toSorted((a, b) => a - b)
  )
  const [after = ''] = readFileSync('/proc/uptime', 'latin1').split(' ')
  t.ok((moments.at(-1) ?? Infinity) <= Number(after) * 1000 + 10, 'it counts in hundredths')
})

t.test('the monotonic clock never goes back', async t => {
  const clock = new SystemClock()
  const moments = Array.from({ length: 1000 }, () => clock.monotonicMs())
  t.same(
    moments,
    moments.toSorted((a, b) => a - b)
  )
})
