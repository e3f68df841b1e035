/**
 * All that a mail client can see of a user's mail, as plain values to compare.
 */

import { createHash } from 'node:crypto'
import type { Dovecot } from '../support/dovecot.ts'
import type { ImapClient } from '../support/imap-client.ts'

export interface MailboxSnapshot {
  readonly uidValidity: number
  readonly uidNext: number
  readonly messages: readonly MessageSnapshot[]
}

export interface MessageSnapshot {
  readonly uid: number
  readonly flags: readonly string[]
  readonly sha256: string
}

/** Every mailbox of the user by name, with all messages read in full, and the subscriptions. */
export async function mailSnapshot(
  dovecot: Dovecot,
  user: string
): Promise<Record<string, MailboxSnapshot | readonly string[]>> {
  const imap = await dovecot.imap(user)
  const snapshot: Record<string, MailboxSnapshot | readonly string[]> = {}
  for (const mailbox of await mailboxesOf(imap)) {
    snapshot[mailbox] = await mailboxSnapshot(imap, mailbox)
  }
  snapshot['subscriptions of'] = await namesOf(imap, 'LSUB "" *')
  await imap.logout()
  return snapshot
}

/** The mailboxes that can be selected, in the order of their names. */
export function mailboxesOf(imap: ImapClient): Promise<string[]> {
  return namesOf(imap, 'LIST "" *')
}

async function namesOf(imap: ImapClient, command: string): Promise<string[]> {
  const { lines } = await imap.command(command)
  const names = lines.flatMap(({ text }) => {
    const [, flags = '', name] = /^\* (?:LIST|LSUB) \((.*?)\) "." "?(.*?)"?$/.exec(text) ?? []
    return name === undefined || /\\(?:NoSelect|NonExistent)/i.test(flags) ? [] : [name]
  })
  return names.sort()
}

async function mailboxSnapshot(imap: ImapClient, mailbox: string): Promise<MailboxSnapshot> {
  const { lines } = await imap.command(`EXAMINE "${mailbox}"`)
  const text = lines.map(line => line.text).join('\n')
  const messages = text.includes('* 0 EXISTS') ? [] : await imap.fetch('1:*', 'BODY.PEEK[]')
  return {
    uidValidity: Number(/UIDVALIDITY (\d+)/.exec(text)?.[1]),
    uidNext: Number(/UIDNEXT (\d+)/.exec(text)?.[1]),
    messages: messages.map(({ uid, flags, body }) => {
      const sha256 = createHash('sha256')
        .update(body ?? 'no body')
        .digest('hex')
      return { uid, flags, sha256 }
    })
  }
}
