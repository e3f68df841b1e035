import t from 'tap'
import { BlobStore } from '../../lib/blob/blob-store.ts'
import { BodyExchange } from '../../lib/blob/body-exchange.ts'
import type { HistoryPoint } from '../../lib/council/lease-record.ts'
import type { CheckpointProgress } from '../../lib/host/checkpoint-fetcher.ts'
import { encodeCheckpointMessage } from '../../lib/host/checkpoint-message.ts'
import { WINDOW_BYTES } from '../../lib/host/checkpoint-sender.ts'
import { CheckpointTransfer } from '../../lib/host/checkpoint-transfer.ts'
import type { BlobId, Index, ReplicaId, VolumeId } from '../../lib/ids.ts'
import { checkpointPathOf, checkpointsOn } from '../../lib/keeper/checkpoint-files.ts'
import type { TreeView } from '../../lib/keeper/tree-view.ts'
import { volumeKey } from '../../lib/store/keys.ts'
import { decodeVolume } from '../../lib/store/records.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import { ManualTimers } from '../support/manual-timers.ts'
import { PeerLinks, settle } from '../support/peer-links.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'

const [ME, OWNER] = [1, 2] as [ReplicaId, ReplicaId]
const ANNA = 1 as VolumeId
const LARGE = Buffer.alloc(200_000, 'a body that is staged\n')
const SMALL = Buffer.from('a message')
const INDEX = Buffer.alloc(500_000, new SimRandom(1).bytes(5000))
const CHUNK_KIND = 1

function endOf(
  links: { bodies: PeerLinks; checkpoints: PeerLinks },
  replica: ReplicaId,
  disk: SimDisk,
  blobs: BlobStore,
  openView: () => Promise<TreeView>
) {
  const timers = new ManualTimers()
  const { after } = timers
  const bodies = new BodyExchange({ blobs, send: links.bodies.sendAs(replica), after })
  const send = links.checkpoints.sendAs(replica)
  const transfer = new CheckpointTransfer({ disk, blobs, bodies, openView, send, after })
  links.bodies.connect(replica, bodies)
  links.checkpoints.connect(replica, transfer)
  return { timers, bodies, transfer, disk, blobs }
}

/** A replica with a volume, and another that has nothing. */
async function twoEnds() {
  const links = { bodies: new PeerLinks(), checkpoints: new PeerLinks() }
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna/cur')
  await shell.write('anna/cur/1', SMALL)
  await shell.write('anna/cur/2', LARGE)
  for (let i = 0; i < 4; i++) await shell.write(`anna/${i}.lock`, INDEX)
  await replica.catchUp()
  const { keeper } = replica
  const owner = endOf(links, OWNER, host.disk, keeper.blobs, () => keeper.openView(() => true))
  const disk = new SimDisk()
  const blobs = new BlobStore(disk)
  blobs.prepare()
  const nothing = (): Promise<TreeView> => Promise.reject(new Error('nothing is here'))
  const me = endOf(links, ME, disk, blobs, nothing)
  return { links, owner, me, replica, shell, point: pointOf(host) }
}

function pointOf({ store }: SimReplicaHost): HistoryPoint {
  const stored = store.values.get(volumeKey(ANNA))
  if (stored === undefined) throw new Error('no volume')
  const { epoch, index, hash } = decodeVolume(stored)
  return { epoch, index, hash: hash.toString('hex') }
}

function refusalOf(fetching: Promise<unknown>): Promise<string> {
  return fetching.then(
    () => 'it came',
    (error: unknown) => (error instanceof Error ? error.message : String(error))
  )
}

t.test('a checkpoint comes with its bodies, in a window', async t => {
  const { links, owner, me, replica, point } = await twoEnds()
  let [sent, taken, inFlightMax] = [0, 0, 0]
  links.checkpoints.tamper = ({ from, bytes }) => {
    if (from === OWNER && bytes[1] === CHUNK_KIND) sent += bytes.length
    else if (from === ME && bytes.length === 18) taken = Number(bytes.readBigUInt64LE(10))
    inFlightMax = Math.max(inFlightMax, sent - taken)
    return bytes
  }
  const progress: CheckpointProgress[] = []
  const fetched = await me.transfer.fetchCheckpoint(OWNER, ANNA, point, {
    onProgress: each => progress.push(each)
  })
  t.same(fetched.point, point)
  t.ok(sent > 2_000_000, `${sent} bytes were sent`)
  t.ok(inFlightMax < WINDOW_BYTES + 10_000, `of which ${inFlightMax} were on their way at once`)
  const path = checkpointPathOf(ANNA, point.index)
  t.same(progress.at(-1), { bytes: me.disk.bytes(path).length, blobs: 2, blobsAll: 2 })
  for (const body of [SMALL, LARGE]) t.ok(me.blobs.isStaged(sha256Hex(body) as BlobId))
  await settle()
  t.equal(owner.transfer.sendCount, 0)
  t.equal(replica.keeper.viewCount, 0, 'the view is closed')
  t.equal(owner.timers.count + me.timers.count, 0)
  fetched.release()
  t.notOk(me.blobs.isStaged(sha256Hex(SMALL) as BlobId))
  fetched.release()
})

t.test('it may go further than what was asked for', async t => {
  const { me, replica, shell, point } = await twoEnds()
  await shell.write('anna/cur/3', 'later')
  await replica.catchUp()
  const fetched = await me.transfer.fetchCheckpoint(OWNER, ANNA, point)
  t.ok(fetched.point.index > point.index)
})

t.test('who does not have it says why', async t => {
  const { me, point } = await twoEnds()
  const ahead = { ...point, index: (point.index + 5) as Index }
  t.equal(
    await refusalOf(me.transfer.fetchCheckpoint(OWNER, ANNA, ahead)),
    'CHECKPOINT_FAILED: no checkpoint of volume 1 has come: replica 2 sends none: ' +
      `NOT_FOUND: volume 1 is at ${point.index} here, before ${ahead.index}`
  )
  const other = { ...point, hash: '0'.repeat(64) }
  t.match(await refusalOf(me.transfer.fetchCheckpoint(OWNER, ANNA, other)), /does not go through/)
  const nobody = me.transfer.fetchCheckpoint(9 as ReplicaId, ANNA, point)
  t.match(await refusalOf(nobody), /replica 9 is not connected/)
  t.same(me.disk.paths(), [])
  t.ok(await me.transfer.fetchCheckpoint(OWNER, ANNA, point), 'and then it comes all the same')
})

t.test('a volume is fetched once at a time, and so many volumes', async t => {
  const { links, me, point } = await twoEnds()
  links.checkpoints.silent.add(OWNER)
  const volumes = [1, 2, 3] as VolumeId[]
  const all = volumes.map(each => refusalOf(me.transfer.fetchCheckpoint(OWNER, each, point)))
  await settle()
  t.match(
    await refusalOf(me.transfer.fetchCheckpoint(OWNER, ANNA, point)),
    /one is being fetched already/
  )
  t.equal(links.checkpoints.sent.length, 2)
  me.timers.fireAll()
  await settle()
  me.transfer.close()
  const refusals = await Promise.all(all)
  t.match(refusals[0], /replica 2 did not answer/)
  t.match(refusals[2], /this replica stops/)
  t.same(me.disk.paths(), [])
})

t.test('damage on the way is found, and leaves nothing', async t => {
  const { links, owner, me, point } = await twoEnds()
  let chunks = 0
  links.checkpoints.tamper = ({ from, bytes }) => {
    if (from !== OWNER || bytes[1] !== CHUNK_KIND || ++chunks !== 3) return bytes
    bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000)
    return bytes
  }
  t.match(await refusalOf(me.transfer.fetchCheckpoint(OWNER, ANNA, point)), /CHECKPOINT_DAMAGED/)
  await settle()
  t.same(me.disk.paths(), [])
  t.equal(owner.transfer.sendCount, 0)
})

t.test('a connection that ends, ends the transfer on both sides', async t => {
  const { links, owner, me, replica, point } = await twoEnds()
  let chunks = 0
  links.checkpoints.tamper = ({ from, bytes }) => {
    if (from === OWNER && bytes[1] === CHUNK_KIND && ++chunks === 2) {
      links.checkpoints.disconnect(OWNER)
      owner.transfer.peerDown(ME)
    }
    return bytes
  }
  const refusal = await refusalOf(me.transfer.fetchCheckpoint(OWNER, ANNA, point))
  t.match(refusal, /replica 2 is not connected/)
  await settle()
  t.equal(owner.transfer.sendCount, 0)
  t.equal(replica.keeper.viewCount, 0)
  t.same(me.disk.paths(), [])
})

t.test('a peer that takes nothing more is given up', async t => {
  const { links, owner, me, replica, point } = await twoEnds()
  const fetching = refusalOf(me.transfer.fetchCheckpoint(OWNER, ANNA, point))
  links.checkpoints.tamper = ({ from, bytes }) => {
    if (from === OWNER && bytes[1] === CHUNK_KIND) links.checkpoints.silent.add(ME)
    return bytes
  }
  await settle()
  t.equal(owner.transfer.sendCount, 1)
  t.equal(replica.keeper.viewCount, 1)
  owner.timers.fireAll()
  me.timers.fireAll()
  t.match(await fetching, /replica 2 did not answer/)
  await settle()
  t.equal(owner.transfer.sendCount, 0)
  t.equal(replica.keeper.viewCount, 0)
})

t.test('a body that nobody has ends it, and gives back what came', async t => {
  const { links, me, point } = await twoEnds()
  links.bodies.tamper = ({ from, bytes }) => {
    if (from === OWNER && bytes.length > LARGE.length) bytes.writeUInt8(1, 500)
    return bytes
  }
  const refusal = await refusalOf(me.transfer.fetchCheckpoint(OWNER, ANNA, point))
  t.match(refusal, /is not to be had: replica 2 sent other bytes$/)
  t.same(me.disk.paths(), [])
  t.same(checkpointsOn(me.disk), [])
})

t.test('a disk that is full ends it', async t => {
  const { me, point } = await twoEnds()
  me.disk.fail('write', 'ENOSPC', { skip: 1 })
  t.match(await refusalOf(me.transfer.fetchCheckpoint(OWNER, ANNA, point)), /ENOSPC/)
  t.same(me.disk.paths(), [])
})

t.test('so many are sent at a time, and the others are told', async t => {
  const { links, owner, point } = await twoEnds()
  const { index } = point
  links.checkpoints.silent.add(ME)
  for (let number = 1; number <= 9; number++) {
    const want = { kind: 'want', number, volume: ANNA, index } as const
    owner.transfer.hear(ME, encodeCheckpointMessage(want))
  }
  t.equal(owner.transfer.sendCount, 8)
  await settle()
  const last = links.checkpoints.sent[0]
  t.match(last?.bytes.toString('latin1'), /too many are sent already/)
  owner.transfer.close()
  await settle()
  t.equal(owner.transfer.sendCount, 0)
})

t.test('what makes no sense is refused, what belongs to no transfer is dropped', async t => {
  const { me } = await twoEnds()
  me.transfer.hear(OWNER, encodeCheckpointMessage({ kind: 'end', number: 1 }))
  const refuses = (bytes: number[], message: RegExp): void => {
    t.throws(
      () => {
        me.transfer.hear(OWNER, Buffer.from(bytes))
      },
      { code: 'PROTOCOL', message }
    )
  }
  const number = [1, 0, 0, 0, 0, 0, 0, 0]
  refuses([], /wanted/)
  refuses([2, 0, ...number], /version 2 about checkpoints/)
  refuses([1, 6, ...number], /unknown kind 6/)
  refuses([1, 2, ...number, 0], /bytes left after message "end"/)
  refuses([1, 0, ...number, 0, 0, 0, 1, ...number], /there is no volume/)
})
