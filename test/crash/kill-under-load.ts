/**
 * Real deaths of a real daemon under deliveries: what was answered with 250 is there afterwards.
 *
 * ROOST_KILL_ROUNDS says how many rounds, in all formats together; ROOST_KILL_SEED repeats the
 * delays of an earlier run, though not the moment that each death comes at.
 */

import { randomInt } from 'node:crypto'
import t from 'tap'
import type { MailFormat } from '../support/dovecot-config.ts'
import { SimRandom } from '../support/sim-random.ts'
import { KillRounds } from './kill-rounds.ts'

const FORMATS: readonly MailFormat[] = ['maildir', 'sdbox', 'mdbox']
const ROUNDS = Number(process.env['ROOST_KILL_ROUNDS'] ?? 20)
const SEED = Number(process.env['ROOST_KILL_SEED'] ?? randomInt(2 ** 32))
/** A round takes about three seconds; a busy machine may need many times that. */
const ROUND_MS_MAX = 30_000

t.setTimeout(ROUNDS * ROUND_MS_MAX)
t.comment(`${String(ROUNDS)} rounds, ROOST_KILL_SEED=${String(SEED)}`)

FORMATS.forEach((format, at) => {
  const rounds = Math.ceil((ROUNDS - at) / FORMATS.length)
  t.test(`${format}: what was answered with 250 survives kill -9`, async t => {
    t.setTimeout(rounds * ROUND_MS_MAX)
    const kills = await KillRounds.start(t, format, new SimRandom(SEED).fork(format))
    for (let round = 0; round < rounds; round++) await kills.run()
    await kills.finish()
    const { acknowledged, unanswered } = kills.totals
    t.comment(`${format}: ${String(acknowledged)} acknowledged, ${String(unanswered)} unanswered`)
    t.ok(acknowledged > rounds, 'the load was one')
  })
})
