/**
 * Each rule broken on purpose, one at a time: what looks for broken promises has to find it.
 *
 * Some show in whole clusters, others only where single messages are late or lost in a certain
 * way: those are looked for by walks through the worlds of one volume, which go further in less.
 */

import t from 'tap'
import type { Index } from '../../lib/ids.ts'
import type { RaftRules } from '../../lib/council/raft-turn.ts'
import { VOLUME_RULES, type VolumeRules } from '../../lib/volume/volume-rules.ts'
import { Cluster } from '../support/cluster.ts'
import { clusterOptions, type ClusterOptions } from '../support/cluster-options.ts'
import type { SearchBounds } from '../support/search-world.ts'
import { ruleOf } from '../support/stage.ts'
import { isFinding } from '../support/search.ts'
import { Walker } from '../support/walk.ts'

/** Seeds within which a bug has to be found. */
const SEEDS_MAX = 500

t.setTimeout(600_000)

/**
 * One has written what nobody else has, two has begun an epoch of which nobody else knows, and now
 * one has the volume again and is asked by three for what came before.
 */
const LEFT_BEHIND = [
  /^1 claims/,
  /^1 hears .*"lease"/,
  /^1 .*"sync"/,
  /^2 hears .*"append"/,
  /^3 hears .*"append"/,
  /^1 .*"append","value"/,
  /^1 .*"sync"/,
  /^2 claims/,
  /^2 hears .*"lease".*"epoch":2/,
  /^3 hears .*"seal"/,
  /^2 hears .*"sealed"/,
  /^2 .*"sync"/,
  /^1 claims/,
  /^1 hears .*"lease".*"epoch":3/,
  /^3 hears .*"seal","epoch":3/,
  /^1 hears .*"sealed","epoch":3/,
  /^3 hears .*"append","epoch":3/,
  /^1 hears .*"missing"/
]

const INDEX_ONLY: Partial<VolumeRules> = { isNewer: (a, b) => a.index > b.index }

/** A leader that goes on after a while, believes that it leads, and hears of nothing else. */
const STOPPED_AND_CUT_OFF: Partial<ClusterOptions> = {
  duration: 12_000,
  hasCuts: true,
  hasPauses: true,
  hasCrashes: false,
  hasResizes: false,
  hasMemberships: false,
  hasBodies: false,
  forgets: false,
  loss: 0,
  duplication: 0,
  delayMax: 2,
  syncMax: 2
}

const IN_CLUSTERS: Record<string, Partial<ClusterOptions>> = {
  'something of an epoch below the promised one is accepted': rules({ mayAccept: () => true }),
  'what is not synced is acked': rules({ durableThrough: (_durable, head) => head }),
  'one copy is enough': rules({
    committedThrough: ({ dataSet }, durableOf) => Math.max(...dataSet.map(durableOf))
  }),
  'a data set is changed before the new one has caught up': rules({
    catchUpThrough: () => 0 as Index
  }),
  'while a change is proposed the old data set is enough': rules({
    rulesDuring: current => [current]
  }),
  'a follower shows what is not acknowledged': rules({ exposedThrough: durable => durable }),
  'handles stay good when the lease is lost': rules({ poisonedBy: () => undefined }),
  'a batch is acked for volumes of which it was refused or lacked a predecessor': {
    countsRefused: true
  },
  'a leader confirms renewals without asking whether it still leads': {
    raftRules: { isConfirmed: () => true } satisfies RaftRules,
    ...STOPPED_AND_CUT_OFF
  }
}

for (const [bug, change] of Object.entries(IN_CLUSTERS)) {
  t.test(`noticed in clusters: ${bug}`, async t => {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      try {
        new Cluster(clusterOptions(seed, change)).run()
      } catch (error) {
        if (!isFinding(error)) throw error
        return t.pass(`seed ${seed}: ${error.message.slice(-200)}`)
      }
    }
    return t.fail(`not within ${SEEDS_MAX} seeds`)
  })
}

const IN_WALKS: Record<string, Partial<SearchBounds>> = {
  'histories are compared by index': { rules: { ...VOLUME_RULES, ...INDEX_ONLY } },
  'a restart goes on in its epoch': { isResuming: true }
}

for (const [bug, change] of Object.entries(IN_WALKS)) {
  t.test(`noticed in walks: ${bug}`, async t => {
    let walker = new Walker({ ...BOUNDS, ...change }, isFinding)
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      // What a walker keeps of earlier walks is not to fill the memory.
      if (seed % 100 === 0) walker = new Walker({ ...BOUNDS, ...change }, isFinding)
      const violation = walker.walk(seed, 200)
      if (violation !== undefined) return t.pass(`seed ${seed}: ${violation.why.slice(-200)}`)
    }
    return t.fail(`not within ${SEEDS_MAX} seeds`)
  })
}

t.test('noticed in walks from there: copies of older epochs are counted', async t => {
  const rules: VolumeRules = { ...VOLUME_RULES, countsFrom: () => 1 as Index }
  const change = { epochsMax: 4, valuesMax: 1, crashesMax: 0, resizes: [], isHandedOver: false }
  const walker = new Walker({ ...BOUNDS, ...change, rules }, isFinding)
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const violation = walker.walk(seed, 80, LEFT_BEHIND)
    if (violation !== undefined) return t.pass(`seed ${seed}: ${violation.why.slice(-200)}`)
  }
  return t.fail(`not within ${SEEDS_MAX} seeds`)
})

t.test('the walks find nothing where no rule is broken', async t => {
  const walker = new Walker(BOUNDS, isFinding)
  for (let seed = 1; seed <= 200; seed++) {
    for (const prelude of [[], LEFT_BEHIND]) {
      const violation = walker.walk(seed, 200, prelude)
      if (violation !== undefined) t.fail(`seed ${seed}: ${violation.why}`, violation)
    }
  }
})

function rules(change: Partial<VolumeRules>): Partial<ClusterOptions> {
  return { volumeRules: { ...VOLUME_RULES, ...change } }
}

const BOUNDS: SearchBounds = {
  rules: VOLUME_RULES,
  isResuming: false,
  replicas: 3,
  rule: ruleOf([1, 2, 3], 2),
  epochsMax: 14,
  valuesMax: 8,
  crashesMax: 4,
  resizes: [ruleOf([1, 2], 2), ruleOf([1], 1), ruleOf([1, 2, 3], 2)],
  isHandedOver: true
}
