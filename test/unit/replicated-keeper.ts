import t from 'tap'
import { NO_HASH, type LoggedEntry } from '../../lib/feed/entry.ts'
import type { OwnEntry } from '../../lib/feed/frame.ts'
import { firstFrameOf, SEGMENT_SIZE, segmentOf } from '../../lib/feed/segment.ts'
import { checkAtRest } from '../../lib/fsck/fsck.ts'
import type { Epoch, Index, Ino, VolumeId } from '../../lib/ids.ts'
import { headsIn } from '../../lib/keeper/heads.ts'
import type { InstallCheckpoint } from '../../lib/keeper/task-batch.ts'
import { volumeKey } from '../../lib/store/keys.ts'
import { encodeVolume } from '../../lib/store/records.ts'
import { emptyVolume } from '../../lib/tree/volume-record.ts'
import { itemOf, pointOf, ReplicatedLog } from '../support/replicated-log.ts'
import { ReplicatedVolume, stagedIn } from '../support/replicated-volume.ts'
import { SimRandom } from '../support/sim-random.ts'

const VOLUME = 1 as VolumeId
const OTHER = 2 as VolumeId

function volumeOf(volume = VOLUME): ReplicatedVolume {
  return new ReplicatedVolume(volume, new Map(), new SimRandom(3))
}

function entriesOf(volume: ReplicatedVolume, count: number): LoggedEntry[] {
  const found: LoggedEntry[] = []
  // None with a body that somebody would have to stage.
  while (found.length < count) {
    const logged = volume.append()
    if (stagedIn(logged).length > 0) volume.cut(logged.entry.index - 1)
    else found.push(logged)
  }
  return found
}

/** A first entry of the other volume, to be cut away again. */
function largeEntry(): OwnEntry {
  const change = { kind: 'write', ino: 9 as Ino, offset: 0, bytes: Buffer.alloc(1e6, 1) } as const
  const place = { volume: OTHER, epoch: 1 as Epoch, index: index(1), previous: NO_HASH, time: 1n }
  return { entry: { ...place, change }, bodies: [] }
}

const at = (entries: readonly LoggedEntry[], i: number): LoggedEntry => entries[i] as LoggedEntry
const index = (value: number): Index => value as Index

t.test('what is durable is applied when it is committed, and not before', async t => {
  const log = new ReplicatedLog()
  const keeper = await log.start()
  const entries = entriesOf(volumeOf(), 6)
  await log.append(...entries.map(itemOf))
  await log.follow()
  t.equal(keeper.appliedIndexOf(VOLUME), 0)
  t.equal(keeper.applied, firstFrameOf(0))
  t.equal(keeper.read, log.writer.end)
  keeper.noteCommitted(VOLUME, pointOf(at(entries, 3)))
  t.ok(keeper.hasWork(log.writer.end))
  await log.follow()
  t.equal(keeper.appliedIndexOf(VOLUME), 4)
  await log.append({ kind: 'commit', volume: VOLUME, through: index(6) })
  await log.follow()
  t.equal(keeper.appliedIndexOf(VOLUME), 6)
  t.equal(keeper.applied, log.writer.end)
})

t.test('what a cut behind it takes away is not applied for a commit of what follows', async t => {
  const log = new ReplicatedLog()
  const keeper = await log.start()
  const volume = volumeOf()
  const entries = entriesOf(volume, 4)
  await log.append(...entries.map(itemOf))
  volume.epoch = 2 as Epoch
  volume.cut(2)
  const later = entriesOf(volume, 2)
  // The keeper hears that entry 4 is committed, and finds another entry 4 first.
  keeper.noteCommitted(VOLUME, pointOf(at(later, 1)))
  await log.follow()
  t.equal(keeper.appliedIndexOf(VOLUME), 0)
  await log.append({ kind: 'cut', volume: VOLUME, to: index(2) }, ...later.map(itemOf))
  await log.follow()
  t.equal(keeper.appliedIndexOf(VOLUME), 4)
  const [head] = await keeper.heads()
  t.same(head, { volume: VOLUME, head: pointOf(at(later, 1)) })
})

t.test('what is pending is found again, and its feed stays until it was carried over', async t => {
  const log = new ReplicatedLog()
  await log.start()
  const entries = entriesOf(volumeOf(), 5)
  await log.append(...entries.map(itemOf), { kind: 'commit', volume: VOLUME, through: index(2) })
  await log.append({ kind: 'promise', volume: VOLUME, epoch: 9 as Epoch })
  for (let starts = 0; starts < 3; starts++) {
    log.kill()
    const { record, promised, pending } = (await log.start()).volumeStateOf(VOLUME)
    t.same(record, pointOf(at(entries, 1)))
    t.equal(promised, 9)
    t.same(pending, entries.slice(2))
  }
  const { keeper } = log
  t.same(keeper.recovered.pending, [{ volume: VOLUME, entries: entries.slice(2) }])
  const feedsLeft = (): string[] => log.disk.list('feeds').sort()
  t.same(feedsLeft(), ['0000000001', '0000000002', '0000000003', '0000000004'])
  await log.append(itemOf(at(entries, 2)), itemOf(at(entries, 3)))
  await log.follow()
  await keeper.writeCheckpoint()
  t.equal(feedsLeft().length, 4, 'a part is not enough')
  await log.append(itemOf(at(entries, 4)))
  await log.follow()
  t.equal(keeper.clearableBytes, Infinity)
  await keeper.writeCheckpoint()
  t.same(feedsLeft(), ['0000000004'])
  t.equal(keeper.applied, firstFrameOf(0), 'and it still is not applied')
  log.cutPower()
  t.same((await log.start()).volumeStateOf(VOLUME).pending, entries.slice(2))
})

t.test('whoever waits for an entry is told when it is applied', async t => {
  const log = new ReplicatedLog()
  const keeper = await log.start()
  const entries = entriesOf(volumeOf(), 3)
  await log.append(...entries.map(itemOf))
  await t.rejects(keeper.applyThrough(VOLUME, index(3)), { name: 'InvariantError' })
  keeper.noteCommitted(VOLUME, pointOf(at(entries, 2)))
  const told: string[] = []
  keeper.onWork = () => told.push('work')
  const applied = keeper.applyThrough(VOLUME, index(3)).then(() => told.push('applied'))
  t.ok(keeper.isWanted)
  await log.follow()
  await applied
  t.same(told, ['work', 'applied'])
  t.notOk(keeper.isWanted)
  await keeper.applyThrough(VOLUME, index(2))
  keeper.noteCommitted(OTHER, pointOf(at(entries, 0)))
  const never = keeper.applyThrough(OTHER, index(1))
  const refused = t.rejects(never, { code: 'STORE_FAILED' })
  await keeper.close()
  await refused
})

t.test('a refused write is tried again with the same changes', async t => {
  const log = new ReplicatedLog()
  const keeper = await log.start()
  const entries = entriesOf(volumeOf(), 8)
  await log.append(...entries.map(itemOf), { kind: 'commit', volume: VOLUME, through: index(8) })
  log.store.failWrites(1)
  await t.rejects(log.follow(), { code: 'STORE_FAILED' })
  t.equal(keeper.applied, firstFrameOf(0))
  await log.follow()
  t.equal(keeper.appliedIndexOf(VOLUME), 8)
  t.equal(keeper.applied, log.writer.end)
})

t.test('old pending entries are asked for again when the log goes on without them', async t => {
  const asked: (readonly VolumeId[])[] = []
  const log = new ReplicatedLog()
  const keeper = await log.start({ onCarryNeeded: volumes => asked.push(volumes) })
  const waiting = entriesOf(volumeOf(), 3)
  await log.append(...waiting.map(itemOf))
  const filler = { kind: 'promise', volume: OTHER, epoch: 1 as Epoch } as const
  const fill = [largeEntry(), { kind: 'cut', volume: OTHER, to: index(0) } as const]
  const fillSegment = async (): Promise<void> => {
    const segment = segmentOf(log.writer.end)
    while (segmentOf(log.writer.end) === segment) await log.append(...fill)
  }
  await fillSegment()
  await log.follow()
  t.same(asked, [])
  await fillSegment()
  await log.append(filler)
  await log.follow()
  t.same(asked, [[VOLUME]])
  await log.append(filler)
  await log.follow()
  t.equal(asked.length, 1, 'once in a segment')
  await keeper.writeCheckpoint()
  t.equal(keeper.logBytes, 3 * SEGMENT_SIZE)
  await log.append(...waiting.map(itemOf))
  await log.follow()
  await keeper.writeCheckpoint()
  t.equal(keeper.logBytes, SEGMENT_SIZE)
})

t.test(
  'a checkpoint stands for all that was there, also when its install is cut short',
  async t => {
    const log = new ReplicatedLog()
    let installs = 0
    const installCheckpoint: InstallCheckpoint = async (volume, point) => {
      await Promise.resolve()
      if (++installs === 1) log.store.failWrites(1)
      const record = { ...emptyVolume(volume), ...point }
      return new Map([[volumeKey(volume), encodeVolume(record)]])
    }
    const keeper = await log.start({ installCheckpoint })
    const entries = entriesOf(volumeOf(), 3)
    const point = { epoch: 5 as Epoch, index: index(100), hash: Buffer.alloc(32, 5) }
    await log.append(...entries.map(itemOf), { kind: 'install', volume: VOLUME, ...point })
    await t.rejects(log.follow(), { code: 'STORE_FAILED' })
    await log.follow()
    t.equal(installs, 2)
    t.equal(keeper.appliedIndexOf(VOLUME), 100)
    t.equal(keeper.applied, log.writer.end)
    log.cutPower()
    const after = await log.start({ installCheckpoint })
    t.equal(installs, 2, 'what is installed is left alone')
    const head = { epoch: 5, index: 100, hash: '05'.repeat(32) }
    t.same(after.volumeStateOf(VOLUME), { record: head, promised: 5, pending: [] })
    await log.append({ kind: 'install', volume: OTHER, ...point })
    log.kill()
    await t.rejects(log.start(), { code: 'DATA_UNUSABLE' })
    log.kill()
    t.equal((await log.start({ installCheckpoint })).appliedIndexOf(OTHER), 100)
  }
)

t.test('an entry that does not follow is refused, and named after a crash', async t => {
  const log = new ReplicatedLog()
  const keeper = await log.start()
  const entries = entriesOf(volumeOf(), 5)
  await log.append(itemOf(at(entries, 0)), itemOf(at(entries, 2)), itemOf(at(entries, 3)))
  const text = 'entry 3 of volume 1 does not follow entry 1'
  await t.rejects(log.follow(), { code: 'FEED_DAMAGED', message: new RegExp(text) })
  await t.rejects(log.follow(), { code: 'FEED_DAMAGED' }, 'and it stays so')
  t.ok(keeper.hasWork(log.writer.end), 'so that whoever applies goes on to say it')
  t.equal(keeper.appliedIndexOf(VOLUME), 0)
  log.kill()
  const after = await log.start()
  t.same(after.recovered.strays, [text])
  t.same(after.volumeStateOf(VOLUME).pending, [at(entries, 0)])
})

t.test('a commit of what is not in the log ends the start', async t => {
  const log = new ReplicatedLog()
  await log.start()
  await log.append(...entriesOf(volumeOf(), 2).map(itemOf))
  await log.append({ kind: 'commit', volume: VOLUME, through: index(3) })
  log.kill()
  await t.rejects(log.start(), { code: 'FEED_DAMAGED', message: /entry 3 of volume 1/ })
})

t.test('a store with something pending is served only as a member', async t => {
  const log = new ReplicatedLog()
  await log.start()
  await log.append(...entriesOf(volumeOf(), 2).map(itemOf))
  log.kill()
  await t.rejects(log.start({ isReplicated: false }), { code: 'DATA_UNUSABLE' })
  log.kill()
  const keeper = await log.start()
  await log.append({ kind: 'cut', volume: VOLUME, to: index(0) })
  await log.follow()
  await keeper.writeCheckpoint()
  log.kill()
  await log.start({ isReplicated: false })
})

t.test('a check says what is pending, and takes it for no damage', async t => {
  const log = new ReplicatedLog()
  await log.start()
  await log.append(...entriesOf(volumeOf(), 2).map(itemOf))
  await log.follow()
  log.kill()
  const options = { onProgress: () => undefined, pace: () => Promise.resolve() }
  const report = await checkAtRest(log.disk, () => log.store.open(), options)
  t.same(report.problems, [])
  t.same(report.notes, ['2 changes of volume 1 may not be acknowledged by other replicas'])
  t.equal(report.figures.entries, 2)
})

t.test('the heads of all volumes can be read where nobody serves', async t => {
  const log = new ReplicatedLog()
  const keeper = await log.start()
  const heads = []
  for (const volume of [VOLUME, OTHER]) {
    const entries = entriesOf(volumeOf(volume), 3)
    await log.append(...entries.map(itemOf), { kind: 'commit', volume, through: index(3) })
    heads.push({ volume, head: pointOf(at(entries, 2)) })
  }
  await log.follow()
  await keeper.close()
  const store = await log.store.open()
  t.same(await headsIn(store), heads)
  await store.close()
})
