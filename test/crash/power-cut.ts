/**
 * Power cuts at random points of a random workload: what was fsynced is there, what is there is a
 * prefix of what was done, and every file's bytes are those of a replay of the log.
 *
 * ROOST_CRASH_ROUNDS says how many power cuts, ROOST_CRASH_SEED with which seed to begin.
 */

import t from 'tap'
import { SimRandom } from '../support/sim-random.ts'
import { USUAL } from '../support/workload.ts'
import { WorkloadChain } from '../support/workload-chain.ts'

/** About a minute's worth. */
const ROUNDS_DEFAULT = 1500
const LIVES = 3
const DAY_MS = 24 * 3600 * 1000
/** One chain in so many has many bodies that are too large for the log. */
const BODIES_EVERY = 5
const BODIES = { large: 0.35, huge: 0.01 }
/** One chain in so many fills log segments, by large writes to files kept in history. */
const HEAVY_EVERY = 25
const HEAVY = { large: 0.3, huge: 0.2, fill: 0.03 }

const rounds = Number(process.env['ROOST_CRASH_ROUNDS'] ?? ROUNDS_DEFAULT)
const firstSeed = Number(process.env['ROOST_CRASH_SEED'] ?? 1)

interface Outcome {
  readonly cuts: number
  readonly tornTails: readonly string[]
  readonly segments: number
}

t.setTimeout(DAY_MS)

t.test(`${rounds} power cuts take nothing that was promised and leave a prefix`, async t => {
  let [cuts, torn, segments] = [0, 0, 0]
  for (let seed = firstSeed; cuts < rounds; seed++) {
    const outcome = await runChain(seed)
    if (outcome === undefined) throw new Error(`seed=${seed}`)
    cuts += outcome.cuts
    torn += outcome.tornTails.length
    segments += outcome.segments
    for (const sentence of outcome.tornTails) {
      if (!/^feed \d+ was cut at \d+: .+/.test(sentence)) t.fail(sentence)
    }
  }
  t.comment(`${cuts} power cuts, ${torn} torn tails, ${segments} changes of segment`)
  t.ok(cuts >= rounds, 'as many power cuts as asked for')
  t.ok(segments > 0 || rounds < 1000, 'some came in a later segment of the log')
  t.ok(torn > 0 || rounds < 100, 'some of them tore the end of the log')
})

async function runChain(seed: number): Promise<Outcome | undefined> {
  const isHeavy = seed % HEAVY_EVERY === 0
  const random = new SimRandom(seed)
  const weights = isHeavy ? HEAVY : seed % BODIES_EVERY === 0 ? BODIES : USUAL
  const chain = new WorkloadChain({ random, weights, steps: isHeavy ? 90 : 60 })
  try {
    for (let life = 0; life < LIVES; life++) await chain.live()
    await chain.finish()
    return chain
  } catch (error) {
    t.comment(`seed=${seed}`)
    t.comment(`ROOST_CRASH_SEED=${seed} ROOST_CRASH_ROUNDS=1 npm test -- test/crash/power-cut.ts`)
    for (const op of chain.trace) t.comment(op)
    t.comment(error instanceof Error ? (error.stack ?? error.message) : String(error))
    return undefined
  }
}
