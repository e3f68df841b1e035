import t from 'tap'
import type { ReplicaId } from '../../lib/ids.ts'
import { beginRun } from '../../lib/peer/begin-run.ts'
import { PeerRecords } from '../../lib/peer/peer-records.ts'
import { PowerCut, SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'

const [TWO, THREE] = [2, 3] as [ReplicaId, ReplicaId]

/** Places to cut the power at: more than any of the writes here has. */
const CUTS = 12

t.test('each run has a higher number, wherever the power was cut before', async t => {
  for (let cut = 0; cut < CUTS; cut++) {
    const disk = new SimDisk()
    const random = new SimRandom(cut)
    let last = 0
    for (let round = 0; round < 5; round++) {
      disk.cutAtMutation = disk.mutations + cut
      const run = await beginRun(disk).catch((error: unknown) => {
        if (error instanceof PowerCut) return undefined
        throw error
      })
      if (run !== undefined) {
        t.ok(run.boot > last, `run ${run.boot} after ${last}`)
        last = run.boot
      }
      disk.crash(random)
    }
  }
})

t.test('two runs of the same number have different nonces', async t => {
  const [one, other] = [await beginRun(new SimDisk()), await beginRun(new SimDisk())]
  t.equal(one.boot, other.boot)
  t.not(one.nonce, other.nonce)
})

t.test('a run that was learned is known after a power cut', async t => {
  const disk = new SimDisk()
  const random = new SimRandom(1)
  for (let boot = 1; boot <= 20; boot++) {
    const records = PeerRecords.read(disk)
    await Promise.all([
      records.learnRun(TWO, { boot, nonce: `n${boot}` }),
      records.learnRun(THREE, { boot, nonce: 'same' })
    ])
    disk.crash(random)
    t.same(PeerRecords.read(disk).runOf(TWO), { boot, nonce: `n${boot}` })
    t.same(PeerRecords.read(disk).runOf(THREE), { boot, nonce: 'same' })
  }
})

t.test('what could not be written is written the next time', async t => {
  const disk = new SimDisk()
  const records = PeerRecords.read(disk)
  disk.fail('sync', 'EIO')
  await t.rejects(records.learnRun(TWO, { boot: 1, nonce: 'n' }), { code: 'EIO' })
  await records.learnRun(TWO, { boot: 1, nonce: 'n' })
  disk.crash(new SimRandom(1))
  t.same(PeerRecords.read(disk).runOf(TWO), { boot: 1, nonce: 'n' })
})

t.test('addresses are kept with what is written', async t => {
  const disk = new SimDisk()
  const records = PeerRecords.read(disk)
  records.learnAddress(TWO, '192.0.2.2:1')
  records.learnAddress(THREE, '192.0.2.3:1')
  await records.write()
  t.equal(PeerRecords.read(disk).addressOf(THREE), '192.0.2.3:1')
  t.equal(PeerRecords.read(disk).addressOf(TWO), '192.0.2.2:1')
})

t.test('damaged files are named', async t => {
  for (const [name, text] of [
    ['peers.json', '{"format":1}'],
    ['peers.json', '{"format":9,"peers":[]}'],
    ['boot', 'three\n'],
    ['boot', '']
  ] as const) {
    const disk = new SimDisk()
    const file = disk.open(name, 'create')
    file.write(Buffer.from(text), 0)
    file.close()
    const read = async (): Promise<unknown> =>
      name === 'boot' ? beginRun(disk) : PeerRecords.read(disk)
    await t.rejects(read(), { code: 'DATA_UNUSABLE', message: new RegExp(name) })
  }
})
