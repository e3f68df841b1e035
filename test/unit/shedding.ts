import t from 'tap'
import type { Ino } from '../../lib/ids.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'
import { SimReplica } from '../support/sim-replica.ts'
import { SimReplicaShell } from '../support/sim-replica-shell.ts'
import { SimStore } from '../support/sim-store.ts'

const LIMIT = 100_000
const FILES = 400

async function crowdedReplica(metadataBytesMax = LIMIT) {
  const disk = new SimDisk()
  const store = new SimStore(disk, new SimRandom(1))
  const replica = await SimReplica.start({ disk, store, metadataBytesMax, tracksOpens: false })
  const shell = new SimReplicaShell(replica)
  await shell.mkdir('ann/new')
  for (let n = 0; n < FILES; n++)
    await shell.write(`ann/new/m.${String(n)}`, `message ${String(n)}`)
  return { replica, shell }
}

/** The hand of the shedder goes round as long as it may. */
function shed(replica: SimReplica): void {
  while (replica.vfs.isSheddable) replica.vfs.shed()
}

function bytesOf(replica: SimReplica): number {
  return replica.vfs.figures()['metadataBytes'] ?? NaN
}

async function catchUpAll(replica: SimReplica): Promise<void> {
  replica.vfs.sealEverything()
  await replica.catchUp()
}

t.test('what the store does not have stays, whatever the limit', async t => {
  const { replica, shell } = await crowdedReplica()
  shed(replica)
  t.ok(bytesOf(replica) > LIMIT)
  t.equal(replica.loadCount, 0)
  t.equal((await shell.read('ann/new/m.7')).toString(), 'message 7')
})

t.test(
  'what the store has leaves beyond the limit, and is the same when it comes back',
  async t => {
    const { replica, shell } = await crowdedReplica()
    const before = new Map<number, { ino: Ino; mtime: bigint; size: number }>()
    for (let n = 0; n < FILES; n += 50) {
      const { ino, mtime, size } = (await shell.node(`ann/new/m.${String(n)}`)).attr
      before.set(n, { ino, mtime, size })
    }
    await catchUpAll(replica)
    shed(replica)
    t.ok(bytesOf(replica) <= LIMIT, `${String(bytesOf(replica))} bytes`)
    for (const [n, seen] of before) {
      const { ino, mtime, size } = (await shell.node(`ann/new/m.${String(n)}`)).attr
      t.same({ ino, mtime, size }, seen)
      t.equal((await shell.read(`ann/new/m.${String(n)}`)).toString(), `message ${String(n)}`)
    }
    t.equal((await shell.list('ann/new')).length, FILES)
  }
)

t.test('within the limit nothing leaves', async t => {
  const { replica } = await crowdedReplica(100_000_000)
  await catchUpAll(replica)
  const nodes = replica.vfs.figures()['nodes']
  shed(replica)
  t.equal(replica.vfs.figures()['nodes'], nodes)
})

t.test('a file that the kernel knows is kept when it loses its name, also when shed', async t => {
  const { replica, shell } = await crowdedReplica(5000)
  const node = await shell.node('ann/new/m.3')
  const { ino } = node.attr
  node.nlookup += 2
  await catchUpAll(replica)
  shed(replica)
  t.equal(replica.vfs.known(ino), undefined, 'it was shed')
  t.equal(replica.vfs.forget(ino, 1), false, 'one of two lookups comes back meanwhile')
  await shell.unlink('ann/new/m.3')
  await catchUpAll(replica)
  shed(replica)
  const text = await replica.run(() => replica.vfs.data.read(ino, 0, 100))
  t.equal(text.toString(), 'message 3')
  t.equal(replica.vfs.forget(ino, 1), true, 'with the last one it can go')
  await replica.run(() => {
    replica.vfs.data.dropForgotten(ino)
  })
  await catchUpAll(replica)
  t.equal(replica.vfs.known(ino), undefined)
})

t.test('what is written and not sealed stays', async t => {
  const { replica, shell } = await crowdedReplica()
  await catchUpAll(replica)
  const handle = await shell.open('ann/new/m.5')
  await shell.writeAt(handle, 0, 'changed')
  shed(replica)
  t.not(replica.vfs.known(handle.ino), undefined)
  t.equal((await shell.read('ann/new/m.5')).toString(), 'changed 5')
})

t.test('attributes for a listing come packed, and what the kernel knows is counted', async t => {
  const { replica, shell } = await crowdedReplica(5000)
  const directory = (await shell.node('ann/new')).attr.ino
  const { ino, mtime } = (await shell.node('ann/new/m.3')).attr
  await catchUpAll(replica)
  shed(replica)
  await replica.run(() => {
    replica.vfs.names.bringListed(directory, 0, 40)
  })
  t.equal(replica.vfs.known(ino), undefined, 'nothing uses it yet')
  t.equal(replica.vfs.attributesOf(ino)?.mtime, mtime)
  replica.vfs.noteLookup(ino)
  replica.vfs.noteLookup(ino)
  t.equal((await shell.node('ann/new/m.3')).nlookup, 2)
})
