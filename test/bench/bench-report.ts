/** The benchmark's figures as JSON, and the same as tables. */

import { cpus, release } from 'node:os'
import type { TargetName } from './bench-options.ts'
import type { RequestCounts } from './bench-target.ts'
import type { DeliveryResult } from './deliveries.ts'
import { describeGoal, type FigureRow } from './figure.ts'
import type { MemoryRow } from './memory.ts'
import type { MicroResult } from './micro.ts'
import { roundTripsOf } from './round-trips.ts'

type ByTarget<Result> = Readonly<Partial<Record<TargetName, Result>>>

/** Roost's rate divided by that of the other. */
export type Ratios = Readonly<Partial<Record<TargetName, number>>>

export interface MicroRow {
  readonly operation: string
  readonly targets: ByTarget<MicroResult>
  readonly ratios: Ratios
}

export interface DeliveryRow {
  readonly format: string
  readonly clients: number
  readonly targets: ByTarget<DeliveryResult>
  readonly ratios: Ratios
}

export interface BenchReport {
  readonly node: string
  readonly kernel: string
  readonly processors: number
  readonly rounds: number
  readonly messages: number
  readonly micro: readonly MicroRow[]
  readonly deliveries: readonly DeliveryRow[]
  readonly figures: readonly FigureRow[]
  /** Of Roost alone, with so many files. */
  readonly files: number
  readonly memory: readonly MemoryRow[]
}

export type BenchFigures = Omit<BenchReport, 'node' | 'kernel' | 'processors'>

export function reportOf(figures: BenchFigures): BenchReport {
  return { node: process.version, kernel: release(), processors: cpus().length, ...figures }
}

/** How Roost compares with each other target; empty while Roost is not among them. */
export function ratiosOf(targets: ByTarget<{ readonly perSecond: number }>): Ratios {
  const { roost, ...others } = targets
  if (roost === undefined) return {}
  const ratios = Object.entries(others).map(([name, result]) => {
    return [name, roost.perSecond / result.perSecond] as const
  })
  return Object.fromEntries(ratios)
}

export function renderReport(report: BenchReport, targets: readonly TargetName[]): string {
  const sections = [
    `${String(report.processors)} processors, Linux ${report.kernel}, Node.js ${report.node}; ` +
      `medians of ${String(report.rounds)}\n`
  ]
  if (report.micro.length > 0) {
    sections.push('Single operations per second\n', microTable(report, targets))
  }
  if (report.deliveries.length > 0) {
    sections.push('LMTP deliveries per second (8 KB)\n', deliveryTable(report, targets))
    sections.push('CPU milliseconds per delivery, and the filesystem process of it alone\n')
    sections.push(cpuTable(report, targets))
  }
  if (report.memory.length > 0) {
    sections.push(
      `Memory of Roost with ${String(report.files)} files, in MB\n`,
      memoryTable(report)
    )
  }
  if (report.figures.length > 0) {
    sections.push('Figures with a goal\n', figureTable(report))
  }
  const roundTrips = roundTripTable(report)
  if (roundTrips !== '') sections.push('Requests to Roost for each, by opcode\n', roundTrips)
  return sections.join('\n')
}

function ratioHeads(targets: readonly TargetName[]): string[] {
  return othersThanRoost(targets).map(name => `roost / ${name}`)
}

function ratioCells(ratios: Ratios, targets: readonly TargetName[]): string[] {
  return othersThanRoost(targets).map(name => figureOf(ratios[name], 2))
}

function othersThanRoost(targets: readonly TargetName[]): TargetName[] {
  return targets.includes('roost') ? targets.filter(name => name !== 'roost') : []
}

function microTable({ micro }: BenchReport, targets: readonly TargetName[]): string {
  const rows = micro.map(row => [
    row.operation,
    ...targets.map(name => figureOf(row.targets[name]?.perSecond, 0)),
    ...ratioCells(row.ratios, targets)
  ])
  return table([['', ...targets, ...ratioHeads(targets)], ...rows])
}

function deliveryTable({ deliveries }: BenchReport, targets: readonly TargetName[]): string {
  const rows = deliveries.map(row => [
    labelOf(row),
    ...targets.map(name => figureOf(row.targets[name]?.perSecond, 1)),
    ...ratioCells(row.ratios, targets)
  ])
  return table([['', ...targets, ...ratioHeads(targets)], ...rows])
}

function cpuTable({ deliveries }: BenchReport, targets: readonly TargetName[]): string {
  const rows = deliveries.map(row => [
    labelOf(row),
    ...targets.flatMap(name => {
      const result = row.targets[name]
      return [figureOf(result?.cpuMs, 2), figureOf(result?.daemonsCpuMs[0], 2)]
    })
  ])
  return table([['', ...targets.flatMap(name => [name, 'of it'])], ...rows])
}

function memoryTable({ memory }: BenchReport): string {
  const heads = [
    'after',
    'seconds',
    'resident',
    'anonymous',
    'of files',
    'peak',
    'counted',
    'inodes'
  ]
  const rows = memory.map(row => [
    row.after,
    row.seconds.toFixed(1),
    ...[row.rssMb, row.anonMb, row.fileMb, row.peakMb, row.metadataMb].map(mb => mb.toFixed(0)),
    String(row.inodes)
  ])
  return table([heads, ...rows])
}

function figureTable({ figures }: BenchReport): string {
  const rows = figures.map(({ name, unit, targets, ratio, goal, isMet }) => [
    name,
    unit,
    preciseFigureOf(targets.ext4?.value),
    preciseFigureOf(targets.roost?.value),
    figureOf(ratio, 2),
    goal === undefined ? '' : describeGoal(goal),
    isMet === undefined ? '' : isMet ? 'met' : 'MISSED'
  ])
  return table([['', '', 'ext4', 'roost', 'ratio', 'goal', ''], ...rows])
}

/** Three digits, which is as much as a measurement is worth. */
function preciseFigureOf(value: number | undefined): string {
  if (value === undefined) return '-'
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.max(value, 0.01)))))
}

function labelOf({ format, clients }: DeliveryRow): string {
  return `${format}, ${String(clients)} ${clients === 1 ? 'client' : 'clients'}`
}

/** One line for each thing whose requests were counted. */
function roundTripTable({ micro, deliveries, figures }: BenchReport): string {
  const counted = [
    ...micro.map(row => [row.operation, row.targets.roost?.requests] as const),
    ...deliveries.map(row => [labelOf(row), row.targets.roost?.requests] as const),
    ...figures.map(row => [row.name, row.targets.roost?.requests] as const)
  ]
  return counted.flatMap(([label, counts]) => (counts ? [requestLine(label, counts)] : [])).join('')
}

function requestLine(label: string, counts: RequestCounts): string {
  const shown = Object.entries(counts).filter(([, count]) => count >= 0.01)
  const parts = shown.map(([opcode, count]) => `${opcode} ${count.toFixed(2)}`)
  return `${label}: ${roundTripsOf(counts).toFixed(2)} round trips\n    ${parts.join(', ')}\n`
}

function figureOf(value: number | undefined, digits: number): string {
  return value === undefined ? '-' : value.toFixed(digits)
}

/** Columns as wide as they must be; all but the first are flush right. */
function table(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows
  const widths = head.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const lines = rows.map(row =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
  )
  return `${lines.map(cells => cells.join('  ').trimEnd()).join('\n')}\n`
}
