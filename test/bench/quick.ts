/** That the benchmark runs, with tiny sizes: its figures mean nothing here and are not judged. */

import t from 'tap'
import { runQuickly } from './quick-run.ts'

t.test('the benchmark measures all three filesystems and prints tables and JSON', async t => {
  const { tables, report } = await runQuickly('--parts', 'micro,deliveries,memory')
  t.match(tables, 'Single operations per second')
  t.match(tables, 'LMTP deliveries per second')
  t.match(tables, 'Memory of Roost with 2000 files')
  t.equal(report.micro.length, 8)
  t.equal(report.deliveries.length, 6)
  t.equal(report.memory.length, 4)
  for (const { targets, ratios } of [...report.micro, ...report.deliveries]) {
    t.strictSame(Object.keys(targets), ['ext4', 'fuse-native', 'roost'])
    t.strictSame(Object.keys(ratios), ['ext4', 'fuse-native'])
    t.ok(targets.roost?.requests, 'requests are counted by opcode')
  }
})
