/**
 * What IMAP clients do with messages: read, flag, search, append, copy, move, expunge.
 */

import type { Dovecot } from '../support/dovecot.ts'
import type { ImapClient } from '../support/imap-client.ts'
import { messageOf, oneTo, type Scenario } from './scenario.ts'

/** An INBOX with messages 1 to count in it, selected. */
async function filledInbox(dovecot: Dovecot, user: string, count: number): Promise<ImapClient> {
  const imap = await dovecot.imap(user)
  for (const number of oneTo(count)) await imap.append('INBOX', [], messageOf(number))
  await imap.command('SELECT INBOX')
  return imap
}

async function uidsIn(imap: ImapClient, mailbox: string): Promise<number[]> {
  await imap.command(`SELECT "${mailbox}"`)
  return imap.search('ALL')
}

const appended: Scenario = {
  title: 'an appended message is fetched byte by byte as it was, with its flags and date',
  async run(dovecot, t) {
    const imap = await dovecot.imap('appender')
    const date = '"17-Jul-2007 02:44:25 -0700" '
    const message = messageOf(1, 70_000)
    await imap.command('APPEND INBOX (\\Seen $Label) ', date, message)
    await imap.command('SELECT INBOX')
    const [whole] = await imap.fetch('1:*', 'BODY.PEEK[]')
    t.strictSame(whole?.flags, ['$Label', '\\Seen'])
    t.ok(whole?.body?.equals(message), 'the whole message')
    const [header] = await imap.fetch('1', 'BODY.PEEK[HEADER.FIELDS (SUBJECT)]')
    t.equal(header?.body?.toString(), 'Subject: message number 1\r\n\r\n')
    const { lines } = await imap.command('UID FETCH 1 (INTERNALDATE RFC822.SIZE ENVELOPE)')
    const text = lines.map(line => line.text).join('\n')
    t.match(text, /INTERNALDATE "17-Jul-2007 \d\d:44:25/)
    t.match(text, new RegExp(`RFC822.SIZE ${String(message.length)}`))
    t.match(text, /"message number 1"/)
    await imap.logout()
  }
}

const multiAppend: Scenario = {
  title: 'a hundred messages come in with one APPEND, and all of them are there',
  async run(dovecot, t) {
    const imap = await dovecot.imap('multi')
    const parts = oneTo(100).flatMap(number => [' ', messageOf(number)])
    await imap.command('APPEND INBOX', ...parts)
    await imap.command('SELECT INBOX')
    const fetched = await imap.fetch('1:*', 'BODY.PEEK[]')
    t.strictSame(
      fetched.map(({ uid }) => uid),
      oneTo(100)
    )
    t.ok(
      fetched.every(({ uid, body }) => body?.equals(messageOf(uid))),
      'byte by byte'
    )
    await imap.logout()
  }
}

const flags: Scenario = {
  title: 'flags and keywords are set, replaced and removed, and a second session sees it',
  async run(dovecot, t) {
    const imap = await filledInbox(dovecot, 'flagger', 6)
    await imap.command('UID STORE 1:4 +FLAGS (\\Seen \\Flagged $Work)')
    await imap.command('UID STORE 2 -FLAGS (\\Flagged)')
    await imap.command('UID STORE 3 FLAGS (\\Answered keyword)')
    await imap.command('UID STORE 4 FLAGS.SILENT ()')
    await imap.command('UID FETCH 5 BODY[TEXT]')
    const expected = [
      [1, ['$Work', '\\Flagged', '\\Seen']],
      [2, ['$Work', '\\Seen']],
      [3, ['\\Answered', 'keyword']],
      [4, []],
      [5, ['\\Seen']],
      [6, []]
    ]
    const second = await dovecot.imap('flagger')
    await second.command('EXAMINE INBOX')
    for (const client of [imap, second]) {
      const seen = (await client.fetch('1:*')).map(message => [message.uid, message.flags])
      t.strictSame(seen, expected)
      await client.logout()
    }
  }
}

const search: Scenario = {
  title: 'SEARCH finds by text, header, size and flags, and SORT orders',
  async run(dovecot, t) {
    const imap = await filledInbox(dovecot, 'searcher', 12)
    await imap.append('INBOX', ['\\Draft'], messageOf(13, 40_000))
    await imap.command('UID STORE 2,4 +FLAGS (\\Flagged)')
    await imap.command('UID STORE 4 +FLAGS (\\Seen $Work)')
    t.strictSame(await imap.search('TEXT word7x'), [7])
    t.strictSame(await imap.search('BODY "no such text"'), [])
    t.strictSame(await imap.search('SUBJECT "number 1"'), [1, 10, 11, 12, 13])
    t.strictSame(await imap.search('HEADER Message-ID <9@example.org>'), [9])
    t.strictSame(await imap.search('LARGER 30000'), [13])
    t.strictSame(await imap.search('FLAGGED UNSEEN'), [2])
    t.strictSame(await imap.search('OR KEYWORD $Work DRAFT'), [4, 13])
    const { lines } = await imap.command('UID SORT (REVERSE SIZE SUBJECT) US-ASCII 11:13')
    t.match(lines[0]?.text, '* SORT 13')
    await imap.logout()
  }
}

const copied: Scenario = {
  title: 'COPY makes messages of their own, which outlive the originals',
  async run(dovecot, t) {
    const imap = await filledInbox(dovecot, 'copier', 6)
    await imap.command('UID STORE 2 +FLAGS (\\Flagged $Work)')
    await imap.command('CREATE Copies')
    const { text } = await imap.command('UID COPY 1:3 Copies')
    t.match(text, /COPYUID \d+ 1:3 1:3/)
    await imap.command('UID COPY 2 INBOX')
    await imap.command('UID STORE 1:6 +FLAGS.SILENT (\\Deleted)')
    await imap.command('EXPUNGE')
    t.strictSame(await imap.search('ALL'), [7])
    await imap.command('SELECT Copies')
    const copies = await imap.fetch('1:*', 'BODY.PEEK[]')
    t.strictSame(
      copies.map(copy => [copy.uid, copy.flags]),
      [
        [1, []],
        [2, ['$Work', '\\Flagged']],
        [3, []]
      ]
    )
    t.ok(
      copies.every(({ uid, body }) => body?.equals(messageOf(uid))),
      'byte by byte'
    )
    await imap.logout()
  }
}

const moved: Scenario = {
  title: 'MOVE takes messages away here and puts them there, and back',
  async run(dovecot, t) {
    const imap = await filledInbox(dovecot, 'mover', 6)
    await imap.command('CREATE There')
    await imap.command('UID MOVE 2:4 There')
    t.strictSame(await imap.search('ALL'), [1, 5, 6])
    await imap.command('SELECT There')
    const there = await imap.fetch('1:*', 'BODY.PEEK[]')
    const numbers = there.map(({ uid }) => uid)
    t.strictSame(numbers, [1, 2, 3])
    t.ok(
      there.every(({ uid, body }) => body?.equals(messageOf(uid + 1))),
      'byte by byte'
    )
    await imap.command('UID MOVE 3 INBOX')
    t.strictSame(await imap.search('ALL'), [1, 2])
    t.strictSame(await uidsIn(imap, 'INBOX'), [1, 5, 6, 7], 'it has a new UID')
    await imap.logout()
  }
}

const expunged: Scenario = {
  title: 'EXPUNGE removes what is marked deleted, and no UID is given out twice',
  async run(dovecot, t) {
    const imap = await filledInbox(dovecot, 'expunger', 8)
    const other = await dovecot.imap('expunger')
    await other.command('SELECT INBOX')
    await imap.command('STORE 1,3,8 +FLAGS (\\Deleted)')
    await imap.command('UID EXPUNGE 1:3')
    t.strictSame(await imap.search('ALL'), [2, 4, 5, 6, 7, 8])
    await imap.command('EXPUNGE')
    const { lines } = await other.command('NOOP')
    t.equal(lines.filter(({ text }) => text.endsWith(' EXPUNGE')).length, 3, 'told to the other')
    await imap.append('INBOX', [], messageOf(9))
    t.strictSame(await uidsIn(imap, 'INBOX'), [2, 4, 5, 6, 7, 9])
    t.strictSame(await uidsIn(other, 'INBOX'), [2, 4, 5, 6, 7, 9])
    await imap.logout()
    await other.logout()
  }
}

export const messageScenarios: readonly Scenario[] = [
  appended,
  multiAppend,
  flags,
  search,
  copied,
  moved,
  expunged
]
