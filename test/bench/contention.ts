/** Measures what is left of the rate of deliveries while another process reads cold bodies. */

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startDovecot, type Dovecot } from '../support/dovecot.ts'
import { runLmtpLoad } from '../support/lmtp-load.ts'
import { runChild, runCommand } from './bench-command.ts'
import type { BenchTarget } from './bench-target.ts'
import type { Figure } from './figure.ts'

const CHILD = fileURLToPath(new URL('./bodies-child.ts', import.meta.url))
const MESSAGE_BYTES = 8192
const USERS = Array.from({ length: 20 }, (_, n) => `user${String(n + 1)}`)
const WARM_UP_CLIENTS = 8

export interface ContentionSizes {
  /** Bodies that are read, and the bytes of each. */
  readonly bodies: number
  readonly bodyBytes: number
  /** Deliveries before anything is measured. */
  readonly warmUp: number
  /** How long deliveries are measured alone. */
  readonly aloneMs: number
}

export async function measureContention(
  target: BenchTarget,
  clients: number,
  sizes: ContentionSizes
): Promise<Figure[]> {
  const [mail, bodies] = ['mail', 'bodies'].map(what =>
    join(target.directory, `${what}-${randomUUID()}`)
  ) as [string, string]
  const args = [bodies, String(sizes.bodies), String(sizes.bodyBytes)]
  await runCommand('mkdir', [bodies])
  try {
    await runChild(CHILD, ['make', ...args])
    await target.chill()
    const dovecot = await startDovecot({
      mailRoot: mail,
      format: 'maildir',
      lockMethod: 'fcntl',
      mmapDisable: false
    })
    try {
      await deliver(dovecot, 1, USERS.length)
      await deliver(dovecot, WARM_UP_CLIENTS, sizes.warmUp)
      return await measured(dovecot, clients, sizes.aloneMs, () =>
        runChild(CHILD, ['read', ...args])
      )
    } finally {
      await dovecot.close()
    }
  } finally {
    await runCommand('rm', ['-rf', mail, bodies])
  }
}

async function measured(
  dovecot: Dovecot,
  clients: number,
  aloneMs: number,
  read: () => Promise<string>
): Promise<Figure[]> {
  const stop = new AbortController()
  let accepted = 0
  const load = deliver(dovecot, clients, Infinity, stop.signal, () => accepted++)
  try {
    const rateDuring = async (task: Promise<unknown>): Promise<number> => {
      const [before, start] = [accepted, performance.now()]
      await task
      return ((accepted - before) / (performance.now() - start)) * 1000
    }
    const alone = await rateDuring(new Promise(resolve => setTimeout(resolve, aloneMs)))
    const reading = read()
    const beside = await rateDuring(reading)
    const { bytes, seconds } = JSON.parse(await reading) as { bytes: number; seconds: number }
    const by = `by ${String(clients)} ${clients === 1 ? 'client' : 'clients'}`
    return [
      { name: `deliveries ${by}`, unit: '/s', value: alone },
      { name: `deliveries ${by} beside a reader`, unit: '/s', value: beside },
      { name: `deliveries kept beside a reader, ${by}`, unit: '', value: beside / alone },
      {
        name: `cold bodies read beside deliveries ${by}`,
        unit: 'MB/s',
        value: bytes / seconds / 1e6
      }
    ]
  } finally {
    stop.abort()
    await load
  }
}

async function deliver(
  dovecot: Dovecot,
  clients: number,
  messages: number,
  signal?: AbortSignal,
  onAccepted?: () => void
): Promise<void> {
  const { failures } = await runLmtpLoad({
    socketPath: dovecot.lmtpSocket,
    users: USERS,
    clients,
    messages,
    sizeBytes: MESSAGE_BYTES,
    signal,
    onAccepted
  })
  const texts = Object.keys(failures)
  if (texts.length > 0) throw new Error(`${texts.join()}\n${dovecot.problems().join('\n')}`)
}
