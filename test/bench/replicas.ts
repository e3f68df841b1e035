/**
 * Measures three replicas with two copies, all on this machine: what a durable entry takes, what a
 * lease takes to move, and how many mails are delivered at once beside the disk's own filesystem.
 */

import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RoostCluster } from '../support/roost-cluster.ts'
import { runChild, runCommand } from './bench-command.ts'
import { openTarget, type BenchTarget } from './bench-target.ts'
import { measureDeliveries, type DeliveryResult } from './deliveries.ts'
import type { Figure } from './figure.ts'

const CHILD = fileURLToPath(new URL('./replicas-child.ts', import.meta.url))
const REPLICAS = 3
const CLIENTS = 8
/** Between two operations, so that what is measured is no queue. */
const PAUSE_MS = 5
/** As long as a volume has to be idle to be given away at once. */
const IDLE_MS = 50
const FORMATS = ['maildir', 'sdbox'] as const

export interface ReplicasSizes {
  readonly entries: number
  readonly moves: number
}

interface Amounts {
  readonly sizes: { readonly replicas: ReplicasSizes }
  readonly messages: number
  readonly warmUp: number
}

export async function measureReplicas(amounts: Amounts): Promise<Figure[]> {
  const ext4 = await openTarget('ext4')
  const bareDirectory = join(ext4.directory, 'bare')
  await mkdir(bareDirectory)
  const teardowns: (() => Promise<unknown>)[] = []
  const owner = { teardown: (task: () => Promise<unknown>) => teardowns.push(task) }
  try {
    const cluster = await RoostCluster.start(owner, { stores: REPLICAS, copies: 2 })
    return [
      ...(await durableFigures(cluster, bareDirectory, amounts.sizes.replicas.entries)),
      ...(await moveFigures(cluster, amounts.sizes.replicas.moves)),
      ...(await deliveryFigures(cluster, ext4, amounts))
    ]
  } finally {
    for (const teardown of teardowns.reverse()) await teardown()
    await ext4.stop()
  }
}

async function durableFigures(
  cluster: RoostCluster,
  bareDirectory: string,
  count: number
): Promise<Figure[]> {
  const volume = join(mountOf(cluster, 0), 'durable')
  await runCommand('mkdir', [volume])
  const entry = await timesOf(['durable', volume, String(count), String(PAUSE_MS)])
  const alone = await timesOf(['durable', bareDirectory, String(count), String(PAUSE_MS)])
  const both = await bothSides(bareDirectory, count)
  return [
    { name: 'durable on two of three, median', unit: 'ms', value: percentile(entry, 0.5) },
    { name: 'durable on two of three, 99 %', unit: 'ms', value: percentile(entry, 0.99) },
    { name: 'bare write and fdatasync', unit: 'ms', value: percentile(alone, 0.5) },
    { name: 'bare write and fdatasync on both sides', unit: 'ms', value: percentile(both, 0.5) },
    {
      name: 'durable beside bare on both sides',
      unit: '',
      value: percentile(entry, 0.5) / percentile(both, 0.5)
    }
  ]
}

/** Two processes and a plain connection: what nobody who keeps two copies can do without. */
async function bothSides(directory: string, count: number): Promise<number[]> {
  const args = [...process.execArgv, CHILD, 'answer', directory]
  const other = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const port = await new Promise<string>((resolve, reject) => {
      other.stdout.once('data', (text: Buffer) => {
        resolve(text.toString().trim())
      })
      other.once('exit', () => {
        reject(new Error('The other side does not start'))
      })
    })
    return await timesOf(['both', directory, port, String(count), String(PAUSE_MS)])
  } finally {
    other.kill()
  }
}

async function moveFigures(cluster: RoostCluster, count: number): Promise<Figure[]> {
  process.stderr.write('replicas: leases\n')
  const volumes = [0, 1].map(n => join(mountOf(cluster, n), 'moving'))
  await runCommand('mkdir', [volumes[0] ?? ''])
  const moves = await timesOf(['moves', ...volumes, String(count), String(IDLE_MS)])
  return [
    { name: 'lease of an idle volume, median', unit: 'ms', value: percentile(moves, 0.5) },
    { name: 'lease of an idle volume, 99 %', unit: 'ms', value: percentile(moves, 0.99) }
  ]
}

async function deliveryFigures(
  cluster: RoostCluster,
  ext4: BenchTarget,
  { messages, warmUp }: Amounts
): Promise<Figure[]> {
  const amounts = { messages: 2 * messages, warmUp }
  const figures: Figure[] = []
  const replicated: BenchTarget = {
    ...ext4,
    name: 'roost',
    directory: mountOf(cluster, 0),
    pids: cluster.stores.map(({ pid }) => pid)
  }
  for (const format of FORMATS) {
    process.stderr.write(`replicas: deliveries in ${format}\n`)
    const bare = await measureDeliveries(ext4, format, CLIENTS, amounts)
    const ours = await measureDeliveries(replicated, format, CLIENTS, amounts)
    figures.push(...figuresOf(format, bare, ours))
  }
  return figures
}

function figuresOf(format: string, bare: DeliveryResult, ours: DeliveryResult): Figure[] {
  const at = `${format}, ${String(CLIENTS)} clients`
  return [
    { name: `deliveries on ext4, ${at}`, unit: '/s', value: bare.perSecond },
    { name: `deliveries with two copies, ${at}`, unit: '/s', value: ours.perSecond },
    { name: `deliveries beside ext4, ${at}`, unit: '', value: ours.perSecond / bare.perSecond },
    { name: `CPU of a delivery on ext4, ${at}`, unit: 'ms', value: bare.cpuMs },
    { name: `CPU of a delivery, ${at}`, unit: 'ms', value: ours.cpuMs },
    ...ours.daemonsCpuMs.map((value, n) => ({
      name: `  of it replica ${String(n + 1)}, ${at}`,
      unit: 'ms',
      value
    }))
  ]
}

function mountOf(cluster: RoostCluster, n: number): string {
  return cluster.stores[n]?.mountpoint ?? ''
}

async function timesOf(args: readonly string[]): Promise<number[]> {
  return JSON.parse(await runChild(CHILD, args)) as number[]
}

function percentile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * share)] ?? NaN
}
