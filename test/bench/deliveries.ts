/** Measures LMTP deliveries by a real Dovecot whose mail lies on one target. */

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { startDovecot, type Dovecot } from '../support/dovecot.ts'
import type { MailFormat } from '../support/dovecot-config.ts'
import { runLmtpLoad, type LmtpLoadResult } from '../support/lmtp-load.ts'
import { runCommand } from './bench-command.ts'
import type { BenchTarget, RequestCounts } from './bench-target.ts'
import { busyCpuMs, cpuMsOfGroup, cpuMsOfProcess, ownCpuMs } from './cpu-time.ts'
import { requestsPerUnit } from './round-trips.ts'

const MESSAGE_BYTES = 8192
const USERS = Array.from({ length: 20 }, (_, n) => `user${String(n + 1)}`)
const PATIENCE_MS = 300_000

export interface DeliveryResult {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Dovecot, the load and the filesystem's processes together, for each delivery. */
  readonly cpuMs: number
  /** All that the machine did meanwhile, for each delivery: kernel threads and strangers too. */
  readonly busyMs: number
  /** Of cpuMs, each of the filesystem's processes alone. */
  readonly daemonsCpuMs: readonly number[]
  /** Requests for each delivery, by opcode, where the target counts them. */
  readonly requests: RequestCounts | undefined
}

/** Deliver at once before the measurement, as a server that has been up for a while. */
const WARM_UP_CLIENTS = 8

/**
 * One run: `messages` deliveries to 20 users by so many clients, after `warmUp` others.
 *
 * The warm-up is for all that is slow only at first: mailboxes made, code compiled.
 */
export async function measureDeliveries(
  target: BenchTarget,
  format: MailFormat,
  clients: number,
  { messages, warmUp }: { readonly messages: number; readonly warmUp: number }
): Promise<DeliveryResult> {
  const mailRoot = join(target.directory, `mail-${randomUUID()}`)
  const dovecot = await startDovecot({
    mailRoot,
    format,
    lockMethod: 'fcntl',
    mmapDisable: false
  })
  try {
    await load(dovecot, 1, USERS.length)
    await load(dovecot, WARM_UP_CLIENTS, warmUp)
    return await measured(target, dovecot, () => load(dovecot, clients, messages))
  } finally {
    await dovecot.close()
    await runCommand('rm', ['-rf', mailRoot])
  }
}

async function load(dovecot: Dovecot, clients: number, messages: number): Promise<LmtpLoadResult> {
  const result = await runLmtpLoad({
    socketPath: dovecot.lmtpSocket,
    users: USERS,
    clients,
    messages,
    sizeBytes: MESSAGE_BYTES,
    signal: AbortSignal.timeout(PATIENCE_MS)
  })
  if (result.delivered === messages) return result
  const failures = JSON.stringify(result.failures)
  const log = dovecot.problems().join('\n')
  throw new Error(`${String(result.delivered)} of ${String(messages)}: ${failures}\n${log}`)
}

async function measured(
  target: BenchTarget,
  dovecot: Dovecot,
  task: () => Promise<LmtpLoadResult>
): Promise<DeliveryResult> {
  const daemonsMs = (): number[] => target.pids.map(cpuMsOfProcess)
  const othersMs = (): number => ownCpuMs() + cpuMsOfGroup(dovecot.pid ?? 0)
  const requestsBefore = await target.requests()
  const before = { busy: busyCpuMs(), daemons: daemonsMs(), others: othersMs() }
  const { delivered, perSecond, latenciesMs } = await task()
  const daemonsCpuMs = daemonsMs().map((ms, n) => (ms - (before.daemons[n] ?? 0)) / delivered)
  return {
    perSecond,
    p50Ms: latenciesMs.p50,
    p99Ms: latenciesMs.p99,
    cpuMs: daemonsCpuMs.reduce((sum, ms) => sum + ms, (othersMs() - before.others) / delivered),
    busyMs: (busyCpuMs() - before.busy) / delivered,
    daemonsCpuMs,
    requests: requestsPerUnit(requestsBefore, await target.requests(), delivered)
  }
}
