/**
 * Says what is missing before a test of Dovecot fails in a way that nobody understands.
 */

import { existsSync } from 'node:fs'

/** @throws Error that says what to install, or that root is needed. */
export function assertDovecotInstalled(): void {
  const needed = {
    '/usr/sbin/dovecot': 'dovecot-core',
    '/usr/lib/dovecot/imap': 'dovecot-imapd',
    '/usr/lib/dovecot/lmtp': 'dovecot-lmtpd',
    '/usr/lib/dovecot/pop3': 'dovecot-pop3d',
    '/usr/lib/dovecot/modules/lib90_sieve_plugin.so': 'dovecot-sieve'
  }
  const missing = Object.entries(needed).filter(([path]) => !existsSync(path))
  if (missing.length > 0) {
    const packages = missing.map(([, name]) => name).join(' ')
    throw new Error(`This test needs Dovecot 2.3; install it with: apt-get install ${packages}`)
  }
  if (process.getuid?.() !== 0) throw new Error('This test starts Dovecot and must run as root')
}
