/**
 * Mail comes in: LMTP, sieve, IDLE; and goes out by POP3.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bodyTextOf, deliverTo, messageOf, oneTo, type Scenario } from './scenario.ts'
import { mailboxesOf } from './mail-snapshot.ts'

const oneRecipient: Scenario = {
  title: 'LMTP delivers to one user, and IMAP reads every byte of it',
  async run(dovecot, t) {
    await deliverTo(dovecot, t, { user: 'single', count: 5 })
    const imap = await dovecot.imap('single')
    await imap.command('SELECT INBOX')
    const messages = await imap.fetch('1:*', 'BODY.PEEK[TEXT]')
    t.strictSame(
      messages.map(({ uid, body }) => [uid, body?.toString('latin1')]),
      oneTo(5).map(number => [number, bodyTextOf(number)])
    )
    await imap.logout()
  }
}

const threeRecipients: Scenario = {
  title: 'LMTP delivers one message to three users in one transaction',
  async run(dovecot, t) {
    const users = ['three-a', 'three-b', 'three-c']
    const lmtp = await dovecot.lmtp()
    const replies = await lmtp.deliver(users, messageOf(1))
    t.strictSame(
      replies.map(({ recipient, code }) => [recipient, code]),
      users.map(user => [user, 250])
    )
    await lmtp.quit()
    for (const user of users) {
      const imap = await dovecot.imap(user)
      await imap.command('SELECT INBOX')
      const [message] = await imap.fetch('1:*', 'BODY.PEEK[TEXT]')
      t.equal(message?.body?.toString('latin1'), bodyTextOf(1), user)
      await imap.logout()
    }
  }
}

const largeMessage: Scenario = {
  title: 'a message of three megabytes is delivered and read whole and in parts',
  async run(dovecot, t) {
    const lmtp = await dovecot.lmtp()
    const [reply] = await lmtp.deliver(['large'], messageOf(1, 3_000_000))
    t.equal(reply?.code, 250)
    await lmtp.quit()
    const imap = await dovecot.imap('large')
    await imap.command('SELECT INBOX')
    const [whole] = await imap.fetch('1', 'BODY.PEEK[TEXT]')
    const text = bodyTextOf(1, 3_000_000)
    t.ok(whole?.body?.equals(Buffer.from(text, 'latin1')), 'the whole text')
    const [part] = await imap.fetch('1', 'BODY.PEEK[TEXT]<2000000.5000>')
    t.equal(part?.body?.toString('latin1'), text.slice(2_000_000, 2_005_000), 'a part of it')
    await imap.logout()
  }
}

const idle: Scenario = {
  title: 'a client in IDLE is told of a delivery and of a flag set elsewhere',
  async run(dovecot, t) {
    await deliverTo(dovecot, t, { user: 'idler', count: 1 })
    const [idler, other] = [await dovecot.imap('idler'), await dovecot.imap('idler')]
    await idler.command('SELECT INBOX')
    await other.command('SELECT INBOX')
    const watching = await idler.idle()
    await deliverTo(dovecot, t, { user: 'idler', count: 1 })
    t.equal(await watching.next(/EXISTS/), '* 2 EXISTS')
    await other.command('UID STORE 1 +FLAGS (\\Flagged)')
    t.match(await watching.next(/FETCH/), /^\* 1 FETCH \(.*\\Flagged/)
    t.equal((await watching.done()).status, 'OK')
    await idler.logout()
    await other.logout()
  }
}

const sieve: Scenario = {
  title: 'a sieve script files a message into a folder that it creates, and is compiled anew',
  async run(dovecot, t) {
    const lmtp = await dovecot.lmtp()
    for (const folder of ['Filed', 'Other/Deep']) {
      const script = join(dovecot.config.stateDir, 'filter.sieve')
      await writeFile(script, sieveScriptFor(folder))
      await dovecot.doveadm(['sieve', 'put', '-u', 'siever', '-a', 'filter', script])
      const replies = [
        ...(await lmtp.deliver(['siever'], messageOf(7))),
        ...(await lmtp.deliver(['siever'], messageOf(8)))
      ]
      t.strictSame(
        replies.map(reply => reply.code),
        [250, 250]
      )
    }
    await lmtp.quit()
    const imap = await dovecot.imap('siever')
    const mailboxes = await mailboxesOf(imap)
    for (const folder of ['Filed', 'Other/Deep']) {
      t.ok(mailboxes.includes(folder), `${folder} was created`)
      await imap.command(`SELECT "${folder}"`)
      const filed = await imap.fetch('1:*', 'BODY.PEEK[TEXT]')
      t.strictSame(
        filed.map(({ flags, body }) => [flags, body?.toString('latin1')]),
        [[['\\Flagged'], bodyTextOf(7)]],
        `the message in ${folder}`
      )
    }
    await imap.command('SELECT INBOX')
    t.strictSame(await imap.search('ALL'), [1, 2], 'the others are in INBOX')
    await imap.logout()
  }
}

function sieveScriptFor(folder: string): string {
  return `require ["fileinto", "mailbox", "imap4flags"];
if header :contains "subject" "number 7" {
  fileinto :create :flags "\\\\Flagged" "${folder}";
}
`
}

const pop3: Scenario = {
  title: 'POP3 counts, lists, retrieves and deletes messages',
  async run(dovecot, t) {
    await deliverTo(dovecot, t, { user: 'popper', count: 4 })
    const first = await dovecot.pop3('popper')
    const { count, sizeBytes } = await first.stat()
    t.equal(count, 4)
    const list = (await first.multiline('LIST')).toString('latin1').trim().split('\r\n')
    const sizes = list.map(line => Number(line.split(' ')[1]))
    t.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      sizeBytes
    )
    const uidsBefore = await first.multiline('UIDL')
    for (const number of oneTo(4)) {
      const message = await first.multiline(`RETR ${String(number)}`)
      t.equal(message.length, sizes[number - 1])
      t.ok(message.toString('latin1').endsWith(`\r\n\r\n${bodyTextOf(number)}`), 'its text')
    }
    await first.command('DELE 2')
    await first.quit()
    const second = await dovecot.pop3('popper')
    t.equal((await second.stat()).count, 3)
    const uidsLeft = uidsBefore
      .toString()
      .split('\r\n')
      .filter((_, at) => at !== 1)
    const uidsAfter = (await second.multiline('UIDL')).toString().split('\r\n')
    t.strictSame(uidsAfter.map(ending), uidsLeft.map(ending), 'the others keep their ids')
    await second.quit()
  }
}

function ending(line: string): string {
  return line.replace(/^\d+ /, '')
}

export const deliveryScenarios: readonly Scenario[] = [
  oneRecipient,
  threeRecipients,
  largeMessage,
  idle,
  sieve,
  pop3
]
