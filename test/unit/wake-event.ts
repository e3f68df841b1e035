import t, { type Test } from 'tap'
import * as libc from '../../lib/io/libc.ts'
import { WakeEvent } from '../../lib/io/wake-event.ts'

/** The sleeper's and the teller's side of one event, as two threads have them. */
function eventFor(t: Test): { sleeper: WakeEvent; teller: WakeEvent } {
  const sleeper = WakeEvent.open()
  t.teardown(() => {
    sleeper.close()
  })
  return { sleeper, teller: new WakeEvent(sleeper.parts) }
}

function isReadable({ fd }: WakeEvent): boolean {
  return libc.poll2(fd, -1, 0) === libc.POLL2.A_READABLE
}

t.test('what is told to one who is awake is seen once, without the descriptor', async t => {
  const { sleeper, teller } = eventFor(t)
  t.equal(sleeper.take(), false)
  teller.tell()
  teller.tell()
  t.equal(isReadable(sleeper), false)
  t.equal(sleeper.take(), true)
  t.equal(sleeper.take(), false)
})

t.test('nobody falls asleep over what was told before', async t => {
  const { sleeper, teller } = eventFor(t)
  teller.tell()
  t.equal(sleeper.beginSleep(), false)
  t.equal(sleeper.take(), true)
  t.equal(sleeper.beginSleep(), true)
})

t.test('a sleeper is woken by the descriptor, once for however much is told', async t => {
  const { sleeper, teller } = eventFor(t)
  t.equal(sleeper.beginSleep(), true)
  teller.tell()
  t.equal(isReadable(sleeper), true)
  teller.tell()
  sleeper.endSleep(true)
  t.equal(isReadable(sleeper), false)
  t.equal(sleeper.take(), true)
})

t.test('a sleeper that woke for another reason still sees what is told then', async t => {
  const { sleeper, teller } = eventFor(t)
  t.equal(sleeper.beginSleep(), true)
  sleeper.endSleep(false)
  teller.tell()
  t.equal(isReadable(sleeper), false)
  t.equal(sleeper.take(), true)
})
