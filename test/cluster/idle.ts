/**
 * IMAP IDLE on one replica hears of a mail that LMTP delivers on another, in all formats. Dovecot
 * looks by itself only every ten minutes, so nothing but being woken can have told it.
 */

import t from 'tap'
import { MAIL_UID, startDovecot, type Dovecot } from '../support/dovecot.ts'
import { RoostCluster } from '../support/roost-cluster.ts'

const MAILS = 3
const FORMATS = ['maildir', 'sdbox', 'mdbox'] as const

t.setTimeout(240_000)

t.test('a mail that another server takes is announced', async t => {
  const cluster = await RoostCluster.start(t, { stores: 2, copies: 2, owner: MAIL_UID })
  for (const format of FORMATS) {
    const user = `idle-${format}`
    const [here, there] = (await Promise.all(
      cluster.stores.map(({ mountpoint: mailRoot }, at) => {
        const hostname = `server${at + 1}`
        return startDovecot({ mailRoot, format, lockMethod: 'fcntl', mmapDisable: false, hostname })
      })
    )) as [Dovecot, Dovecot]
    t.teardown(() => Promise.all([here.close(), there.close()]))
    await deliver(here, user, 'before')
    const client = await there.imap(user)
    await client.command('SELECT INBOX')
    const idle = await client.idle()
    const waits: number[] = []
    for (let n = 1; n <= MAILS; n++) {
      await deliver(here, user, `mail ${n}`)
      const answered = performance.now()
      await idle.next(new RegExp(`^\\* ${n + 1} EXISTS`))
      waits.push(Math.round(performance.now() - answered))
    }
    await idle.done()
    t.pass(`${format}: announced ${waits.join(', ')} ms after the delivery's answer`)
    await client.logout()
    await Promise.all([here.stop(), there.stop()])
    t.same([...here.problems(), ...there.problems()], [], `${format}: no Dovecot complains`)
  }
})

async function deliver(dovecot: Dovecot, user: string, subject: string): Promise<void> {
  const client = await dovecot.lmtp()
  const text = `Subject: ${subject}\r\nFrom: a@example.org\r\n\r\nhello\r\n`
  const [reply] = await client.deliver([user], Buffer.from(text))
  if (reply?.code !== 250) throw new Error(`the delivery was answered with ${reply?.code}`)
  await client.quit()
}
