/**
 * What happens behind the clients: many at once, purge, resync, a restart.
 */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Dovecot } from '../support/dovecot.ts'
import type { ImapClient } from '../support/imap-client.ts'
import { mailSnapshot } from './mail-snapshot.ts'
import { deliverTo, messageOf, oneTo, type Scenario } from './scenario.ts'

const run = promisify(execFile)

const FLAGS = ['\\Answered', '\\Draft', '\\Flagged', '\\Seen']

/** Sets one flag on all messages again and again; in the end only even UIDs have it. */
async function flickered(imap: ImapClient, flag: string, rounds: number): Promise<void> {
  for (const round of oneTo(rounds)) {
    const set = oneTo(10).filter(uid => (uid + round) % 2 === 0)
    await imap.command(`UID STORE 1:10 -FLAGS (${flag})`)
    await imap.command(`UID STORE ${set.join()} +FLAGS (${flag})`)
  }
  await imap.command(`UID STORE 1:10 -FLAGS (${flag})`)
  await imap.command(`UID STORE 2,4,6,8,10 +FLAGS (${flag})`)
}

const concurrent: Scenario = {
  title: 'four clients store flags while two deliver to the same user, and nothing is lost',
  async run(dovecot, t) {
    await deliverTo(dovecot, t, { user: 'busy', count: 10 })
    const clients = await Promise.all(FLAGS.map(() => dovecot.imap('busy')))
    await Promise.all(clients.map(client => client.command('SELECT INBOX')))
    await Promise.all([
      ...clients.map((client, at) => flickered(client, FLAGS[at] ?? '', 10)),
      deliverTo(dovecot, t, { user: 'busy', count: 20 }),
      deliverTo(dovecot, t, { user: 'busy', count: 20 })
    ])
    const late = await dovecot.imap('busy')
    await late.command('SELECT INBOX')
    for (const client of [...clients, late]) {
      await client.command('NOOP')
      const messages = await client.fetch('1:*')
      t.strictSame(
        messages.map(({ uid, flags }) => [uid, flags]),
        oneTo(50).map(uid => [uid, uid <= 10 && uid % 2 === 0 ? FLAGS : []])
      )
      await client.logout()
    }
  }
}

const concurrentMoves: Scenario = {
  title: 'four clients append to and move between the same mailboxes, and each message is once',
  async run(dovecot, t) {
    // Dovecot 2.3 locks itself out, on any file system, when two sessions at once are the first
    // to open a dbox INBOX: each creates it, and they take two locks in opposite order.
    await deliverTo(dovecot, t, { user: 'movers', count: 1 })
    const clients = await Promise.all(oneTo(4).map(() => dovecot.imap('movers')))
    await clients[0]?.command('CREATE There')
    await Promise.all(
      clients.map(async (client, at) => {
        await client.command('SELECT INBOX')
        for (const number of oneTo(8)) {
          // The message that was delivered first is number 1.
          const id = String(1 + at * 8 + number)
          await client.append('INBOX', [], messageOf(Number(id)))
          await client.command('NOOP')
          const [uid] = await client.search(`HEADER Message-ID <${id}@example.org>`)
          await client.command(`UID MOVE ${String(uid)} There`)
        }
      })
    )
    const [client] = clients
    await client?.command('SELECT INBOX')
    t.strictSame(await client?.search('ALL'), [1])
    await client?.command('SELECT There')
    const there = (await client?.fetch('1:*', 'BODY.PEEK[]')) ?? []
    t.strictSame(
      there.map(({ uid }) => uid),
      oneTo(32)
    )
    const found = new Set(there.map(({ body }) => body?.toString('latin1')))
    t.ok(
      oneTo(32).every(number => found.has(messageOf(1 + number).toString('latin1'))),
      'each of them'
    )
    await Promise.all(clients.map(each => each.logout()))
  }
}

/** Bytes in the m.N files of a user. Another process looks: this one may serve the mount. */
async function storageBytes(dovecot: Dovecot, user: string): Promise<number> {
  const directory = `${dovecot.config.mailRoot}/${user}/mdbox/storage`
  const args = [directory, '-name', 'm.*', '-printf', '%s\n']
  const { stdout } = await run('find', args, { timeout: 60_000 })
  return stdout.split('\n').reduce((sum, size) => sum + Number(size), 0)
}

const purged: Scenario = {
  title: 'doveadm purge gives back the space of expunged messages and keeps the others',
  formats: ['mdbox'],
  async run(dovecot, t) {
    await deliverTo(dovecot, t, { user: 'purger', count: 30 })
    const imap = await dovecot.imap('purger')
    await imap.command('SELECT INBOX')
    await imap.command('CREATE Copies')
    await imap.command('UID COPY 5:10 Copies')
    await imap.command('UID STORE 1:20 +FLAGS.SILENT (\\Deleted)')
    await imap.command('EXPUNGE')
    await imap.logout()
    const [mailBefore, bytesBefore] = [
      await mailSnapshot(dovecot, 'purger'),
      await storageBytes(dovecot, 'purger')
    ]
    await dovecot.doveadm(['purge', '-u', 'purger'])
    t.ok((await storageBytes(dovecot, 'purger')) < bytesBefore * 0.7, 'fewer bytes')
    t.strictSame(await mailSnapshot(dovecot, 'purger'), mailBefore)
    await deliverTo(dovecot, t, { user: 'purger', count: 1 })
  }
}

/** A user with mailboxes, flags and gaps among the UIDs. */
async function livedIn(dovecot: Dovecot, user: string): Promise<void> {
  const imap = await dovecot.imap(user)
  for (const mailbox of ['INBOX', 'Work', 'Work/Done']) {
    if (mailbox !== 'INBOX') await imap.command(`CREATE "${mailbox}"`)
    for (const number of oneTo(8)) await imap.append(mailbox, ['\\Seen'], messageOf(number))
    await imap.command(`SELECT "${mailbox}"`)
    await imap.command('UID STORE 2:5 +FLAGS (\\Flagged $Work)')
    await imap.command('UID STORE 3,8 +FLAGS (\\Deleted)')
    await imap.command('EXPUNGE')
  }
  await imap.command('SUBSCRIBE Work')
  await imap.logout()
}

const resynced: Scenario = {
  title: 'doveadm force-resync finds nothing to change',
  async run(dovecot, t) {
    await livedIn(dovecot, 'resyncer')
    const before = await mailSnapshot(dovecot, 'resyncer')
    await dovecot.doveadm(['force-resync', '-u', 'resyncer', '*'])
    t.strictSame(await mailSnapshot(dovecot, 'resyncer'), before)
  }
}

const restarted: Scenario = {
  title: 'all mail is the same after Dovecot was stopped and started again',
  async run(dovecot, t) {
    await livedIn(dovecot, 'keeper')
    const before = await mailSnapshot(dovecot, 'keeper')
    await dovecot.restart()
    t.strictSame(await mailSnapshot(dovecot, 'keeper'), before)
    await deliverTo(dovecot, t, { user: 'keeper', count: 1 })
    const imap = await dovecot.imap('keeper')
    await imap.command('SELECT INBOX')
    t.strictSame(await imap.search('ALL'), [1, 2, 4, 5, 6, 7, 9])
    await imap.logout()
  }
}

export const maintenanceScenarios: readonly Scenario[] = [
  concurrent,
  concurrentMoves,
  purged,
  resynced,
  restarted
]
