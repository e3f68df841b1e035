/**
 * Checkpoints of volumes that go to another replica, which has nothing of them, something older or
 * another history; with power cuts at random moments, after each of which it is all done again.
 */

import t from 'tap'
import { checkAtRest } from '../../lib/fsck/fsck.ts'
import type { VolumeId } from '../../lib/ids.ts'
import { isKeyOfVolume } from '../../lib/store/volume-keys.ts'
import { changeTree, checkpointsOf, installOn } from '../support/checkpoint-copy.ts'
import { exportedMap } from '../support/exported-map.ts'
import { PowerCut } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'

const SEEDS = 24
const CUTS_PER_SEED = 3
const STEPS = 60
const VOLUMES = [0, 1, 2] as VolumeId[]
const OPTIONS = { onProgress: () => undefined, pace: () => Promise.resolve() }

async function live(host: SimReplicaHost, random: SimRandom, steps: number): Promise<void> {
  const { replica, shell } = await host.start()
  await shell.mkdir('anna/cur')
  await shell.mkdir('bert/cur')
  for (let i = 0; i < steps; i++) {
    await changeTree(shell, random)
    if (random.chance(0.2)) await replica.catchUp()
    if (random.chance(0.05)) await replica.keeper.writeCheckpoint()
  }
  await replica.close()
  host.kill()
}

/** A replica with the same past as `host`, as far as that has a copy now. */
async function copyOf(host: SimReplicaHost): Promise<SimReplicaHost> {
  const copy = new SimReplicaHost()
  await live(copy, new SimRandom(1), 0)
  await copyTo(host, copy)
  return copy
}

async function copyTo(host: SimReplicaHost, to: SimReplicaHost): Promise<void> {
  const { replica } = await host.start()
  await replica.catchUp()
  await installOn(to, await checkpointsOf(replica, VOLUMES))
  host.kill()
}

function treeOf({ store }: SimReplicaHost): [string, string][] {
  return [...store.values]
    .filter(([key]) => VOLUMES.some(volume => isKeyOfVolume(key, volume)))
    .map(([key, value]): [string, string] => [key, value.toString('hex')])
    .sort()
}

t.test('a checkpoint makes the same volume, over whatever was there', async t => {
  let cuts = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new SimRandom(seed)
    const from = new SimReplicaHost()
    await live(from, random.fork('past'), STEPS)
    const to = seed % 4 === 0 ? new SimReplicaHost() : await copyOf(from)
    if (seed % 4 === 0) await live(to, random.fork('none'), 0)
    // Another history here, or a longer one there, or both.
    if (seed % 4 > 1) await live(to, random.fork('diverged'), STEPS / 2)
    await live(from, random.fork('later'), STEPS / 2)
    const { replica } = await from.start()
    await replica.catchUp()
    const sent = await checkpointsOf(replica, VOLUMES)
    const expected = await exportedMap(await replica.keeper.openView(() => true))
    const tree = treeOf(from)
    for (let cut = 0; cut < CUTS_PER_SEED; cut++) {
      to.disk.cutAtMutation = to.disk.mutations + 1 + random.int(random.pick([20, 100, 400]))
      await installOn(to, sent).catch((error: unknown) => {
        if (!(error instanceof PowerCut)) throw error
        cuts++
      })
      to.cutPower(random.int(1e6))
    }
    await installOn(to, sent)
    t.same(treeOf(to), tree, `seed ${seed}`)
    const after = await to.start()
    await after.replica.keeper.writeCheckpoint()
    t.same(await exportedMap(await after.replica.keeper.openView(() => true)), expected)
    to.kill()
    const report = await checkAtRest(to.disk, () => to.store.open(), OPTIONS)
    t.same(report.problems, [], `seed ${seed}`)
    from.kill()
  }
  t.comment(`${cuts} power cuts`)
  t.ok(cuts > SEEDS, 'the power was cut while it was done')
})
