import t from 'tap'
import type { BlobId, VolumeId } from '../../lib/ids.ts'
import { CHECKPOINT_CHUNK_SIZE } from '../../lib/keeper/checkpoint-export.ts'
import {
  checkpointPathOf,
  CheckpointReceiver,
  checkpointsOn,
  clearPartCheckpoints,
  removeCheckpoint
} from '../../lib/keeper/checkpoint-files.ts'
import { installCheckpoint } from '../../lib/keeper/checkpoint-install.ts'
import { containerPathOf, Containers } from '../../lib/store/containers.ts'
import { volumeKey } from '../../lib/store/keys.ts'
import { decodeVolume } from '../../lib/store/records.ts'
import { BlobStore } from '../../lib/blob/blob-store.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import { chunksOf } from '../support/checkpoint-copy.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'

const ANNA = 1 as VolumeId
const LARGE = Buffer.alloc(200_000, 'a body that is staged\n')
const SMALL = Buffer.from('a message')

async function withTree() {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna/cur')
  await shell.write('anna/cur/1', SMALL)
  await shell.write('anna/cur/2', LARGE)
  await shell.write('anna/kept.lock', 'kept')
  const sparse = await shell.open('anna/sparse.lock')
  await shell.writeAt(sparse, 900_000, 'far behind')
  await replica.catchUp()
  const view = await replica.keeper.openView(() => true)
  const stored = host.store.values.get(volumeKey(ANNA))
  if (stored === undefined) throw new Error('no volume')
  return { host, replica, shell, view, record: decodeVolume(stored) }
}

async function receive(disk: SimDisk, chunks: readonly Buffer[], volume = ANNA) {
  const receiver = new CheckpointReceiver(disk, volume)
  for (const chunk of chunks) receiver.write(chunk)
  return receiver.finish()
}

t.test('a checkpoint says what it is of, and which bodies it needs', async t => {
  const { view, record } = await withTree()
  const chunks = await chunksOf(view, ANNA)
  const disk = new SimDisk()
  const content = await receive(disk, chunks)
  t.equal(content.volume, ANNA)
  const { epoch, index } = record
  t.same(content.point, { epoch, index, hash: record.hash.toString('hex') })
  t.same(
    new Map(content.blobs),
    new Map([
      [sha256Hex(SMALL) as BlobId, SMALL.length],
      [sha256Hex(LARGE) as BlobId, LARGE.length]
    ])
  )
  t.same(checkpointsOn(disk), [{ volume: ANNA, index }])
  disk.crash(new SimRandom(1))
  t.same(disk.paths(), [checkpointPathOf(ANNA, index)], 'it is durable')
  removeCheckpoint(disk, ANNA, index)
  removeCheckpoint(disk, ANNA, index)
  t.same(checkpointsOn(disk), [])
})

t.test('chunks are of one size, and holes are not sent', async t => {
  const { replica, shell, view } = await withTree()
  const before = (await chunksOf(view, ANNA)).reduce((sum, chunk) => sum + chunk.length, 0)
  t.ok(before < 200_000, `${before} bytes, of a container of 900 000`)
  await shell.write('anna/full.lock', new SimRandom(1).bytes(600_000))
  await replica.catchUp()
  const chunks = await chunksOf(await replica.keeper.openView(() => true), ANNA)
  t.same(
    chunks.slice(0, -1).map(({ length }) => length),
    [CHECKPOINT_CHUNK_SIZE, CHECKPOINT_CHUNK_SIZE]
  )
})

t.test('a checkpoint that is damaged anywhere is refused, and nothing is left of it', async t => {
  const { view } = await withTree()
  const good = Buffer.concat(await chunksOf(view, ANNA))
  const disk = new SimDisk()
  const refuses = async (bytes: Buffer): Promise<void> => {
    await t.rejects(receive(disk, [bytes]), { code: 'CHECKPOINT_DAMAGED' })
  }
  const random = new SimRandom(1)
  for (let i = 0; i < 200; i++) {
    const changed = Buffer.from(good)
    const at = i < 100 ? i : random.int(good.length)
    changed.writeUInt8(changed.readUInt8(at) ^ (1 + random.int(255)), at)
    await refuses(changed)
  }
  for (let i = 0; i < 60; i++) await refuses(good.subarray(0, random.int(good.length)))
  await refuses(Buffer.concat([good, Buffer.from([0])]))
  await refuses(Buffer.alloc(0))
  await t.rejects(receive(disk, [good], 2 as VolumeId), { message: /a checkpoint is of volume 1/ })
  t.same(disk.paths(), [])
  await receive(disk, [good])
})

t.test('what was not received to its end goes at the next start', async t => {
  const { view } = await withTree()
  const disk = new SimDisk()
  clearPartCheckpoints(disk)
  const receiver = new CheckpointReceiver(disk, ANNA)
  receiver.write((await chunksOf(view, ANNA))[0] as Buffer)
  disk.kill()
  t.equal(disk.paths().length, 1)
  clearPartCheckpoints(disk)
  t.same(disk.paths(), [])
})

t.test('a full disk ends a checkpoint, not the next one', async t => {
  const { view } = await withTree()
  const chunks = await chunksOf(view, ANNA)
  const disk = new SimDisk()
  const receiver = new CheckpointReceiver(disk, ANNA)
  disk.fail('write', 'ENOSPC')
  t.throws(
    () => {
      receiver.write(chunks[0] as Buffer)
    },
    { code: 'ENOSPC' }
  )
  receiver.discard()
  receiver.discard()
  t.same(disk.paths(), [])
  await receive(disk, chunks)
})

t.test('what a replica does not have whole it does not hand on', async t => {
  const { host, replica, shell, view } = await withTree()
  await t.rejects(chunksOf(view, 9 as VolumeId), { code: 'NOT_FOUND' })
  const { ino } = (await shell.node('anna/kept.lock')).attr
  host.disk.remove(containerPathOf(ino))
  await t.rejects(chunksOf(view, ANNA), {
    message: `CONTAINER_DAMAGED: of 4 bytes of inode ${ino} 4 are lost with its container`
  })
  await view.close()
  await t.rejects(chunksOf(view, ANNA), { code: 'VIEW_LOST' })
  await replica.keeper.close()
})

t.test('only the checkpoint of that very point is installed', async t => {
  const { host, view, record } = await withTree()
  const chunks = await chunksOf(view, ANNA)
  const disk = new SimDisk()
  const [blobs, containers] = [new BlobStore(disk), new Containers(disk)]
  const store = await host.store.open()
  const files = { store, blobs, containers }
  const hash = record.hash.toString('hex')
  const { epoch, index } = record
  await t.rejects(installCheckpoint(disk, files, ANNA, { epoch, index, hash }), {
    code: 'CHECKPOINT_DAMAGED',
    message: /is not there/
  })
  await receive(disk, chunks)
  await t.rejects(installCheckpoint(disk, files, ANNA, { epoch, index, hash: '0'.repeat(64) }), {
    code: 'CHECKPOINT_DAMAGED',
    message: /is of another history/
  })
  disk.flipBit(checkpointPathOf(ANNA, index), 2000)
  const before = disk.paths()
  await t.rejects(installCheckpoint(disk, files, ANNA, { epoch, index, hash }), {
    code: 'CHECKPOINT_DAMAGED'
  })
  t.same(disk.paths(), before, 'no container was touched')
})

t.test('what is the same already is not written again', async t => {
  const { host, replica, view, record } = await withTree()
  await receive(host.disk, await chunksOf(view, ANNA))
  await view.close()
  const { blobs, containers, store } = replica.keeper
  const point = { epoch: record.epoch, index: record.index, hash: record.hash.toString('hex') }
  const changes = await installCheckpoint(host.disk, { store, blobs, containers }, ANNA, point)
  t.same([...changes.keys()], [volumeKey(ANNA)])
})
