import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { FeedProgress } from '../../lib/feed/feed-progress.ts'
import { firstFrameOf, SEGMENT_SIZE } from '../../lib/feed/segment.ts'
import { ApplyLoop } from '../../lib/host/apply-loop.ts'
import { DEFAULT_TUNING, type Tuning } from '../../lib/host/tuning.ts'
import type { VolumeId } from '../../lib/ids.ts'
import { itemOf, pointOf, ReplicatedLog } from '../support/replicated-log.ts'
import { ReplicatedVolume } from '../support/replicated-volume.ts'
import { SimRandom } from '../support/sim-random.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'

const MIB = 1024 * 1024
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }

function ignore(): void {
  // What a loop has to complain about is in `failure`.
}

/** A replica with so many MiB of durable log, none of it applied, and what is to apply it. */
async function replicaBehind(logMib: number, tuning: Partial<Tuning> = {}) {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  const handle = await shell.open('x.lock')
  for (let i = 0; i < logMib; i++) await shell.writeAt(handle, 0, Buffer.alloc(MIB, i))
  await replica.syncThrough()
  const progress = new FeedProgress()
  progress.report(replica.durable)
  const settings = { ...DEFAULT_TUNING, gatherMs: 0, ...tuning }
  const { keeper } = replica
  const loop = new ApplyLoop(host.disk, keeper, progress, settings, silent, ignore)
  return { host, keeper, loop, progress }
}

t.test('checkpoints are made on the way to the end of a long log', async t => {
  const { keeper, loop } = await replicaBehind(40, { checkpointBytes: SEGMENT_SIZE })
  await loop.catchUp()
  t.ok(keeper.checkpointed >= 2 * SEGMENT_SIZE)
  t.ok(keeper.applied - keeper.checkpointed < SEGMENT_SIZE)
})

t.test('a log is let go when nothing has changed for a while', async t => {
  const { keeper, loop } = await replicaBehind(20, { quietMs: 10 })
  loop.start()
  while (keeper.checkpointed < keeper.applied || keeper.applied < SEGMENT_SIZE) await pause(1)
  t.equal(keeper.logBytes, SEGMENT_SIZE)
  await loop.stop()
})

t.test('a short log that leaves nothing to delete is kept, however quiet it is', async t => {
  const { keeper, loop } = await replicaBehind(1, { quietMs: 1 })
  const before = keeper.checkpointed
  loop.start()
  while (keeper.applied === before) await pause(1)
  await pause(20)
  t.equal(keeper.checkpointed, before)
  await loop.stop()
})

t.test('whoever would get too far ahead of the store waits for it', async t => {
  const { keeper, loop } = await replicaBehind(20, { checkpointBytes: SEGMENT_SIZE })
  const seen: string[] = []
  const near = loop.untilNear(firstFrameOf(2)).then(() => seen.push('near'))
  await loop.untilNear(firstFrameOf(1))
  t.strictSame(seen, [])
  await loop.catchUp()
  seen.push('applied')
  await near
  t.strictSame(seen, ['applied', 'near'])
  t.ok(keeper.applied > SEGMENT_SIZE)
})

t.test('what somebody waits for is applied without waiting for more', async t => {
  const log = new ReplicatedLog()
  const keeper = await log.start()
  const volume = new ReplicatedVolume(1 as VolumeId, new Map(), new SimRandom(1))
  const [first, second] = [volume.append(), volume.append()]
  await log.append(itemOf(first), itemOf(second))
  await log.sync()
  const progress = new FeedProgress()
  const tuning = { ...DEFAULT_TUNING, gatherMs: 1e9 }
  const loop = new ApplyLoop(log.disk, keeper, progress, tuning, silent, ignore)
  loop.start()
  progress.report(log.writer.end)
  loop.noteNews()
  keeper.noteCommitted(volume.volume, pointOf(second))
  await pause(1)
  t.equal(keeper.appliedIndexOf(volume.volume), 0)
  await keeper.applyThrough(volume.volume, second.entry.index)
  t.equal(keeper.appliedIndexOf(volume.volume), 2)
  // It waits for a commit now, not for the log, and hears of it although nothing is durable anew.
  const third = volume.append()
  await log.append(itemOf(third))
  await log.sync()
  progress.report(log.writer.end)
  loop.noteNews()
  keeper.noteCommitted(volume.volume, pointOf(third))
  await keeper.applyThrough(volume.volume, third.entry.index)
  await loop.stop()
})

t.test('nobody waits for a store that cannot come nearer', async t => {
  const { host, loop, progress } = await replicaBehind(20, { checkpointBytes: SEGMENT_SIZE })
  host.disk.fail('write', 'ENOSPC', { skip: 0 })
  await loop.catchUp()
  t.match(loop.failure, 'ENOSPC')
  await loop.untilNear(firstFrameOf(9))
  await loop.catchUp()
  t.equal(loop.failure, undefined)
  progress.end('failed')
  await loop.untilNear(firstFrameOf(9))
})
