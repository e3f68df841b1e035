/** When the serving thread asks for a sync, by a clock that only these tests move. */

import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import type { Ino, Position } from '../../lib/ids.ts'
import { SteppedServer } from '../support/stepped-server.ts'

const ROOT = 1 as Ino
const START_MS = 10_000
/** Of the 50 ms within which everything is synced, half are left to the disk. */
const ASKED_MS_MAX = 25
/** How long a body that is open may be written to before it becomes history. */
const UNSEALED_MS_MAX = 2000

/** Moves the clock until a sync through `position` is asked for. @returns how far it was moved */
async function untilAsked(server: SteppedServer, position: Position): Promise<number> {
  const startMs = server.ms
  while (server.progress.requested < position) {
    server.ms++
    await server.turn()
  }
  return server.ms - startMs
}

/** All that was done up to now is synced, as far as the server knows. */
async function settle(server: SteppedServer): Promise<void> {
  const end = await server.appended()
  await untilAsked(server, end)
  server.report(end)
}

let ofKernel: SteppedServer
let ofRoost: SteppedServer

t.before(async () => {
  // Two threads start, which on a busy machine takes its time.
  ;[ofKernel, ofRoost] = await Promise.all([
    SteppedServer.start(t, 'single'),
    SteppedServer.start(t, 'shared')
  ])
  for (const server of [ofKernel, ofRoost]) {
    server.ms = START_MS
    await settle(server)
  }
})

t.test('a change that nobody wants synced is asked for in time, and not at once', async t => {
  await ofKernel.mkdir(ROOT, 'early')
  const end = await ofKernel.appended()
  await ofKernel.turn()
  t.ok(ofKernel.progress.requested < end, 'others may come, and share the sync')
  const askedMs = await untilAsked(ofKernel, end)
  t.ok(askedMs > 1 && askedMs <= ASKED_MS_MAX, `after ${String(askedMs)} ms`)
})

t.test('changes that go on do not put it off', async t => {
  await settle(ofKernel)
  const madeMs = new Map<Position, number>()
  let waitedMsMax = 0
  for (let i = 0; i < 200; i++) {
    ofKernel.ms++
    await ofKernel.mkdir(ROOT, `user${String(i)}`)
    madeMs.set(await ofKernel.appended(), ofKernel.ms)
    await ofKernel.turn()
    for (const [position, sinceMs] of madeMs) {
      if (ofKernel.progress.requested < position) continue
      madeMs.delete(position)
      waitedMsMax = Math.max(waitedMsMax, ofKernel.ms - sinceMs)
    }
  }
  t.ok(waitedMsMax > 1 && waitedMsMax <= ASKED_MS_MAX, `${String(waitedMsMax)} ms at most`)
  t.ok(madeMs.size <= ASKED_MS_MAX, 'only what was made last is not asked for')
})

t.test('the server looks at the clock when nothing happens', async t => {
  await settle(ofKernel)
  await ofKernel.mkdir(ROOT, 'quiet')
  const end = await ofKernel.appended()
  ofKernel.ms += ASKED_MS_MAX
  while (ofKernel.progress.requested < end) await setImmediate()
  t.equal(ofKernel.progress.requested, end)
})

t.test('fsync asks at once, and is answered when the log is durable', async t => {
  await settle(ofKernel)
  const ino = await ofKernel.mkdir(ROOT, 'synced')
  await ofKernel.mkdir(ino, 'cur')
  const end = await ofKernel.appended()
  const unique = await ofKernel.beginFsyncdir(ino)
  await ofKernel.turn()
  t.equal(ofKernel.progress.requested, end, 'the clock stands still')
  t.equal(ofKernel.replyTo(unique), undefined)
  ofKernel.report((end - 1) as Position)
  await ofKernel.turn()
  t.equal(ofKernel.replyTo(unique), undefined, 'a part is not enough')
  ofKernel.report(end)
  t.match(await ofKernel.untilReply(unique), { errno: 0 })
})

t.test('a body that nobody syncs or closes is asked for in time', async t => {
  for (const server of [ofKernel, ofRoost]) {
    const user = await server.mkdir(ROOT, 'anna')
    const file = await server.create(await server.mkdir(user, 'cur'), 'u.1')
    await settle(server)
    const before = await server.appended()
    await server.write(file, 'a message')
    t.equal(await server.appended(), before, 'it is not history yet')
    const askedMs = await untilAsked(server, (before + 1) as Position)
    t.ok(askedMs <= UNSEALED_MS_MAX + ASKED_MS_MAX, `after ${String(askedMs)} ms`)
    t.equal(server.progress.requested, await server.appended(), 'all of it')
  }
})
