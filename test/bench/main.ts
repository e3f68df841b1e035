/**
 * The benchmark: the same work on ext4, on Roost and on a filesystem in memory behind
 * `fuse-native`, side by side on one disk and taking turns; and the memory of Roost alone.
 *
 * It prints tables and then the same as JSON. See `USAGE` for what can be chosen.
 */

import { writeFileSync } from 'node:fs'
import { requireDovecot, requireFuse, requireRoot } from '../support/prerequisites.ts'
import {
  benchOptionsOf,
  type BenchOptions,
  type PartName,
  type TargetName
} from './bench-options.ts'
import {
  ratiosOf,
  renderReport,
  reportOf,
  type DeliveryRow,
  type MicroRow
} from './bench-report.ts'
import { openTarget, type BenchTarget } from './bench-target.ts'
import { measureContention } from './contention.ts'
import { measureDeliveries, type DeliveryResult } from './deliveries.ts'
import { figureRowOf, type Figure, type FigureRow } from './figure.ts'
import { measureFiles } from './files.ts'
import { measureMailbox } from './mailbox.ts'
import { medianOf } from './median.ts'
import { measureMemory } from './memory.ts'
import { measureReplicas } from './replicas.ts'
import { measureRestart } from './restart.ts'
import { measureUpkeep } from './upkeep.ts'
import { measureMicro, type MicroResult } from './micro.ts'

const NEEDING_DOVECOT: readonly string[] = [
  'deliveries',
  'mailbox',
  'contention',
  'replicas',
  'restart'
]

type Results<Result> = Map<TargetName, Result[]>

async function main(): Promise<void> {
  const options = benchOptionsOf(process.argv.slice(2))
  requireRoot()
  requireFuse()
  if (options.parts.some(part => NEEDING_DOVECOT.includes(part))) requireDovecot()
  // Everything that is opened for the benchmark asks the system for its temporary directory.
  if (options.directory !== undefined) process.env['TMPDIR'] = options.directory
  const targets: BenchTarget[] = []
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => void stopAll(targets).finally(() => process.exit(1)))
  }
  try {
    if (options.parts.some(part => part !== 'memory')) {
      for (const name of options.targets) targets.push(await openTarget(name))
    }
    await measure(options, targets)
  } finally {
    await stopAll(targets)
  }
}

async function stopAll(targets: BenchTarget[]): Promise<void> {
  for (const target of targets.splice(0).reverse()) await target.stop()
}

async function measure(options: BenchOptions, targets: readonly BenchTarget[]): Promise<void> {
  const micro = options.parts.includes('micro') ? await microRows(options, targets) : []
  const deliveries = options.parts.includes('deliveries')
    ? await deliveryRows(options, targets)
    : []
  const figures = await figureRows(options, targets)
  const { rounds, messages, files, store } = options
  const memory = options.parts.includes('memory') ? await measureMemory(files, store) : []
  const report = reportOf({ rounds, messages, micro, deliveries, figures, files, memory })
  const json = JSON.stringify(report)
  process.stdout.write(`${renderReport(report, options.targets)}\n${json}\n`)
  if (options.jsonFile !== undefined) writeFileSync(options.jsonFile, `${json}\n`)
}

async function microRows(
  options: BenchOptions,
  targets: readonly BenchTarget[]
): Promise<MicroRow[]> {
  const results = await inTurns(options, targets, 'single operations', target =>
    measureMicro(target, options.sizes.micro)
  )
  const [first] = results.values().next().value ?? []
  return (first ?? []).map(({ name: operation }, n) => {
    const each = mapResults(results, runs => medianMicro(runs.map(run => run[n] as MicroResult)))
    return { operation, targets: each, ratios: ratiosOf(each) }
  })
}

async function deliveryRows(
  options: BenchOptions,
  targets: readonly BenchTarget[]
): Promise<DeliveryRow[]> {
  const rows: DeliveryRow[] = []
  for (const format of options.formats) {
    for (const clients of options.clients) {
      const messages = clients === 1 ? options.messages : 2 * options.messages
      const label = `${format} with ${String(clients)} at a time`
      const results = await inTurns(options, targets, label, target =>
        measureDeliveries(target, format, clients, { messages, warmUp: options.warmUp })
      )
      const each = mapResults(results, medianDelivery)
      rows.push({ format, clients, targets: each, ratios: ratiosOf(each) })
    }
  }
  return rows
}

async function figureRows(
  options: BenchOptions,
  targets: readonly BenchTarget[]
): Promise<FigureRow[]> {
  const rows: FigureRow[] = []
  // A filesystem in memory would have nothing to be cold, and its figures no goal.
  const compared = targets.filter(({ name }) => name !== 'fuse-native')
  for (const { part, label, task } of figureTasks(options)) {
    if (!options.parts.includes(part)) continue
    const results = await inTurns(options, compared, label, task)
    rows.push(...rowsOf(part, results))
  }
  if (options.parts.includes('upkeep') && options.targets.includes('roost')) {
    process.stderr.write('upkeep: roost\n')
    rows.push(
      ...rowsOf('upkeep', new Map([['roost', [await measureUpkeep(options.sizes.upkeep)]]]))
    )
  }
  if (options.parts.includes('replicas') && options.targets.includes('roost')) {
    process.stderr.write('replicas: roost\n')
    const figures = await measureReplicas(options)
    rows.push(...rowsOf('replicas', new Map([['roost', [figures]]])))
  }
  if (options.parts.includes('restart') && options.targets.includes('roost')) {
    process.stderr.write('restart: roost\n')
    const figures = await measureRestart(options)
    rows.push(...rowsOf('restart', new Map([['roost', [figures]]])))
  }
  return rows
}

function rowsOf(part: PartName, results: Results<Figure[]>): FigureRow[] {
  const [first] = results.values().next().value ?? []
  return (first ?? []).map((figure, n) => {
    const each = mapResults(results, runs => medianFigure(runs.map(run => run[n] as Figure)))
    return figureRowOf(part, figure, each)
  })
}

interface FigureTask {
  readonly part: PartName
  readonly label: string
  readonly task: (target: BenchTarget) => Promise<Figure[]>
}

function figureTasks({ formats, clients, sizes }: BenchOptions): FigureTask[] {
  return [
    ...formats.map(format => ({
      part: 'mailbox' as const,
      label: `a large mailbox in ${format}`,
      task: (target: BenchTarget) => measureMailbox(target, format, sizes.mailbox)
    })),
    {
      part: 'files',
      label: 'files',
      task: target => measureFiles(target, sizes.files)
    },
    ...clients.map(count => ({
      part: 'contention' as const,
      label: `a reader beside ${String(count)} at a time`,
      task: (target: BenchTarget) => measureContention(target, count, sizes.contention)
    }))
  ]
}

/** Measures all targets in each round, so that what changes on the machine meets them all. */
async function inTurns<Result>(
  { rounds }: BenchOptions,
  targets: readonly BenchTarget[],
  label: string,
  task: (target: BenchTarget) => Promise<Result>
): Promise<Results<Result>> {
  const results: Results<Result> = new Map(targets.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const target of targets) {
      process.stderr.write(`${label}: ${target.name}\n`)
      results.get(target.name)?.push(await task(target))
    }
  }
  return results
}

function mapResults<From, To>(
  results: Results<From>,
  conclude: (runs: From[]) => To
): Partial<Record<TargetName, To>> {
  return Object.fromEntries([...results].map(([name, runs]) => [name, conclude(runs)]))
}

/** Requests are counted, not timed: any run will do. */
function medianMicro(runs: MicroResult[]): MicroResult {
  return { ...(runs[0] as MicroResult), perSecond: medianOf(runs, run => run.perSecond) }
}

function medianFigure(runs: Figure[]): Figure {
  return { ...(runs[0] as Figure), value: medianOf(runs, run => run.value) }
}

function medianDelivery(runs: DeliveryResult[]): DeliveryResult {
  return {
    perSecond: medianOf(runs, run => run.perSecond),
    p50Ms: medianOf(runs, run => run.p50Ms),
    p99Ms: medianOf(runs, run => run.p99Ms),
    cpuMs: medianOf(runs, run => run.cpuMs),
    busyMs: medianOf(runs, run => run.busyMs),
    daemonsCpuMs: (runs[0]?.daemonsCpuMs ?? []).map((_, n) => {
      return medianOf(runs, run => run.daemonsCpuMs[n] ?? 0)
    }),
    requests: runs[0]?.requests
  }
}

await main()
