/**
 * The same user on three replicas at once: each has a Dovecot of its own, mail is delivered to one
 * INBOX by all three, and a client on each marks, moves and expunges meanwhile. Every delivery has
 * to succeed, no Dovecot may complain, and in the end all three have to show the same.
 */

import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { MAIL_UID, startDovecot, type Dovecot } from '../support/dovecot.ts'
import type { MailFormat } from '../support/dovecot-config.ts'
import type { ImapClient } from '../support/imap-client.ts'
import { RoostCluster } from '../support/roost-cluster.ts'

const USER = 'both'
const DELIVERIES = Number(process.env['ROOST_SAME_USER_DELIVERIES'] ?? '10')
const FORMATS = (process.env['ROOST_SAME_USER_FORMATS'] ?? 'maildir,sdbox,mdbox').split(',')
const SETTLE_MS = 60_000

t.setTimeout(900_000)

for (const format of FORMATS as MailFormat[]) {
  t.test(`${format}: three servers, one user`, async t => {
    const cluster = await RoostCluster.start(t, { stores: 3, copies: 2, owner: MAIL_UID })
    const dovecots = await Promise.all(
      cluster.stores.map(async ({ mountpoint }, at) => {
        const hostname = `server${at + 1}`
        const dovecot = await startDovecot({
          mailRoot: mountpoint,
          format,
          lockMethod: 'fcntl',
          mmapDisable: false,
          hostname
        })
        t.teardown(() => dovecot.close())
        return dovecot
      })
    )
    const [first] = dovecots as [Dovecot]
    const setUp = await first.imap(USER)
    await setUp.attempt('CREATE "Kept"')
    await setUp.logout()

    const done = { value: false }
    const clients = dovecots.map((dovecot, at) => play(dovecot, at, done))
    const started = performance.now()
    const codes = await Promise.all(dovecots.map((dovecot, at) => deliver(dovecot, at)))
    const seconds = (performance.now() - started) / 1000
    done.value = true
    await Promise.all(clients)
    t.comment(`${3 * DELIVERIES} deliveries in ${seconds.toFixed(1)} s`)
    t.same(
      codes.flat().filter(code => code !== 250),
      [],
      'every delivery was answered with 250'
    )

    const views = await untilEqual(dovecots)
    t.same(views[1], views[0], 'the second replica shows what the first does')
    t.same(views[2], views[0], 'so does the third')
    t.same(new Set([...views[0].subjects]).size, 3 * DELIVERIES, 'every message is there, and once')
    t.equal(views[0].subjects.length, 3 * DELIVERIES)
    for (const dovecot of dovecots) t.same(dovecot.problems(), [], `${dovecot.hostname} is content`)
    // This says that it rebuilds, which is no complaint.
    await first.doveadm(['force-resync', '-u', USER, '*'])
    t.same(await viewOf(first), views[0], 'a resync finds nothing to change')
  })
}

interface View {
  /** Of each folder: UIDVALIDITY, and of each message UID, flags and subject. */
  readonly folders: Readonly<Record<string, unknown>>
  readonly subjects: readonly string[]
}

async function deliver(dovecot: Dovecot, at: number): Promise<number[]> {
  const client = await dovecot.lmtp()
  const codes: number[] = []
  for (let i = 0; i < DELIVERIES; i++) {
    const subject = `server ${at} message ${i}`
    const text = `Subject: ${subject}\r\nFrom: a@example.org\r\n\r\n${'x'.repeat(200 * i)}\r\n`
    const [reply] = await client.deliver([USER], Buffer.from(text))
    codes.push(reply?.code ?? 0)
  }
  await client.quit()
  return codes
}

/** Marks what comes, and moves every third message away, until all is delivered. */
async function play(dovecot: Dovecot, at: number, done: { value: boolean }): Promise<void> {
  const client = await dovecot.imap(USER)
  await client.command('SELECT INBOX')
  while (!done.value) {
    await client.command('NOOP')
    const uids = await client.search('UNKEYWORD seen' + String(at))
    for (const uid of uids.slice(0, 3)) {
      await client.attempt(`UID STORE ${uid} +FLAGS (seen${at} \\Seen)`)
      if (uid % 3 === at) await client.attempt(`UID MOVE ${uid} Kept`)
    }
    await pause(20)
  }
  await client.logout()
}

async function untilEqual(dovecots: readonly Dovecot[]): Promise<[View, View, View]> {
  const end = performance.now() + SETTLE_MS
  for (;;) {
    const views = (await Promise.all(dovecots.map(viewOf))) as [View, View, View]
    const [one, ...others] = views.map(view => JSON.stringify(view))
    if (others.every(other => other === one) || performance.now() > end) return views
    await pause(500)
  }
}

async function viewOf(dovecot: Dovecot): Promise<View> {
  const client = await dovecot.imap(USER)
  const folders: Record<string, unknown> = {}
  const subjects: string[] = []
  for (const folder of ['INBOX', 'Kept']) {
    const { validity, messages } = await folderOf(client, folder)
    folders[folder] = { validity, messages }
    subjects.push(...messages.map(({ subject }) => subject))
  }
  await client.logout()
  return { folders, subjects: subjects.sort() }
}

interface Message {
  readonly uid: number
  readonly flags: readonly string[]
  readonly subject: string
}

async function folderOf(
  client: ImapClient,
  folder: string
): Promise<{ validity: string; messages: Message[] }> {
  const { lines } = await client.command(`SELECT "${folder}"`)
  const validity = lines.map(({ text }) => /UIDVALIDITY (\d+)/.exec(text)?.[1]).find(Boolean) ?? ''
  const exists = lines.some(({ text }) => /^\* [1-9]\d* EXISTS/.test(text))
  const fetched = exists ? await client.fetch('1:*', 'BODY.PEEK[HEADER.FIELDS (SUBJECT)]') : []
  const messages = fetched.map(({ uid, flags, body }) => {
    const [, subject = ''] = /Subject: (.*?)\r\n/.exec(body?.toString() ?? '') ?? []
    return { uid, flags, subject }
  })
  return { validity, messages }
}
