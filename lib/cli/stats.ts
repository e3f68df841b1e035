/** `roost stats` */

import { InvalidArgumentError, type Command } from 'commander'
import { statsOf } from '../admin/control.ts'
import { delay } from '../io/timer.ts'
import { ratesSince, type Rates, type Stats } from '../stats.ts'
import { addDataOptions, dataDirectoryOf, type DataFlags } from './config-options.ts'
import { renderStats } from './render-stats.ts'

const WATCH_SECONDS = 2
const WATCH_SECONDS_MAX = 86_400
/** To the top left, and everything below taken away. */
const CLEAR_SCREEN = '\x1b[H\x1b[J'

interface StatsFlags extends DataFlags {
  readonly watch?: number | true
  readonly json?: boolean
}

export function addStats(program: Command): void {
  const stats = program.command('stats').description('show the figures of the daemon of a store')
  addDataOptions(stats)
    .option('--watch [seconds]', `again and again, every ${WATCH_SECONDS} s if not told`, secondsOf)
    .option('--json', 'as JSON; with --watch, a line for each look')
    .action(async (flags: StatsFlags, command: Command) => {
      const directory = dataDirectoryOf(flags, command)
      if (flags.watch === undefined) await show(directory, flags.json === true)
      else await watch(directory, flags)
    })
}

async function show(directory: string, isJson: boolean): Promise<void> {
  const stats = await statsOf(directory)
  const rates = ratesSince(undefined, stats)
  const json = (): string => `${JSON.stringify({ ...stats, perSecond: rates }, undefined, 2)}\n`
  process.stdout.write(isJson ? json() : renderStats(stats, rates))
}

/** Shows rates since the last look, the first time since the start, until Ctrl-C. */
async function watch(directory: string, { watch, json }: StatsFlags): Promise<void> {
  const seconds = typeof watch === 'number' ? watch : WATCH_SECONDS
  const end = new AbortController()
  const leave = (): void => {
    end.abort()
  }
  process.once('SIGINT', leave)
  process.once('SIGTERM', leave)
  // Whoever read it may have seen enough, as `head` does.
  process.stdout.on('error', leave)
  let before: Stats | undefined
  while (!end.signal.aborted) {
    const stats = await statsOf(directory)
    // Another daemon counts from zero.
    const rates = ratesSince(before?.pid === stats.pid ? before : undefined, stats)
    process.stdout.write(json === true ? lineOf(stats, rates) : screenOf(stats, rates, before))
    before = stats
    await delay(seconds * 1000, end.signal)
  }
}

function lineOf(stats: Stats, rates: Rates): string {
  return `${JSON.stringify({ ...stats, perSecond: rates })}\n`
}

function screenOf(stats: Stats, rates: Rates, before: Stats | undefined): string {
  const text = renderStats(stats, rates)
  if (process.stdout.isTTY) return `${CLEAR_SCREEN}${text}`
  return before === undefined ? text : `\n${text}`
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (/^[\d.]+$/.test(text) && seconds >= 0.1 && seconds <= WATCH_SECONDS_MAX) return seconds
  throw new InvalidArgumentError('It has to be a number of seconds, from 0.1 to a day.')
}
