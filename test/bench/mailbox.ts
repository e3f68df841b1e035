/** Measures IMAP with a large mailbox, by a real Dovecot whose mail lies on one target. */

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startDovecot, type Dovecot } from '../support/dovecot.ts'
import { PASSWORD, type MailFormat } from '../support/dovecot-config.ts'
import { ImapDrain, type Drained } from '../support/imap-drain.ts'
import { bodyOf } from '../support/lmtp-load.ts'
import { runCommand } from './bench-command.ts'
import type { BenchTarget } from './bench-target.ts'
import type { Figure } from './figure.ts'
import { medianOf } from './median.ts'
import { requestsPerUnit } from './round-trips.ts'

const USER = 'user1'
const MESSAGE_BYTES = 8192
/** Messages of one APPEND, which takes several. */
const APPENDED_AT_ONCE = 500
/** A command is timed so often; what is cached stays so in between. */
const SELECTS = 11
const FETCHES = 3
const STORES = 4

export interface MailboxSizes {
  readonly messages: number
  /** Messages that get a flag, or lose it, by one command. */
  readonly flagged: number
  /** Before anything is measured: Dovecot looks again at a folder that changed a moment ago. */
  readonly settleMs: number
}

/** SELECT and FETCH are timed in new sessions, as clients come; nothing but memory is read. */
export async function measureMailbox(
  target: BenchTarget,
  format: MailFormat,
  sizes: MailboxSizes
): Promise<Figure[]> {
  const mailRoot = join(target.directory, `mailbox-${randomUUID()}`)
  const config = { mailRoot, format, lockMethod: 'fcntl', mmapDisable: false } as const
  try {
    // Filling is not measured, and need not wait for the disk.
    await withDovecot({ ...config, extraConfig: 'mail_fsync = never' }, dovecot =>
      fill(dovecot, sizes.messages)
    )
    await runCommand('sync', [])
    return await withDovecot(config, dovecot => measured(target, dovecot, format, sizes))
  } finally {
    await runCommand('rm', ['-rf', mailRoot])
  }
}

async function withDovecot<Result>(
  options: Parameters<typeof startDovecot>[0],
  task: (dovecot: Dovecot) => Promise<Result>
): Promise<Result> {
  const dovecot = await startDovecot(options)
  try {
    return await task(dovecot)
  } finally {
    await dovecot.close()
  }
}

async function fill(dovecot: Dovecot, messages: number): Promise<void> {
  const client = await dovecot.imap(USER)
  const body = bodyOf(MESSAGE_BYTES)
  for (let first = 0; first < messages; first += APPENDED_AT_ONCE) {
    const count = Math.min(APPENDED_AT_ONCE, messages - first)
    const parts = Array.from({ length: count }, (_, n) => {
      const head = `From: a@example.org\r\nSubject: message ${String(first + n)}\r\n\r\n`
      return [' ', Buffer.concat([Buffer.from(head), body])]
    })
    await client.command('APPEND INBOX', ...parts.flat())
  }
  await client.logout()
}

async function measured(
  target: BenchTarget,
  dovecot: Dovecot,
  format: MailFormat,
  { messages, flagged, settleMs }: MailboxSizes
): Promise<Figure[]> {
  const select = 'SELECT INBOX'
  const fetch = 'UID FETCH 1:* (BODY.PEEK[])'
  const store = (n: number): string =>
    `STORE 1:${String(flagged)} ${n % 2 === 0 ? '+' : '-'}FLAGS.SILENT (\\Flagged)`
  const times = async (count: number, units: number, commandOf: (n: number) => string[]) => {
    const before = await target.requests()
    const runs: Drained[] = []
    for (let n = 0; n < count; n++) runs.push(await lastOf(dovecot, commandOf(n)))
    return { runs, requests: requestsPerUnit(before, await target.requests(), count * units) }
  }
  // Twice: after the kernel has asked for a file's bytes, it asks for its attributes once more.
  for (let n = 0; n < 2; n++) await lastOf(dovecot, [select, fetch])
  await pause(settleMs)
  const selects = await times(SELECTS, 1, () => [select])
  const fetches = await times(FETCHES, messages, () => [select, fetch])
  const stores = await times(STORES, flagged, n => [select, store(n)])
  const msOf = ({ seconds }: Drained): number => seconds * 1000
  return [
    {
      name: `SELECT, ${format}, of ${String(messages)} messages`,
      unit: 'ms',
      value: medianOf(selects.runs, msOf),
      requests: selects.requests
    },
    {
      name: `FETCH, ${format}, of all their bodies`,
      unit: 'MB/s',
      value: medianOf(fetches.runs, ({ bytes, seconds }) => bytes / seconds / 1e6),
      requests: fetches.requests
    },
    {
      name: `STORE, ${format}, of a flag on ${String(flagged)}`,
      unit: 'ms',
      value: medianOf(stores.runs, msOf),
      requests: stores.requests
    }
  ]
}

/** Runs commands in a session of their own. @returns how the last one went */
async function lastOf(dovecot: Dovecot, commands: readonly string[]): Promise<Drained> {
  const client = await ImapDrain.login(dovecot.imapSocket, USER, PASSWORD)
  try {
    let last: Drained = { bytes: 0, seconds: 0 }
    for (const command of commands) last = await client.run(command)
    return last
  } finally {
    client.close()
  }
}
