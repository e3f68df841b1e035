import t from 'tap'
import { compareWithModel } from '../support/model-tree-check.ts'
import { ModelTree } from '../support/model-tree.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'
import { SimReplica } from '../support/sim-replica.ts'
import { SimStore } from '../support/sim-store.ts'
import { WorkloadHistory } from '../support/workload-history.ts'
import { USUAL, Workload } from '../support/workload.ts'

const SEEDS = 40
const STEPS = 250
/** How often everything in memory is forgotten, by an orderly end and a new start. */
const RESTART_CHANCE = 0.012
const TIGHT = 20_000

for (const [title, weights] of [
  ['mail server', USUAL],
  ['writer of large bodies', { large: 0.3, huge: 0.02 }]
] as const) {
  t.test(`what a ${title} does shows as a plain model says, over restarts too`, async t => {
    const seeds = weights === USUAL ? SEEDS : SEEDS / 4
    for (let seed = 1; seed <= seeds; seed++) {
      const random = new SimRandom(seed)
      const disk = new SimDisk()
      const store = new SimStore(disk, random.fork('store'))
      const model = new ModelTree()
      const history = new WorkloadHistory(model)
      const tracksOpens = seed % 2 === 0
      // Some dozen of inodes, so that most is shed and read again all the time.
      const metadataBytesMax = seed % 4 < 2 ? TIGHT : undefined
      const options = { disk, store, onAppend: history.note, tracksOpens }
      const start = () =>
        SimReplica.start({ ...options, ...(metadataBytesMax && { metadataBytesMax }) })
      let replica = await start()
      const workload = new Workload(model, history, replica, random.fork('work'), weights)
      const restart = async () => {
        await workload.closeAll()
        await replica.close()
        replica = await start()
        workload.resume(replica)
        history.settle()
      }
      try {
        await workload.begin()
        for (let step = 0; step < STEPS; step++) {
          await workload.step()
          if (random.chance(RESTART_CHANCE)) await restart()
        }
        await compareWithModel(replica, model.nodes, 'bytes')
        await restart()
        await compareWithModel(replica, model.nodes, 'bytes')
      } catch (error) {
        for (const op of workload.trace.slice(-20)) t.comment(op)
        t.fail(`seed=${seed}: ${String(error)}`)
        return
      }
      const staged = disk.paths().filter(path => path.startsWith('staged/'))
      if (staged.length > 0) t.fail(`seed=${seed}: ${staged.length} staged files are left`)
    }
    t.pass(`${seeds} workloads`)
  })
}
