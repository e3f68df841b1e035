/**
 * Whole replicas under faults that a seed decides; see `test/support/cluster.ts`.
 *
 * `ROOST_SIM_SEEDS` says how many seeds, half of them the same each time. `ROOST_SIM_SEED` replays
 * one.
 */

import t from 'tap'
import { Cluster, type ClusterFigures } from '../support/cluster.ts'
import { clusterOptions } from '../support/cluster-options.ts'

const SEEDS = Number(process.env['ROOST_SIM_SEEDS'] ?? 2000)
const REPLAYED = process.env['ROOST_SIM_SEED']
/** Higher than any of those that are the same each time. */
const FRESH_FROM = 1_000_000 + (Math.floor(Date.now()) % 1_000_000_000)

const KEYS = ['events', 'time', 'acknowledged', 'epochs'] as const

t.setTimeout(Math.max(300_000, SEEDS * 200))

t.test('replicas keep what they promise, and come right when faults cease', async t => {
  const fixed = Array.from({ length: Math.ceil(SEEDS / 2) }, (_, i) => i + 1)
  const fresh = Array.from({ length: Math.floor(SEEDS / 2) }, (_, i) => FRESH_FROM + i)
  const seeds = REPLAYED === undefined ? [...fixed, ...fresh] : [Number(REPLAYED)]
  const sum = { events: 0, time: 0, acknowledged: 0, epochs: 0 }
  const failures: string[] = []
  for (const seed of seeds) {
    const outcome = outcomeOf(seed)
    if (typeof outcome === 'string') failures.push(outcome)
    else for (const key of KEYS) sum[key] += outcome[key]
  }
  t.comment(
    `${seeds.length} seeds: ${sum.events} events in ${Math.round(sum.time / 1000)} simulated s, ` +
      `${sum.acknowledged} entries acknowledged, ${sum.epochs} epochs`
  )
  t.same(failures, [])
})

t.test('the same seed is the same run', async t => {
  for (const seed of [3, 4, 5]) {
    t.same(new Cluster(clusterOptions(seed)).run(), new Cluster(clusterOptions(seed)).run())
  }
})

t.test('without faults everything is acknowledged, and nobody loses a lease', async t => {
  for (let seed = 1; seed <= 20; seed++) {
    const calm = { loss: 0, duplication: 0, delayMax: 2, syncMax: 2, drift: 0 }
    const none = { hasCuts: false, hasCrashes: false, hasPauses: false, hasMemberships: false }
    const figures = new Cluster(clusterOptions(seed, { ...calm, ...none })).run()
    t.ok(figures.acknowledged > 0, `seed ${seed}`)
  }
})

function outcomeOf(seed: number): ClusterFigures | string {
  try {
    return new Cluster(clusterOptions(seed)).run()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return `${why}\nreplay: ROOST_SIM_SEED=${seed} npm run test:simulation`
  }
}
