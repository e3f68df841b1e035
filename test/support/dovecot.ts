/**
 * A real Dovecot for a test: configured, started, watched and taken away again.
 *
 * Its state (sockets, log, configuration) is in a directory of its own; only mail is in the mail
 * root, which this process never touches itself, for it may be serving that mount.
 */

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { PASSWORD, dovecotConfig, passwdFile, type DovecotConfig } from './dovecot-config.ts'
import { requireDovecot, requireRoot } from './prerequisites.ts'
import { problemsOf } from './dovecot-problems.ts'
import { DovecotProcess, runWithHostname, type CommandResult } from './dovecot-process.ts'
import { ImapClient } from './imap-client.ts'
import { LmtpClient } from './lmtp-client.ts'
import { Pop3Client } from './pop3-client.ts'

const run = promisify(execFile)

/** A user id that no account needs to have. */
export const MAIL_UID = 7777

/** Enough for a start on a machine which does much else. */
const START_PATIENCE_MS = 30_000

const POLL_MS = 20

export type DovecotOptions = Pick<
  DovecotConfig,
  'mailRoot' | 'format' | 'lockMethod' | 'mmapDisable' | 'users' | 'extraConfig'
> & {
  /** Kept when Dovecot ends, and must be short; by default a temporary one, removed then. */
  readonly stateDir?: string
  readonly hostname?: string
  readonly mailUid?: number
}

let instances = 0

/** Starts a Dovecot and returns when it answers LMTP. */
export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  requireDovecot()
  requireRoot()
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'dovecot-')))
  await mkdir(stateDir, { recursive: true })
  await chmod(stateDir, 0o755)
  instances += 1
  const hostname = options.hostname ?? `mail${String(process.pid)}-${String(instances)}`
  const mailUid = options.mailUid ?? MAIL_UID
  const config = { ...options, stateDir, mailUid, mailGid: mailUid }
  const dovecot = new Dovecot(config, hostname, options.stateDir === undefined)
  try {
    await dovecot.start()
  } catch (error) {
    await dovecot.close()
    throw error
  }
  return dovecot
}

export class Dovecot {
  readonly config: DovecotConfig
  readonly hostname: string
  readonly #ownsStateDir: boolean
  readonly #clients = new Set<{ close(): void }>()
  #process: DovecotProcess | undefined
  /** Lines that doveadm printed on stderr, where Dovecot would have logged them. */
  #doveadmLines: string[] = []

  constructor(config: DovecotConfig, hostname: string, ownsStateDir: boolean) {
    this.config = config
    this.hostname = hostname
    this.#ownsStateDir = ownsStateDir
  }

  get lmtpSocket(): string {
    return join(this.config.stateDir, 'lmtp')
  }

  get imapSocket(): string {
    return join(this.config.stateDir, 'imap')
  }

  get pop3Socket(): string {
    return join(this.config.stateDir, 'pop3')
  }

  /** The master's pid, also the id of the process group with all of Dovecot in it. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Starts it, also after a stop, with the same mail, log and sockets. */
  async start(): Promise<void> {
    const { mailRoot, mailUid, mailGid, stateDir } = this.config
    const owner = ['-o', String(mailUid), '-g', String(mailGid)]
    await run('install', ['-d', ...owner, '-m', '0755', mailRoot], { timeout: START_PATIENCE_MS })
    await writeFile(this.#configPath, dovecotConfig(this.config))
    await writeFile(join(stateDir, 'passwd'), passwdFile(this.config))
    const command = ['dovecot', '-F', '-c', this.#configPath]
    const process = await DovecotProcess.start(this.hostname, command)
    this.#process = process
    const end = performance.now() + START_PATIENCE_MS
    while (!(await this.#answers())) {
      if (process.running && performance.now() < end) await pause(POLL_MS)
      else throw new Error(`Dovecot does not start: ${process.stderr}${this.log().join('\n')}`)
    }
  }

  /** Ends it with all its processes; the mail, the log and the configuration stay. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.close()
    this.#clients.clear()
    await this.#process?.stop()
    this.#process = undefined
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Kills every process of it at once. `stop` must follow, or `restart`. */
  kill(): void {
    this.#process?.kill()
  }

  /** Stops it and removes what it leaves behind. For `t.teardown`. */
  async close(): Promise<void> {
    await this.stop()
    if (this.#ownsStateDir) await rm(this.config.stateDir, { recursive: true, force: true })
  }

  /** All lines of its log since the first start, and what doveadm had to complain about. */
  log(): string[] {
    const path = join(this.config.stateDir, 'dovecot.log')
    const text = existsSync(path) ? readFileSync(path, 'latin1') : ''
    return [...text.split('\n').filter(line => line !== ''), ...this.#doveadmLines]
  }

  /** Errors, warnings, panics: each once, free of what differs between runs. */
  problems(): string[] {
    return problemsOf(this.log(), { ...this.config, hostname: this.hostname })
  }

  /** Runs doveadm with this configuration; a failure is an exception. */
  async doveadm(args: readonly string[]): Promise<CommandResult> {
    const command = ['doveadm', '-c', this.#configPath, ...args]
    const result = await runWithHostname(this.hostname, command)
    this.#doveadmLines.push(...result.stderr.split('\n').filter(line => line !== ''))
    if (result.code === 0) return result
    throw new Error(`doveadm ${args.join(' ')}: ${String(result.code)} ${result.stderr}`)
  }

  /** A connection to LMTP. It and the others are closed with Dovecot, if not before. */
  async lmtp(): Promise<LmtpClient> {
    return this.#kept(await LmtpClient.connect({ path: this.lmtpSocket }))
  }

  /** An IMAP connection, logged in as that user. */
  async imap(user: string): Promise<ImapClient> {
    const client = this.#kept(await ImapClient.connect({ path: this.imapSocket }))
    await client.login(user, PASSWORD)
    return client
  }

  /** A POP3 connection, logged in as that user. */
  async pop3(user: string): Promise<Pop3Client> {
    const client = this.#kept(await Pop3Client.connect({ path: this.pop3Socket }))
    await client.login(user, PASSWORD)
    return client
  }

  get #configPath(): string {
    return join(this.config.stateDir, 'dovecot.conf')
  }

  #kept<Client extends { close(): void }>(client: Client): Client {
    this.#clients.add(client)
    return client
  }

  async #answers(): Promise<boolean> {
    try {
      const client = await LmtpClient.connect({ path: this.lmtpSocket })
      await client.quit()
      return true
    } catch {
      return false
    }
  }
}
