/**
 * Every order of events, up to a bound, over the real volume: any message late, repeated or lost,
 * sessions that end at any time, crashes that forget.
 *
 * `ROOST_SEARCH_WORLDS` says up to how many worlds each search goes.
 */

import t from 'tap'
import { VOLUME_RULES, type VolumeRules } from '../../lib/volume/volume-rules.ts'
import { search } from '../support/search.ts'
import type { SearchBounds } from '../support/search-world.ts'
import { ruleOf } from '../support/stage.ts'

const WORLDS_MAX = Number(process.env['ROOST_SEARCH_WORLDS'] ?? 40_000)

t.setTimeout(Math.max(600_000, WORLDS_MAX))

const ONE = ruleOf([1], 1)
const PAIR = ruleOf([1, 2], 2)
const THREE = ruleOf([1, 2, 3], 2)
const FEW = { rules: VOLUME_RULES, isResuming: false, epochsMax: 2, valuesMax: 1, crashesMax: 1 }

const SEARCHES: Record<string, SearchBounds> = {
  'three stores, two copies': {
    ...FEW,
    replicas: 3,
    rule: THREE,
    resizes: [],
    isHandedOver: false
  },
  'three stores, handed over and given back': {
    ...FEW,
    replicas: 3,
    rule: THREE,
    crashesMax: 0,
    resizes: [],
    isHandedOver: true
  },
  'three stores, then two, then three': {
    ...FEW,
    replicas: 3,
    rule: THREE,
    epochsMax: 3,
    crashesMax: 0,
    resizes: [PAIR, THREE],
    isHandedOver: false
  },
  'two stores, then one, then two': {
    ...FEW,
    replicas: 2,
    rule: PAIR,
    epochsMax: 3,
    resizes: [ONE, PAIR],
    isHandedOver: false
  }
}

for (const [name, bounds] of Object.entries(SEARCHES)) {
  t.test(`nothing acknowledged is lost: ${name}`, async t => {
    const result = search(bounds, WORLDS_MAX)
    const { worlds, steps, depth, isExhausted, violation } = result
    const extent = isExhausted ? 'all there are' : `no further than ${depth} steps`
    t.comment(`${worlds} worlds, ${steps} steps, ${extent}`)
    t.equal(violation, undefined)
  })
}

t.test('all that can happen to two stores in one epoch', async t => {
  const bounds = { ...FEW, replicas: 2, rule: PAIR, epochsMax: 1, resizes: [], isHandedOver: true }
  const result = search(bounds, 2_000_000)
  t.match(result, { isExhausted: true, violation: undefined })
  t.comment(`${result.worlds} worlds, ${result.steps} steps`)
})

t.test('a search finds what a broken rule leads to, by the shortest way', async t => {
  const rules: VolumeRules = { ...VOLUME_RULES, durableThrough: (_durable, head) => head }
  const bounds = { ...FEW, replicas: 3, rules, rule: THREE, resizes: [], isHandedOver: false }
  t.match(search(bounds, 50_000).violation, { why: /durable|copies/ })
})
