/** What some tests need of the machine. Each throws a sentence that says what is missing. */

import { accessSync, constants, existsSync } from 'node:fs'

const DOVECOT_FILES = {
  '/usr/sbin/dovecot': 'dovecot-core',
  '/usr/lib/dovecot/imap': 'dovecot-imapd',
  '/usr/lib/dovecot/lmtp': 'dovecot-lmtpd',
  '/usr/lib/dovecot/pop3': 'dovecot-pop3d',
  '/usr/lib/dovecot/modules/lib90_sieve_plugin.so': 'dovecot-sieve'
}

export function requireDovecot(): void {
  const missing = Object.entries(DOVECOT_FILES).filter(([path]) => !existsSync(path))
  if (missing.length === 0) return
  const packages = missing.map(([, name]) => name).join(' ')
  throw new Error(`This test needs Dovecot 2.3; install it with: apt-get install ${packages}`)
}

export function requireFuse(): void {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
  } catch (error) {
    throw new Error('This test mounts a file system and needs /dev/fuse', { cause: error })
  }
}

/** What an ordinary user mounts with. */
export function requireFusermount(): void {
  requireFuse()
  if (!existsSync('/usr/bin/fusermount3')) {
    throw new Error('This test needs fusermount3; install it with: apt-get install fuse3')
  }
}

export function requireRoot(): void {
  if (process.getuid?.() !== 0) throw new Error('This test must run as root')
}
