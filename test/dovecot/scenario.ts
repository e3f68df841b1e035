/**
 * What a scenario is, and the messages that scenarios deliver.
 *
 * A scenario knows neither the mail root nor the format: it does what mail clients do, and checks
 * what they can see. Each has users of its own, so that scenarios do not depend on each other.
 */

import type { Test } from 'tap'
import type { MailFormat } from '../support/dovecot-config.ts'
import type { Dovecot } from '../support/dovecot.ts'

export interface Scenario {
  /** A sentence that says what Dovecot does on this mail root. */
  readonly title: string
  /** Left out: all formats. */
  readonly formats?: readonly MailFormat[]
  run(dovecot: Dovecot, t: Test): Promise<void>
}

/** A message whose bytes are awkward: dots at line starts, long lines, 8-bit bytes, no text end. */
export function messageOf(number: number, sizeBytes = 2000): Buffer {
  const header =
    `From: Sender ${String(number)} <sender@example.org>\r\nTo: reader@example.org\r\n` +
    `Subject: message number ${String(number)}\r\nMessage-ID: <${String(number)}@example.org>\r\n` +
    'Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
  return Buffer.from(header + bodyTextOf(number, sizeBytes), 'latin1')
}

/** What follows the header of `messageOf`: in it is the word `word<number>x`. */
export function bodyTextOf(number: number, sizeBytes = 2000): string {
  const paragraph =
    `word${String(number)}x begins this one\r\n.\r\n..two dots\r\n.leading dot\r\n\r\n` +
    `gr\xfc\xdfe \xe9\xe8 \xff\r\n${'long line '.repeat(90)}\r\nFrom here on\r\n`
  const text = paragraph.repeat(Math.ceil(sizeBytes / paragraph.length)).slice(0, sizeBytes)
  return `${text.replace(/\r?\n?$/, '')}\r\n`
}

/** The numbers from 1 to count. */
export function oneTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1)
}

/** Delivers messages 1 to count to one user, and fails the test unless each got 250. */
export async function deliverTo(
  dovecot: Dovecot,
  t: Test,
  { user, count }: { user: string; count: number }
): Promise<void> {
  const lmtp = await dovecot.lmtp()
  for (const number of oneTo(count)) {
    const [reply] = await lmtp.deliver([user], messageOf(number))
    t.equal(reply?.code, 250, `message ${String(number)} for ${user}: ${String(reply?.text)}`)
  }
  await lmtp.quit()
}
