import t from 'tap'
import { SEGMENT_SIZE, segmentPathOf } from '../../lib/feed/segment.ts'
import type { Ino, SessionId } from '../../lib/ids.ts'
import { SimRandom } from '../support/sim-random.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'

const segmentsOn = (host: SimReplicaHost): string[] =>
  host.disk.paths().filter(path => path.endsWith('.seg'))

t.test('every start begins a session and a feed of its own', async t => {
  const host = new SimReplicaHost()
  t.equal((await host.start()).replica.keeper.session, 1)
  host.kill()
  t.equal((await host.start()).replica.keeper.session, 2)
  t.same(segmentsOn(host), ['feeds/0000000002/00000000.seg'])
})

t.test('a batch says how far it came, and that it was all', async t => {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna')
  t.ok(replica.keeper.applied < replica.end)
  t.ok(await replica.applyBatch(), 'nothing is durable yet')
  await replica.syncThrough()
  t.ok(await replica.applyBatch())
  t.equal(replica.keeper.applied, replica.end)
  t.ok(replica.keeper.checkpointed < replica.keeper.applied)
})

t.test('a long log is applied in several batches', async t => {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  const handle = await shell.open('x.lock')
  for (let i = 0; i < 10; i++) await shell.writeAt(handle, 0, Buffer.alloc(1024 * 1024, i))
  await replica.syncThrough()
  let batches = 1
  while (!(await replica.applyBatch())) batches++
  t.ok(batches > 1)
  t.equal(replica.keeper.applied, replica.end)
})

t.test('a checkpoint lets the segments before it go', async t => {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  const handle = await shell.open('x.lock')
  for (let i = 0; i < 34; i++) await shell.writeAt(handle, 0, Buffer.alloc(1024 * 1024, i))
  await replica.catchUp()
  t.equal(replica.keeper.logBytes, 3 * SEGMENT_SIZE)
  await replica.keeper.writeCheckpoint()
  t.equal(replica.keeper.logBytes, SEGMENT_SIZE)
  host.cutPower()
  const after = await host.start()
  t.ok((await after.shell.read('x.lock')).equals(Buffer.alloc(1024 * 1024, 33)))
})

t.test('a segment is prepared once, however many ask for it', async t => {
  const host = new SimReplicaHost()
  const { replica } = await host.start()
  const path = segmentPathOf(1 as SessionId, 1)
  const before = host.disk.mutations
  await replica.keeper.prepareSegment(1)
  const once = host.disk.mutations - before
  host.disk.remove(path)
  const again = host.disk.mutations
  await Promise.all([1, 1, 1].map(segment => replica.keeper.prepareSegment(segment)))
  t.equal(host.disk.mutations - again, once)
  t.equal(host.disk.bytes(path).length, SEGMENT_SIZE)
  await replica.keeper.prepareSegment(1)
})

t.test('a segment that cannot be prepared leaves nothing, and is tried again', async t => {
  const host = new SimReplicaHost()
  const { replica } = await host.start()
  host.disk.fail('write', 'ENOSPC', { skip: 3 })
  await t.rejects(replica.keeper.prepareSegment(1), { code: 'ENOSPC' })
  t.equal(segmentsOn(host).length, 1)
  t.notOk(host.disk.paths().some(path => path.endsWith('.new')))
  await replica.keeper.prepareSegment(1)
  t.equal(segmentsOn(host).length, 2)
})

t.test('an inode that was deleted while open is collected after a crash', async t => {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  const handle = await shell.open('x.lock')
  await shell.writeAt(handle, 0, 'still read by somebody')
  await shell.unlink('x.lock')
  await replica.catchUp()
  const bytes = await replica.run(() => replica.vfs.data.read(handle.ino, 0, 100))
  t.equal(String(bytes), 'still read by somebody')
  host.cutPower()
  const keeperOrphans: Ino[] = []
  const second = await host.start()
  keeperOrphans.push(...(await second.replica.keeper.orphans()))
  t.same(keeperOrphans, [handle.ino])
  await second.replica.catchUp()
  t.same(await second.replica.keeper.orphans(), [])
  await second.replica.close()
  host.kill()
  await host.start()
  t.notOk(host.disk.paths().some(path => path.startsWith('containers/')))
})

t.test('a kill loses nothing that was answered, synced or not', async t => {
  const host = new SimReplicaHost()
  const { shell } = await host.start()
  await shell.mkdir('anna/cur')
  for (let i = 0; i < 20; i++) await shell.write(`anna/cur/${i}`, `message ${i}`)
  host.kill()
  const after = await host.start()
  t.equal((await after.shell.list('anna/cur')).length, 20)
  t.equal(String(await after.shell.read('anna/cur/19')), 'message 19')
})

t.test('a kill, and a power cut at any moment of the recovery, lose nothing synced', async t => {
  for (let at = 1; at <= 40; at++) {
    const host = new SimReplicaHost()
    const { shell } = await host.start()
    await shell.mkdir('anna/cur')
    await shell.write('anna/cur/synced', 'synced')
    await shell.fsync('anna/cur/synced')
    for (let i = 0; i < 5; i++) await shell.write(`anna/cur/${i}`, `message ${i}`)
    host.kill()
    host.disk.cutAtMutation = host.disk.mutations + at
    const isOver = await host.start().then(
      () => true,
      () => false
    )
    host.disk.crash(new SimRandom(at))
    host.store.kill()
    const after = await host.start()
    const names = await after.shell.list('anna/cur')
    const whole = ['synced', '0', '1', '2', '3', '4']
    t.same(names, whole.slice(0, names.length))
    t.equal(String(await after.shell.read('anna/cur/synced')), 'synced')
    if (isOver) t.equal(names.length, 6, 'a recovery that ended is durable')
  }
})
