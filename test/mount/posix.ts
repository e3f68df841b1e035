/** The POSIX suite on a real mount, whoever keeps locks and open files. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { runPosixSuite } from '../support/posix-runner.ts'
import { mountRoost } from '../support/roost-mount.ts'

t.setTimeout(600_000)

for (const mode of ['single', 'shared'] as const) {
  t.test(`a directory of a user behaves as POSIX says, mode ${mode}`, async t => {
    const mount = await mountRoost(t, { mountArgs: ['--mode', mode] })
    const directory = join(mount.mountpoint, 'user')
    await promisify(execFile)('mkdir', [directory], { timeout: 10_000 })
    const outcomes = await runPosixSuite(t, directory)
    t.ok(outcomes.length > 80, 'the whole suite ran')
    const { fuse } = await mount.status()
    t.equal(fuse?.errors, 0, 'no request failed for an unknown reason')
    t.equal(mount.errors(), '', 'the daemon had nothing to complain of')
  })
}
