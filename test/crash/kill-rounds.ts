/**
 * Rounds of kill -9: a load of deliveries, the death of the daemon in the middle of it, a new
 * daemon on the same data directory, and a look at every message.
 *
 * In every other round Dovecot dies with the daemon, as both do when the plug is pulled. In the
 * others it lives on without a store for a moment and is restarted then. It has to be: a process
 * whose lock file went with the mount still counts as its owner when the mount is back, and
 * others wait for it for two minutes.
 */

import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { MailFormat } from '../support/dovecot-config.ts'
import { MAIL_UID, startDovecot, type Dovecot } from '../support/dovecot.ts'
import { bodyOf, runLmtpLoad, type LmtpLoadResult } from '../support/lmtp-load.ts'
import { mountRoost, type RoostMount } from '../support/roost-mount.ts'
import type { SimRandom } from '../support/sim-random.ts'
import { complaintsIn } from './kill-complaints.ts'

const USERS = Array.from({ length: 8 }, (_, at) => `user${String(at + 1)}`)
const CLIENTS = 8
const DELAY_MS_MIN = 300
const DELAY_MS_MAX = 1500
/** Bodies that ride in the log, and some that are staged as files of their own. */
const SIZES = [500, 8192, 8192, 8192, 30_000, 100_000]

/**
 * A lock file has the name of its owner from the moment that it exists. By default it is empty at
 * first, and one that stays so when its owner dies is waited for two minutes, on any file system.
 */
const NAMED_LOCKS = 'dotlock_use_excl = no'

/** What was sent in a round. */
interface Sent {
  readonly sizeBytes: number
  readonly isAcknowledged: boolean
}

/** A message as Dovecot shows it. */
interface Found {
  readonly messageId: string
  readonly body: string
}

export interface KillTotals {
  readonly rounds: number
  readonly acknowledged: number
  readonly unanswered: number
}

export class KillRounds {
  readonly #t: Test
  readonly #mount: RoostMount
  readonly #dovecot: Dovecot
  readonly #random: SimRandom
  /** Everything ever sent, by user and Message-ID. */
  readonly #sent = new Map<string, Map<string, Sent>>(USERS.map(user => [user, new Map()]))
  /** Lines of Dovecot's log that were looked at. */
  #logged = 0
  #rounds = 0
  #unanswered = 0

  /** A fresh mount and a Dovecot on it; both go with the test. */
  static async start(t: Test, format: MailFormat, random: SimRandom): Promise<KillRounds> {
    const mount = await mountRoost(t, { owner: MAIL_UID })
    const dovecot = await startDovecot({
      mailRoot: mount.mountpoint,
      format,
      lockMethod: 'fcntl',
      mmapDisable: false,
      users: USERS,
      extraConfig: NAMED_LOCKS
    })
    t.teardown(() => dovecot.close())
    return new KillRounds(t, mount, dovecot, random)
  }

  private constructor(t: Test, mount: RoostMount, dovecot: Dovecot, random: SimRandom) {
    this.#t = t
    this.#mount = mount
    this.#dovecot = dovecot
    this.#random = random
  }

  get totals(): KillTotals {
    const sent = [...this.#sent.values()].flatMap(messages => [...messages.values()])
    const acknowledged = sent.filter(({ isAcknowledged }) => isAcknowledged).length
    return { rounds: this.#rounds, acknowledged, unanswered: this.#unanswered }
  }

  async run(): Promise<void> {
    const round = ++this.#rounds
    const run = `round${String(round)}`
    const sizeBytes = this.#random.pick(SIZES)
    const delayMs = DELAY_MS_MIN + this.#random.int(DELAY_MS_MAX - DELAY_MS_MIN)
    const dovecotDies = round % 2 === 0
    await this.#settle()
    const result = await this.#loadUntilKilled({ run, sizeBytes, delayMs, dovecotDies })
    await this.#mount.restart()
    // Whatever Dovecot said while it had no store.
    this.#logged = this.#dovecot.log().length
    await this.#dovecot.restart()
    this.#note(result, sizeBytes)
    const delivered = `${String(result.delivered)} messages in ${String(delayMs)} ms`
    this.#t.ok(result.delivered > 0, `round ${String(round)}: ${delivered}`)
    await this.#check(`HEADER Message-ID <${run}.`, messageId => messageId.startsWith(`<${run}.`))
    this.#lookAtLog()
  }

  /** Looks at every message of every round. */
  async finish(): Promise<void> {
    await this.#check('ALL', () => true)
    this.#lookAtLog()
    this.#t.equal(await this.#mount.stop(), 0, 'the last daemon leaves in an orderly way')
  }

  /**
   * One message to each user, alone: a dbox that a death has left in need of a rebuild gets it by
   * the next delivery, which may be refused, and what others deliver meanwhile may then be there
   * twice; all of this is so on ext4 too. It is also what Dovecot 2.3 needs for a new dbox user.
   */
  async #settle(): Promise<void> {
    const client = await this.#dovecot.lmtp()
    for (const user of USERS) {
      const message = Buffer.from('Subject: alone\r\n\r\n')
      const [first] = await client.deliver([user], message)
      if (first?.code === 250) continue
      const [second] = await client.deliver([user], message)
      if (second?.code !== 250) this.#t.fail(`mail for ${user}: ${String(second?.text)}`)
    }
    await client.quit()
  }

  async #loadUntilKilled(round: {
    readonly run: string
    readonly sizeBytes: number
    readonly delayMs: number
    readonly dovecotDies: boolean
  }): Promise<LmtpLoadResult> {
    const stop = new AbortController()
    const load = runLmtpLoad({
      socketPath: this.#dovecot.lmtpSocket,
      users: USERS,
      clients: CLIENTS,
      messages: Infinity,
      sizeBytes: round.sizeBytes,
      run: round.run,
      signal: stop.signal
    })
    await pause(round.delayMs)
    if (round.dovecotDies) this.#dovecot.kill()
    await this.#mount.kill()
    stop.abort()
    return load
  }

  #note(result: LmtpLoadResult, sizeBytes: number): void {
    this.#unanswered += result.unanswered.length
    for (const { user, messageId } of [...result.acceptedIds, ...result.unanswered]) {
      const isAcknowledged = result.acceptedIds.some(other => other.messageId === messageId)
      this.#sent.get(user)?.set(messageId, { sizeBytes, isAcknowledged })
    }
  }

  async #check(query: string, concerns: (messageId: string) => boolean): Promise<void> {
    const users = [...this.#sent].map(async ([user, all]) => {
      const sent = new Map([...all].filter(([messageId]) => concerns(messageId)))
      const wrong = differences(sent, await this.#fetch(user, query))
      if (wrong.length > 0) this.#t.fail(`${user} lacks nothing and has nothing twice`, { wrong })
    })
    await Promise.all(users)
  }

  async #fetch(user: string, query: string): Promise<Found[]> {
    const what = ['fetch', '-u', user, 'hdr.message-id body', 'mailbox', 'INBOX']
    const { stdout } = await this.#dovecot.doveadm(['-f', 'json', ...what, ...query.split(' ')])
    const messages = JSON.parse(stdout) as Record<'hdr.message-id' | 'body', string>[]
    return messages.map(found => ({ messageId: found['hdr.message-id'], body: found.body }))
  }

  #lookAtLog(): void {
    const lines = this.#dovecot.log()
    const complaints = complaintsIn(lines.slice(this.#logged), this.#dovecot.config.format)
    this.#logged = lines.length
    if (complaints.length === 0) return
    this.#t.fail(`Dovecot has no complaint after round ${String(this.#rounds)}`, { complaints })
  }
}

/** What is wrong with the messages found, one line each. */
function differences(sent: ReadonlyMap<string, Sent>, found: readonly Found[]): string[] {
  const counts = new Map<string, number>()
  const wrong: string[] = []
  for (const { messageId, body } of found) {
    counts.set(messageId, (counts.get(messageId) ?? 0) + 1)
    const message = sent.get(messageId)
    if (message !== undefined && hashOf(body) !== expectedHash(message.sizeBytes)) {
      wrong.push(`${messageId} has another body, of ${String(body.length)} bytes`)
    }
  }
  for (const [messageId, { isAcknowledged }] of sent) {
    const count = counts.get(messageId) ?? 0
    if (count > 1) wrong.push(`${messageId} is there ${String(count)} times`)
    if (isAcknowledged && count === 0) wrong.push(`${messageId} was answered with 250, and is gone`)
  }
  return wrong
}

function hashOf(body: string): string {
  return createHash('sha256').update(body.replaceAll('\r\n', '\n')).digest('hex')
}

const expectedHashes = new Map<number, string>()

/** Of what the load sends, without the dot that ends it. */
function expectedHash(sizeBytes: number): string {
  let hash = expectedHashes.get(sizeBytes)
  if (hash === undefined) {
    hash = hashOf(bodyOf(sizeBytes).toString('latin1').slice(0, -3))
    expectedHashes.set(sizeBytes, hash)
  }
  return hash
}
