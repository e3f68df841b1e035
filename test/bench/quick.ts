/** That the benchmark runs, with tiny sizes: its figures mean nothing here and are not judged. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import type { BenchReport } from './bench-report.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ARGS = ['--import', '@tapjs/typescript/import', MAIN, '--quick']
const PATIENCE_MS = 280_000

t.test('the benchmark measures all three filesystems and prints tables and JSON', async t => {
  const env = { ...process.env, TS_NODE_TRANSPILE_ONLY: '1' }
  const options = { cwd: ROOT, env, timeout: PATIENCE_MS, maxBuffer: 1 << 24 }
  const { stdout } = await promisify(execFile)(process.execPath, ARGS, options)
  t.match(stdout, 'Single operations per second')
  t.match(stdout, 'LMTP deliveries per second')
  const report = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as BenchReport
  t.equal(report.micro.length, 8)
  t.equal(report.deliveries.length, 6)
  for (const { targets, ratios } of [...report.micro, ...report.deliveries]) {
    t.strictSame(Object.keys(targets), ['ext4', 'fuse-native', 'roost'])
    t.strictSame(Object.keys(ratios), ['ext4', 'fuse-native'])
    t.ok(targets.roost?.requests, 'requests are counted by opcode')
  }
  for (const { part, name, targets } of report.figures) {
    t.strictSame(Object.keys(targets), part === 'upkeep' ? ['roost'] : ['ext4', 'roost'])
    t.ok(
      Object.values(targets).every(({ value }) => value > 0),
      `${name} is a figure`
    )
  }
})
