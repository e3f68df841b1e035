/**
 * The seam between the Dovecot tests and the file system under test.
 *
 * `mailRootFor` gives an empty Roost mount that the mail user owns; `localMailRootFor` a directory
 * of the local disk, which the mount is compared with. Both go when the test ends.
 */

import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { MAIL_UID } from './dovecot.ts'
import { mountRoost } from './roost-mount.ts'

const run = promisify(execFile)

/** So that a mount which hangs fails the test instead of stopping it. */
const PATIENCE_MS = 60_000

/** A fresh mail root. Only other processes touch it: this one may be serving a mount. */
export async function mailRootFor(t: Test): Promise<string> {
  const { mountpoint } = await mountRoost(t, { owner: MAIL_UID })
  return mountpoint
}

/** A fresh mail root on the local disk: what the file system under test is compared with. */
export async function localMailRootFor(t: Test): Promise<string> {
  return directoryBelow(t, tmpdir())
}

async function directoryBelow(t: Test, parent: string): Promise<string> {
  const template = join(parent, 'mail-XXXXXX')
  const { stdout } = await run('mktemp', ['-d', template], { timeout: PATIENCE_MS })
  const directory = stdout.trim()
  t.teardown(() => run('rm', ['-rf', '--', directory], { timeout: PATIENCE_MS }))
  await run('chmod', ['0755', directory], { timeout: PATIENCE_MS })
  return directory
}
