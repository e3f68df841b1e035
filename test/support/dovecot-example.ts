/**
 * A Dovecot that runs with a configuration from examples/, as it is.
 *
 * The configuration names fixed places: /etc/dovecot, /srv/mail, /run/dovecot, the user vmail. In
 * a mount namespace of Dovecot's own, directories of the test are put there. So nothing changes
 * outside, and the mounts end with its last process.
 */

import { existsSync, readFileSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { requireDovecot, requireRoot } from './prerequisites.ts'
import { DovecotProcess, runWithHostname } from './dovecot-process.ts'
import { problemsOf } from './dovecot-problems.ts'
import { ImapClient } from './imap-client.ts'
import { LmtpClient } from './lmtp-client.ts'

const HOSTNAME = 'example'

const START_PATIENCE_MS = 30_000

const POLL_MS = 20

/** The account that the comments of the examples tell the admin to make. */
const VMAIL_ID = 5000

/** Sockets instead of ports, which may be in use; and a log that can be read. */
const LOCAL_CONF = `
log_path = /run/dovecot/test.log
service imap-login {
  unix_listener imap {
    mode = 0666
  }
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 0
  }
}
`

/** What a user writes into the users file, and a sieve script that is active from the start. */
const USERS = 'ann:{PLAIN}secret::::::\n'
const SIEVE = `require ["fileinto", "mailbox"];
if header :contains "subject" "file me" { fileinto :create "Filed"; }
`

/** $1 the tree, $2 the test's directory, $3 the mail root. */
const START = `
set -e
root=\${1%/}
mount --bind "$2/etc-dovecot" "$root/etc/dovecot"
mount --bind "$2/passwd" "$root/etc/passwd"
mount --bind "$2/group" "$root/etc/group"
mount -t tmpfs none "$root/srv"
mkdir "$root/srv/mail"
mount --bind "$3" "$root/srv/mail"
mount -t tmpfs none "$root/run"
mkdir "$root/run/dovecot"
mount --bind "$2/run" "$root/run/dovecot"
mount -t proc proc "$root/proc"
exec chroot "$1" dovecot -F
`

/** $1 the mail root, $2 the id of vmail, $3 the sieve script. */
const FILL = `
set -e
chown "$2:$2" "$1"
install -d -o "$2" -g "$2" -m 0700 "$1/ann" "$1/ann/sieve"
install -o "$2" -g "$2" -m 0600 "$3" "$1/ann/sieve/filter.sieve"
ln -sfn sieve/filter.sieve "$1/ann/.dovecot.sieve"
`

export interface ExampleOptions {
  /** The name of a file in examples/. */
  readonly example: string
  /** The system which has that Dovecot: / or a directory to chroot into. */
  readonly tree: string
  readonly mailRoot: string
}

export class DovecotExample {
  readonly #options: ExampleOptions
  /** What is mounted over the places that the example names. */
  readonly #directory: string
  #process: DovecotProcess | undefined

  static async create(options: ExampleOptions): Promise<DovecotExample> {
    if (options.tree === '/') requireDovecot()
    requireRoot()
    const directory = await mkdtemp(join(tmpdir(), 'dovecot-'))
    await chmod(directory, 0o755)
    const example = new DovecotExample(options, directory)
    await example.#prepare()
    return example
  }

  constructor(options: ExampleOptions, directory: string) {
    this.#options = options
    this.#directory = directory
  }

  /** Starts it and returns when it answers LMTP. */
  async start(): Promise<void> {
    const { tree, mailRoot } = this.#options
    const command = ['unshare', '-m', 'sh', '-c', START, 'sh', tree, this.#directory, mailRoot]
    const dovecot = await DovecotProcess.start(HOSTNAME, command)
    this.#process = dovecot
    const end = performance.now() + START_PATIENCE_MS
    for (;;) {
      try {
        const client = await this.lmtp()
        await client.quit()
        return
      } catch (error) {
        if (dovecot.running && performance.now() < end) await pause(POLL_MS)
        else throw new Error(`Dovecot does not start: ${dovecot.stderr}`, { cause: error })
      }
    }
  }

  async stop(): Promise<void> {
    await this.#process?.stop()
    this.#process = undefined
  }

  /** Stops it and removes what it leaves behind. For `t.teardown`. */
  async close(): Promise<void> {
    await this.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  lmtp(): Promise<LmtpClient> {
    return LmtpClient.connect({ path: join(this.#directory, 'run/lmtp') })
  }

  async imap(): Promise<ImapClient> {
    const client = await ImapClient.connect({ path: join(this.#directory, 'run/imap') })
    await client.login('ann', 'secret')
    return client
  }

  problems(): string[] {
    const path = join(this.#directory, 'run/test.log')
    const lines = existsSync(path) ? readFileSync(path, 'latin1').split('\n') : []
    const stateDir = this.#directory
    return problemsOf(lines, { mailRoot: this.#options.mailRoot, stateDir, hostname: HOSTNAME })
  }

  async #prepare(): Promise<void> {
    const { example, tree, mailRoot } = this.#options
    const etc = join(this.#directory, 'etc-dovecot')
    await mkdir(etc)
    await mkdir(join(this.#directory, 'run'))
    const path = fileURLToPath(new URL(`../../examples/${example}`, import.meta.url))
    await copyFile(path, join(etc, 'dovecot.conf'))
    await writeFile(join(etc, 'local.conf'), LOCAL_CONF)
    await writeFile(join(etc, 'users'), USERS)
    const id = String(VMAIL_ID)
    for (const [file, line] of [
      ['passwd', `vmail:x:${id}:${id}::/nonexistent:/usr/sbin/nologin`],
      ['group', `vmail:x:${id}:`]
    ] as const) {
      const lines = (await readFile(join(tree, 'etc', file), 'utf8')).trimEnd().split('\n')
      const others = lines.filter(other => !other.startsWith('vmail:'))
      await writeFile(join(this.#directory, file), `${[...others, line].join('\n')}\n`)
    }
    const script = join(this.#directory, 'filter.sieve')
    await writeFile(script, SIEVE)
    const filled = await runWithHostname(HOSTNAME, ['sh', '-c', FILL, 'sh', mailRoot, id, script])
    if (filled.code !== 0) throw new Error(`the mail root cannot be filled: ${filled.stderr}`)
  }
}
