/** Runs the benchmark with tiny sizes: its figures mean nothing then. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BenchReport } from './bench-report.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ARGS = ['--import', '@tapjs/typescript/import', MAIN, '--quick']
const PATIENCE_MS = 280_000

export async function runQuickly(
  ...args: readonly string[]
): Promise<{ tables: string; report: BenchReport }> {
  const env = { ...process.env, TS_NODE_TRANSPILE_ONLY: '1' }
  const options = { cwd: ROOT, env, timeout: PATIENCE_MS, maxBuffer: 1 << 24 }
  const { stdout } = await promisify(execFile)(process.execPath, [...ARGS, ...args], options)
  const report = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as BenchReport
  return { tables: stdout, report }
}
