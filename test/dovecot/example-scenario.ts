/**
 * An example configuration does what it promises: mail comes in, is filed, is read, and stays.
 */

import type { Test } from 'tap'
import { DovecotExample, type ExampleOptions } from '../support/dovecot-example.ts'
import { bodyTextOf, messageOf } from './scenario.ts'

export async function exampleScenario(t: Test, options: ExampleOptions): Promise<void> {
  const dovecot = await DovecotExample.create(options)
  t.teardown(() => dovecot.close())
  await dovecot.start()
  const lmtp = await dovecot.lmtp()
  const replies = [
    ...(await lmtp.deliver(['ann', 'nobody'], messageOf(1))),
    ...(await lmtp.deliver(['ann'], Buffer.from('Subject: file me\r\n\r\nfiled\r\n')))
  ]
  t.strictSame(
    replies.map(({ recipient, code }) => [recipient, code]),
    [
      ['ann', 250],
      ['nobody', 550],
      ['ann', 250]
    ]
  )
  await lmtp.quit()

  await dovecot.stop()
  await dovecot.start()
  const imap = await dovecot.imap()
  for (const [mailbox, text] of [
    ['INBOX', bodyTextOf(1)],
    ['Filed', 'filed\r\n']
  ] as const) {
    await imap.command(`SELECT ${mailbox}`)
    const messages = await imap.fetch('1:*', 'BODY.PEEK[TEXT]')
    t.strictSame(
      messages.map(({ uid, flags, body }) => [uid, flags, body?.toString('latin1')]),
      [[1, [], text]],
      mailbox
    )
  }
  await imap.logout()
  await dovecot.stop()
  t.strictSame(dovecot.problems(), [], 'Dovecot complains of nothing')
}
