/** The POSIX suite on a real mount. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { runPosixSuite } from '../support/posix-runner.ts'
import { mountRoost } from '../support/roost-mount.ts'

t.test('a directory of a user behaves as POSIX says', async t => {
  const mount = await mountRoost(t)
  const directory = join(mount.mountpoint, 'user')
  await promisify(execFile)('mkdir', [directory], { timeout: 10_000 })
  await runPosixSuite(t, directory)
  const { fuse } = await mount.status()
  t.equal(fuse?.errors, 0, 'no request failed for an unknown reason')
})
