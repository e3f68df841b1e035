/**
 * The Dovecot under test is itself to be trusted: it starts, counts, and leaves nothing behind.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { startDovecot, type Dovecot, type DovecotOptions } from '../support/dovecot.ts'
import { runLmtpLoad, type LmtpLoadResult } from '../support/lmtp-load.ts'
import { localMailRootFor } from '../support/mail-root.ts'
import { mailSnapshot } from './mail-snapshot.ts'
import { deliverTo, messageOf } from './scenario.ts'

// Many starts and stops, each of a second or more.
t.setTimeout(300_000)

async function dovecotFor(t: Test, options: Partial<DovecotOptions> = {}): Promise<Dovecot> {
  const dovecot = await startDovecot({
    mailRoot: await localMailRootFor(t),
    format: 'maildir',
    lockMethod: 'fcntl',
    mmapDisable: false,
    ...options
  })
  t.teardown(() => dovecot.close())
  return dovecot
}

async function processesInGroup(group: number | undefined): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const stats = await Promise.all(
    pids.map(pid => readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ''))
  )
  return stats.filter(stat => {
    const [state, , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(processGroup) === group && state !== 'Z'
  })
}

t.test('two Dovecots run at once on one mail root, under their own host names', async t => {
  const first = await dovecotFor(t)
  const second = await dovecotFor(t, { mailRoot: first.config.mailRoot })
  await deliverTo(first, t, { user: 'ann', count: 2 })
  await deliverTo(second, t, { user: 'ann', count: 2 })
  t.strictSame(await mailSnapshot(first, 'ann'), await mailSnapshot(second, 'ann'))
  const { stdout } = await first.doveadm(['search', '-u', 'ann', 'all'])
  t.equal(stdout.trim().split('\n').length, 4)
  const directory = `${first.config.mailRoot}/ann/Maildir`
  const names = [...(await readdir(`${directory}/new`)), ...(await readdir(`${directory}/cur`))]
  for (const { hostname } of [first, second]) {
    t.equal(names.filter(name => name.includes(`.${hostname},`)).length, 2, hostname)
  }
  t.strictSame([...first.problems(), ...second.problems()], [])
})

t.test('a stop leaves no process, with sessions open and after a kill', async t => {
  const dovecot = await dovecotFor(t)
  const imap = await dovecot.imap('ann')
  await imap.command('SELECT INBOX')
  await imap.idle()
  const group = dovecot.pid
  t.ok((await processesInGroup(group)).length > 3, 'there are some before')
  await dovecot.stop()
  t.strictSame(await processesInGroup(group), [])
  await dovecot.start()
  const second = dovecot.pid
  dovecot.kill()
  await dovecot.stop()
  t.strictSame(await processesInGroup(second), [])
})

t.test('only named users exist, if users are named', async t => {
  const dovecot = await dovecotFor(t, { users: ['ann', 'bob'] })
  const lmtp = await dovecot.lmtp()
  const replies = await lmtp.deliver(['ann', 'nobody', 'bob'], messageOf(1))
  t.strictSame(
    replies.map(({ recipient, code }) => [recipient, code]),
    [
      ['ann', 250],
      ['nobody', 550],
      ['bob', 250]
    ]
  )
  await lmtp.quit()
  t.equal(Object.keys(await mailSnapshot(dovecot, 'bob')).length, 2)
})

t.test('trouble in the log is found and free of what differs between runs', async t => {
  const mailRoot = await localMailRootFor(t)
  const problems: string[][] = []
  for (const user of ['ann', 'bob']) {
    const extraConfig = `mail_location = maildir:${mailRoot}/no/such:INBOX=/proc/${user}`
    const dovecot = await dovecotFor(t, { mailRoot, extraConfig })
    const lmtp = await dovecot.lmtp()
    const [reply] = await lmtp.deliver(['carl'], messageOf(1))
    t.equal(reply?.code, 451)
    // The line goes through Dovecot's log process, which may be behind the answer until it ends.
    await dovecot.stop()
    problems.push(dovecot.problems().map(line => line.replace(user, 'USER')))
  }
  t.ok((problems[0]?.length ?? 0) > 0, (problems[0] ?? []).join('\n'))
  t.strictSame(problems[0], problems[1])
})

t.test('a load tells of each message whether it was accepted, also when Dovecot dies', async t => {
  const dovecot = await dovecotFor(t)
  const users = ['ann', 'bob', 'carl']
  const accepted: string[] = []
  const options = { socketPath: dovecot.lmtpSocket, users, clients: 4, sizeBytes: 3000 }
  const result = await runLmtpLoad({
    ...options,
    messages: Infinity,
    warmUp: true,
    onAccepted: (user, messageId) => {
      accepted.push(`${user} ${messageId}`)
      if (accepted.length === 50) dovecot.kill()
    }
  })
  t.ok(result.delivered >= 50)
  t.strictSame(
    result.acceptedIds.map(({ user, messageId }) => `${user} ${messageId}`),
    accepted
  )
  await dovecot.restart()
  for (const user of users) {
    const query = ['fetch', '-u', user, 'hdr.message-id', 'mailbox', 'INBOX', 'all']
    const { stdout } = await dovecot.doveadm(query)
    const mine = result.acceptedIds.filter(message => message.user === user)
    t.ok(
      mine.every(({ messageId }) => stdout.includes(messageId)),
      `every message accepted for ${user} is there`
    )
  }
})

t.test('a load runs as a program of its own, and prints its result', async t => {
  const dovecot = await dovecotFor(t)
  const script = fileURLToPath(new URL('../support/lmtp-load.ts', import.meta.url))
  const options = `--socket ${dovecot.lmtpSocket} --clients 2 --messages 20 --users 3 --json`
  const child = spawn(process.execPath, [...process.execArgv, script, ...options.split(' ')], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(child, 'close')
  const result = JSON.parse(text) as LmtpLoadResult
  t.equal(result.delivered, 20)
  t.equal(result.acceptedIds.length, 20)
  t.strictSame(result.failures, {})
})
