/**
 * How waits for another replica end: at the configured bound, by a signal, or with what was waited
 * for; and what becomes of open files and locks when the lease they rested on is lost.
 */

import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { FileUser, type Outcome } from '../support/file-user.ts'
import { RoostCluster, type ClusterMember } from '../support/roost-cluster.ts'

const run = promisify(execFile)
const WAIT_MS = 1500
const RENAME_MS = 500
/** What a loaded machine may add to any bound. */
const SLACK_MS = 8000

t.setTimeout(180_000)

t.test('waits end, and what rested on a lost lease is not gone on with', async t => {
  const cluster = await RoostCluster.start(t, {
    stores: 2,
    copies: 2,
    witness: true,
    mountArgs: [
      ...['--set', `lease.waitTimeout=${WAIT_MS}ms`, '--set', `lease.renameTimeout=${RENAME_MS}ms`],
      ...['--set', 'lease.lockGrace=200ms']
    ]
  })
  const [first, second] = cluster.stores as [ClusterMember, ClusterMember]
  await run('mkdir', [`${first.mountpoint}/user`], { timeout: 30_000 })
  const owner = await FileUser.open(t, `${first.mountpoint}/user/locked`)
  t.equal((await owner.do('flock')).answer, 'done')
  await appears(`${second.mountpoint}/user/locked`)

  await t.test('at the configured bound, while a lock keeps the lease elsewhere', async t => {
    const [writer, locker] = [await other(t, second), await other(t, second)]
    const ends = await Promise.all([writer.do('write x'), locker.do('flock')])
    endsAt(t, ends[0], 'EIO', WAIT_MS, 'a write')
    endsAt(t, ends[1], 'ENOLCK', WAIT_MS, 'a lock of the whole file')
    endsAt(t, await locker.do('lock'), 'ENOLCK', WAIT_MS, 'a lock by fcntl')
    const target = `${second.mountpoint}/user/renamed`
    endsAt(t, await writer.do(`rename ${target}`), 'EIO', RENAME_MS, 'a rename')
    t.equal((await owner.do('write here ')).answer, 'done', 'the owner of the lock goes on')
  })

  await t.test('by a signal, at once', async t => {
    const locker = await other(t, second)
    const ending = locker.do('lock')
    await pause(300)
    locker.interrupt()
    const { answer, ms } = await ending
    t.equal(answer, 'EINTR')
    t.ok(ms < WAIT_MS, `after ${ms.toFixed(0)} ms`)
  })

  await t.test('with the lock, when the process that had it has died', async t => {
    const locker = await other(t, second)
    const ending = locker.do('flock')
    await owner.kill()
    t.equal((await ending).answer, 'done')
  })

  await t.test('an open file is of no use when others had the volume meanwhile', async t => {
    const path = `${first.mountpoint}/user/poisoned`
    const written = await FileUser.open(t, path)
    t.equal((await written.do('write one ')).answer, 'done')
    const locked = await FileUser.open(t, path)
    t.equal((await locked.do('lock')).answer, 'done')
    const idle = await FileUser.open(t, path)
    await run('sync', [path], { timeout: 30_000 })
    await appears(`${second.mountpoint}/user/poisoned`)
    const there = await FileUser.open(t, `${second.mountpoint}/user/poisoned`)
    t.teardown(async () => first.signal('SIGCONT'))
    first.signal('SIGSTOP')
    await until(async () => (await there.do('write two ')).answer === 'done')
    first.signal('SIGCONT')
    await until(async () => (await idle.do('write three ')).answer === 'done')
    for (const [user, what] of [
      [written, 'written'],
      [locked, 'locked']
    ] as const) {
      t.equal((await user.do('write lost ')).answer, 'EIO', `what was ${what} is not written`)
      t.equal((await user.do('lock')).answer, 'EIO', `what was ${what} is not locked`)
    }
    const { stdout } = await run('cat', [path], { timeout: 30_000 })
    t.match(stdout, /^one (two )+three $/)
  })
})

function other(t: Test, { mountpoint }: ClusterMember): Promise<FileUser> {
  return FileUser.open(t, `${mountpoint}/user/locked`)
}

function endsAt(t: Test, { answer, ms }: Outcome, error: string, boundMs: number, what: string) {
  t.equal(answer, error, what)
  // Timers of two processes are compared.
  t.ok(ms > boundMs - 50 && ms < boundMs + SLACK_MS, `${what} ends after ${ms.toFixed(0)} ms`)
}

async function appears(path: string): Promise<void> {
  await run('sh', ['-c', `until [ -e ${path} ]; do sleep 0.05; done`], { timeout: 30_000 })
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error('it does not come to that')
    await pause(100)
  }
}
