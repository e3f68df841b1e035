/**
 * `npm start`: from a fresh clone to a mounted store, in the foreground until Ctrl-C.
 *
 * The store is in ./data, which the first start makes, and its mount point is ./mnt.
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { build, checkMachine, giveUp, installPackages, ROOT, run } from './prepare.mjs'

const DATA = join(ROOT, 'data')
const MOUNT_POINT = join(ROOT, 'mnt')
const PROGRAM = join(ROOT, 'dist', 'bin', 'roost.js')

checkMachine()
installPackages()
build()
if (!existsSync(DATA) && !run(process.execPath, [PROGRAM, 'init', '--data', DATA])) {
  giveUp(`could not make a store in ${DATA}; see above.`)
}
makeMountPoint()
console.log(advice())
mount()

function makeMountPoint() {
  try {
    mkdirSync(MOUNT_POINT, { recursive: true })
  } catch (error) {
    // A mount whose daemon is gone answers ENOTCONN; the mount command says what to do.
    if (error.code !== 'EEXIST' && error.code !== 'ENOTCONN') throw error
  }
}

function advice() {
  return `
For Dovecot 2.3:

    mail_home = ${MOUNT_POINT}/%u
    mail_location = maildir:~/Maildir

For Dovecot 2.4:

    mail_driver = maildir
    mail_home = ${MOUNT_POINT}/%{user}
    mail_path = ~/Maildir

Dovecot's mail user must be able to write there: once it is mounted, for a user vmail,

    chown vmail:vmail ${MOUNT_POINT}

examples/ has complete configurations. Ctrl-C unmounts.
`
}

function mount() {
  // In a process group of its own the daemon hears of a Ctrl-C from us alone, and so once.
  const args = [PROGRAM, 'mount', MOUNT_POINT, '--data', DATA]
  const daemon = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', detached: true })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => daemon.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal))
  }
  daemon.on('error', error => giveUp(error.message))
  daemon.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal]
  })
}
