/**
 * The configuration of a Dovecot 2.3 under test.
 *
 * What is not said here is Dovecot's default, above all mail_fsync: the tests are to see what an
 * admin's Dovecot does. Exceptions have their reason beside them.
 */

import { join } from 'node:path'

export type MailFormat = 'maildir' | 'sdbox' | 'mdbox'
export type LockMethod = 'fcntl' | 'flock' | 'dotlock'

/** Every account has this password. */
export const PASSWORD = 'secret'

export interface DovecotConfig {
  readonly mailRoot: string
  readonly format: MailFormat
  readonly lockMethod: LockMethod
  readonly mmapDisable: boolean
  /** Sockets, log and state; its path is short, for a socket's path has 107 bytes. */
  readonly stateDir: string
  /** Dovecot wants no such account to exist, only a number that is not below 1000. */
  readonly mailUid: number
  readonly mailGid: number
  /** The accounts that exist; any name is an account if this is left out. */
  readonly users?: readonly string[] | undefined
  /** Appended as it is, so that a caller may override anything. */
  readonly extraConfig?: string | undefined
}

/** Text of dovecot.conf. A user's mail, indexes and sieve scripts are all below mailRoot/user. */
export function dovecotConfig(config: DovecotConfig): string {
  return [
    general(config),
    mail(config),
    accounts(config),
    services(config.stateDir),
    config.extraConfig ?? ''
  ].join('\n')
}

/** Lines of the passwd-file, if the accounts are named. */
export function passwdFile({ users = [], mailUid, mailGid, mailRoot }: DovecotConfig): string {
  const ids = `${String(mailUid)}:${String(mailGid)}`
  const lines = users.map(user => `${user}:{PLAIN}${PASSWORD}:${ids}::${join(mailRoot, user)}::`)
  return `${lines.join('\n')}\n`
}

function general({ stateDir, mailUid }: DovecotConfig): string {
  return `
protocols = imap pop3 lmtp
base_dir = ${stateDir}/run
state_dir = ${stateDir}/state
instance_name = test
log_path = ${stateDir}/dovecot.log
ssl = no
disable_plaintext_auth = no
first_valid_uid = ${String(Math.min(mailUid, 500))}
`
}

function mail(config: DovecotConfig): string {
  const { format, lockMethod, mmapDisable } = config
  return `
mail_location = ${format}:~/${format === 'maildir' ? 'Maildir' : format}
mail_uid = ${String(config.mailUid)}
mail_gid = ${String(config.mailGid)}
lock_method = ${lockMethod}
mmap_disable = ${mmapDisable ? 'yes' : 'no'}
# Longer than any test: only an inotify event may wake IDLE, not the poll after 30 seconds.
mailbox_idle_check_interval = 10 min
namespace inbox {
  inbox = yes
  # The same in all formats: maildir alone would have a dot.
  separator = /
}
protocol lmtp {
  mail_plugins = sieve
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
}
`
}

function accounts({ users, stateDir, mailUid, mailGid, mailRoot }: DovecotConfig): string {
  if (users !== undefined) {
    const database = `{
  driver = passwd-file
  args = ${stateDir}/passwd
}`
    return `passdb ${database}\nuserdb ${database}\n`
  }
  const ids = `uid=${String(mailUid)} gid=${String(mailGid)}`
  return `
passdb {
  driver = static
  args = password=${PASSWORD}
}
userdb {
  driver = static
  args = ${ids} home=${mailRoot}/%u allow_all_users=yes
}
`
}

/** All of it listens on unix sockets: no port to find, and none to collide on. */
function services(stateDir: string): string {
  const login = (protocol: string): string => `
service ${protocol}-login {
  # One process for many logins; else each starts its own and the tests wait for that.
  service_count = 0
  unix_listener ${stateDir}/${protocol} {
    mode = 0666
  }
  inet_listener ${protocol} {
    port = 0
  }
  inet_listener ${protocol}s {
    port = 0
  }
}
`
  return `
service lmtp {
  unix_listener ${stateDir}/lmtp {
    mode = 0666
  }
}
${login('imap')}${login('pop3')}`
}
