/**
 * Measures how long a mount does nothing when its daemon is killed and started again by the parent,
 * with many files in the store: for a program that writes and syncs, and in an open IMAP session.
 */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startDovecot } from '../support/dovecot.ts'
import { mountRoost, type RoostMount } from '../support/roost-mount.ts'
import { runCommand } from './bench-command.ts'
import type { Figure } from './figure.ts'
import { fillMailSpool } from './mail-spool.ts'
import { medianOf } from './median.ts'

const CHILD = fileURLToPath(new URL('./restart-child.ts', import.meta.url))
const MESSAGES_PER_USER = 1000
const MESSAGES = 20
const PATIENCE_MS = 60_000

export interface RestartSizes {
  /** No more than a daemon is started again in a minute. */
  readonly kills: number
  /** Before and after a kill, so that what was asked is long answered. */
  readonly servingMs: number
}

interface Amounts {
  readonly sizes: { readonly restart: RestartSizes }
  readonly files: number
  /** A directory whose store is used again, and filled and kept where it is not there. */
  readonly store: string | undefined
}

interface Outage {
  readonly writerMs: number
  readonly imapMs: number
}

export async function measureRestart({ files, store, sizes }: Amounts): Promise<Figure[]> {
  const directory = store ?? (await mkdtemp(join(tmpdir(), 'bench-restart-')))
  await mkdir(directory, { recursive: true })
  const users = Math.ceil(files / MESSAGES_PER_USER)
  const messages = Math.min(files, MESSAGES_PER_USER)
  await fillMailSpool(join(directory, 'data'), { users, messages })
  const mount = await mountRoost(undefined, { directory, isSupervised: true })
  try {
    const outages = await outagesOf(mount, sizes.restart)
    const of = `with ${String(users * messages)} files`
    return [
      { name: `kill -9, until a write is synced, ${of}`, unit: 's', value: writers(outages) },
      { name: `kill -9, until IMAP answers, ${of}`, unit: 's', value: sessions(outages) }
    ]
  } finally {
    await mount.stop()
    if (store === undefined) await rm(directory, { recursive: true })
  }
}

function writers(outages: Outage[]): number {
  return medianOf(outages, outage => outage.writerMs) / 1000
}

function sessions(outages: Outage[]): number {
  return medianOf(outages, outage => outage.imapMs) / 1000
}

async function outagesOf(mount: RoostMount, sizes: RestartSizes): Promise<Outage[]> {
  const { kills, servingMs } = sizes
  const mailRoot = join(mount.mountpoint, 'restarted')
  const dovecot = await startDovecot({
    mailRoot,
    format: 'maildir',
    lockMethod: 'fcntl',
    mmapDisable: false
  })
  try {
    const imap = await dovecot.imap('user1')
    for (let n = 1; n <= MESSAGES; n++) {
      await imap.append('INBOX', [], Buffer.from(`Subject: ${String(n)}\r\n\r\nHello\r\n`))
    }
    await imap.command('SELECT INBOX')
    const outages: Outage[] = []
    for (let kill = 1; kill <= kills; kill++) {
      await pause(servingMs)
      // What was not read before is not in the caches of the kernel.
      const ask = (): Promise<unknown> => imap.command(`FETCH ${String(kill)} BODY[]`)
      outages.push(await outageOf(mount.pid, mailRoot, servingMs, ask))
    }
    return outages
  } finally {
    await dovecot.close()
    await runCommand('rm', ['-rf', mailRoot])
  }
}

async function outageOf(
  parent: number,
  directory: string,
  servingMs: number,
  ask: () => Promise<unknown>
): Promise<Outage> {
  const args = [...process.execArgv, CHILD, 'outage', directory]
  const writer = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const timer = setTimeout(() => writer.kill('SIGKILL'), PATIENCE_MS)
  const lines = createInterface({ input: writer.stdout })[Symbol.asyncIterator]()
  await lines.next()
  await pause(servingMs)
  const begun = performance.now()
  process.kill(daemonOf(parent), 'SIGKILL')
  await ask()
  const imapMs = performance.now() - begun
  await pause(servingMs)
  writer.stdin.end()
  const writerMs = Number((await lines.next()).value)
  clearTimeout(timer)
  if (!(writerMs > 0)) throw new Error('the writer was not served again')
  return { writerMs, imapMs }
}

/** The one child of the parent. */
function daemonOf(parent: number): number {
  const pid = String(parent)
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0])
}
