/**
 * A check finds nothing in what power cuts and kills leave: the store and files of a crash are not
 * damage, they are what the log mends at the next start.
 */

import t from 'tap'
import { checkAtRest, type FsckReport } from '../../lib/fsck/fsck.ts'
import { SimRandom } from '../support/sim-random.ts'
import { USUAL } from '../support/workload.ts'
import { WorkloadChain } from '../support/workload-chain.ts'

const CHAINS = 60
const LIVES = 3
const BODIES = { large: 0.35, huge: 0.01 }
const OPTIONS = { onProgress: () => undefined, pace: () => Promise.resolve() }

t.setTimeout(600_000)

t.test('what a crash leaves is whole', async t => {
  const reports: FsckReport[] = []
  for (let seed = 1; seed <= CHAINS; seed++) {
    const chain = new WorkloadChain({
      random: new SimRandom(seed),
      steps: 60,
      weights: seed % 4 === 0 ? BODIES : USUAL,
      atRest: async (disk, store) => {
        const report = await checkAtRest(disk, () => store.open(), OPTIONS)
        if (report.problems.length > 0) t.same(report.problems, [], `seed ${String(seed)}`)
        reports.push(report)
      }
    })
    for (let life = 0; life < LIVES; life++) await chain.live()
  }
  t.ok(reports.length > CHAINS, `${String(reports.length)} crashes were looked at`)
  const some = (what: (report: FsckReport) => number): boolean =>
    reports.some(report => what(report) > 0)
  t.ok(
    some(({ figures }) => figures.bytes),
    'with bodies'
  )
  t.ok(
    some(({ figures }) => figures.containers),
    'with containers'
  )
  t.ok(
    some(({ figures }) => figures.entries),
    'with a log'
  )
  t.ok(
    some(({ notes }) => notes.length),
    'some with torn ends or staged files, which are noted'
  )
})
