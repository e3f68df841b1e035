/** As quick.ts, for the parts whose figures have goals. */

import t from 'tap'
import { runQuickly } from './quick-run.ts'

const PARTS = { mailbox: 3, files: 3, contention: 4, upkeep: 5, replicas: 23, restart: 2 }
/** Of Roost alone, as their figures compare themselves. */
const ALONE = ['upkeep', 'replicas', 'restart']

t.test('the benchmark measures what has goals beside ext4, and says which are met', async t => {
  const args = ['--parts', Object.keys(PARTS).join(), '--formats', 'maildir', '--clients', '1']
  const { tables, report } = await runQuickly('--targets', 'ext4,roost', ...args)
  t.match(tables, 'Figures with a goal')
  const { figures } = report
  for (const [part, count] of Object.entries(PARTS)) {
    t.equal(figures.filter(row => row.part === part).length, count, part)
  }
  for (const { part, name, targets, goal, isMet } of figures) {
    t.strictSame(Object.keys(targets), ALONE.includes(part) ? ['roost'] : ['ext4', 'roost'])
    t.ok(
      Object.values(targets).every(({ value }) => value > 0),
      `${name} is a figure`
    )
    t.equal(isMet !== undefined, goal !== undefined, 'a goal is judged')
  }
})
