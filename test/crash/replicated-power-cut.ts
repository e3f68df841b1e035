/**
 * Power cuts at random points of the log of a replica of a cluster: what was committed durably is
 * there, nothing that never was is, what is pending is kept, and no promise is taken back.
 *
 * ROOST_CRASH_ROUNDS says how many power cuts, ROOST_CRASH_SEED with which seed to begin.
 */

import t from 'tap'
import { ReplicatedChain } from '../support/replicated-chain.ts'
import { SimRandom } from '../support/sim-random.ts'

const ROUNDS_DEFAULT = 500
const LIVES = 4
const STEPS = 60
const DAY_MS = 24 * 3600 * 1000

const rounds = Number(process.env['ROOST_CRASH_ROUNDS'] ?? ROUNDS_DEFAULT)
const firstSeed = Number(process.env['ROOST_CRASH_SEED'] ?? 1)

t.setTimeout(DAY_MS)

t.test(`${rounds} power cuts leave what is committed, and what is pending`, async t => {
  let [cuts, pending] = [0, 0]
  for (let seed = firstSeed; cuts < rounds; seed++) {
    const chain = new ReplicatedChain(new SimRandom(seed), STEPS)
    try {
      for (let life = 0; life < LIVES; life++) await chain.live()
      await chain.finish()
    } catch (error) {
      const command = 'npm test -- test/crash/replicated-power-cut.ts'
      t.comment(`ROOST_CRASH_SEED=${seed} ROOST_CRASH_ROUNDS=1 ${command}`)
      for (const op of chain.trace.slice(-60)) t.comment(op)
      t.comment(error instanceof Error ? (error.stack ?? error.message) : String(error))
      throw new Error(`seed=${seed}`, { cause: error })
    }
    cuts += chain.cuts
    pending += chain.pendingFound
  }
  t.comment(`${cuts} power cuts, ${pending} volumes with something pending afterwards`)
  t.ok(cuts >= rounds, 'as many power cuts as asked for')
  t.ok(pending > 0 || rounds < 100, 'some left something pending')
})
