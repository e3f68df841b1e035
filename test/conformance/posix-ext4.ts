/** The POSIX suite on the machine's own temporary directory: what holds there holds anywhere. */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runPosixSuite } from '../support/posix-runner.ts'

// A case may use up its own minute before it is given up, and the suite goes on.
t.setTimeout(600_000)

t.test('the POSIX suite passes on a directory of the machine’s own filesystem', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'posix-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  chmodSync(directory, 0o755)
  const outcomes = await runPosixSuite(t, directory)
  t.ok(outcomes.length > 140, 'the whole suite ran')
})
