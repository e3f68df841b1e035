/**
 * What IMAP clients do with mailboxes: create, rename, delete, subscribe, ask for their status.
 */

import type { ImapClient } from '../support/imap-client.ts'
import { mailboxesOf } from './mail-snapshot.ts'
import { messageOf, type Scenario } from './scenario.ts'

async function subscribed(imap: ImapClient): Promise<string[]> {
  const { lines } = await imap.command('LSUB "" *')
  return lines.map(({ text }) => text.replace(/^.* "?([^"]*)"?$/, '$1')).sort()
}

const created: Scenario = {
  title: 'mailboxes are created with parents, international and awkward names',
  async run(dovecot, t) {
    const imap = await dovecot.imap('creator')
    const names = ['Archive/2007/July', 'Entw&APw-rfe', 'With space', 'a&-b']
    for (const name of names) {
      await imap.command(`CREATE "${name}"`)
      await imap.append(name, [], messageOf(1))
    }
    const again = await imap.attempt('CREATE "With space"')
    t.equal(again.status, 'NO', 'a name that is taken')
    const listed = await mailboxesOf(imap)
    t.ok(
      names.every(name => listed.includes(name)),
      listed.join(', ')
    )
    const { lines } = await imap.command('STATUS "Archive/2007/July" (MESSAGES UIDNEXT UNSEEN)')
    t.match(lines[0]?.text, 'MESSAGES 1 UIDNEXT 2 UNSEEN 1')
    await imap.logout()
  }
}

const renamed: Scenario = {
  title: 'a mailbox is renamed with its children, and the mail in them stays',
  async run(dovecot, t) {
    const imap = await dovecot.imap('renamer')
    for (const name of ['Old', 'Old/Child', 'Old/Child/Grandchild']) {
      await imap.command(`CREATE "${name}"`)
      await imap.append(name, ['\\Flagged'], messageOf(1))
    }
    await imap.command('RENAME Old New')
    const listed = await mailboxesOf(imap)
    t.strictSame(listed, ['INBOX', 'New', 'New/Child', 'New/Child/Grandchild'])
    for (const name of listed.slice(1)) {
      await imap.command(`SELECT "${name}"`)
      const [message] = await imap.fetch('1:*', 'BODY.PEEK[]')
      t.strictSame(message?.flags, ['\\Flagged'], name)
      t.ok(message?.body?.equals(messageOf(1)), name)
    }
    await imap.command('RENAME New/Child Elsewhere')
    t.strictSame(await mailboxesOf(imap), ['Elsewhere', 'Elsewhere/Grandchild', 'INBOX', 'New'])
    await imap.command('CREATE Old')
    await imap.command('SELECT Old')
    t.strictSame(await imap.search('ALL'), [], 'the old name can be used anew')
    await imap.logout()
  }
}

const deleted: Scenario = {
  title: 'a mailbox is deleted while its children stay, and its name can be used anew',
  async run(dovecot, t) {
    const imap = await dovecot.imap('deleter')
    for (const name of ['Top', 'Top/Child']) {
      await imap.command(`CREATE "${name}"`)
      await imap.append(name, [], messageOf(1))
    }
    await imap.command('DELETE Top')
    // Not asked with LIST: in a maildir Dovecot itself goes on listing the name for a while.
    t.equal((await imap.attempt('SELECT Top')).status, 'NO', 'it is gone')
    await imap.command('SELECT Top/Child')
    t.strictSame(await imap.search('ALL'), [1], 'the mail of the child')
    await imap.command('CREATE Top')
    await imap.command('SELECT Top')
    t.strictSame(await imap.search('ALL'), [], 'nothing of what was deleted')
    await imap.command('UNSELECT')
    await imap.command('DELETE Top/Child')
    await imap.command('DELETE Top')
    for (const name of ['Top', 'Top/Child']) {
      t.equal((await imap.attempt(`SELECT ${name}`)).status, 'NO', `${name} is gone`)
    }
    await imap.logout()
  }
}

const subscriptions: Scenario = {
  title: 'subscriptions are kept for each user, in any session',
  async run(dovecot, t) {
    const imap = await dovecot.imap('subscriber')
    for (const name of ['News', 'News/Daily', 'Lists']) {
      await imap.command(`CREATE "${name}"`)
      await imap.command(`SUBSCRIBE "${name}"`)
    }
    t.strictSame(await subscribed(imap), ['Lists', 'News', 'News/Daily'])
    await imap.command('UNSUBSCRIBE News')
    const other = await dovecot.imap('subscriber')
    t.strictSame(await subscribed(other), ['Lists', 'News/Daily'])
    await imap.logout()
    await other.logout()
  }
}

export const mailboxScenarios: readonly Scenario[] = [created, renamed, deleted, subscriptions]
