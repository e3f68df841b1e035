/**
 * The configurations that we hand to admins are ones that Dovecot accepts.
 */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)

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
