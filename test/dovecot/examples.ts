/**
 * The configuration for Dovecot 2.3 that we hand to admins is one that Dovecot accepts, and works.
 * The one for 2.4 is tested by test/dovecot-2.4.
 */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { requireDovecot, requireRoot } from '../support/prerequisites.ts'
import { mailRootFor } from '../support/mail-root.ts'
import { exampleScenario } from './example-scenario.ts'

const run = promisify(execFile)

t.setTimeout(120_000)
t.before(() => {
  requireDovecot()
  requireRoot()
})

t.test('Dovecot 2.3 accepts its example, and reads from it what the comments say', async t => {
  const path = fileURLToPath(new URL('../../examples/dovecot-2.3.conf', import.meta.url))
  const { stdout, stderr } = await run('doveconf', ['-c', path])
  t.equal(stderr, '')
  for (const line of [
    'mail_home = /srv/mail/%u',
    'mail_location = maildir:~/Maildir',
    'mail_fsync = optimized',
    'lock_method = fcntl',
    'mmap_disable = no'
  ]) {
    t.ok(stdout.split('\n').includes(line), line)
  }
})

t.test('the settings that the example calls defaults are the defaults', async t => {
  const { stdout } = await run('doveconf', ['-d', 'mail_fsync', 'lock_method', 'mmap_disable'])
  t.equal(stdout, 'mail_fsync = optimized\nlock_method = fcntl\nmmap_disable = no\n')
})

t.test('Dovecot 2.3 delivers, files and reads mail with its example configuration', async t => {
  const mailRoot = await mailRootFor(t)
  await exampleScenario(t, { example: 'dovecot-2.3.conf', tree: '/', mailRoot })
})
