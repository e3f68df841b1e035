/** The figures of a daemon for people. */

import type { Rates, Stats } from '../stats.ts'

const LABEL_WIDTH = 16
const COUNT_WIDTH = 12
const RATE_WIDTH = 14

export function renderStats(stats: Stats, rates: Rates): string {
  const lines = [
    line('serving', `${stats.mountpoint} from ${stats.dataDirectory}, mode ${stats.mode}`),
    line('daemon', daemonOf(stats, rates)),
    ...countLines('requests', stats.requests, rates.requests),
    ...countLines('waits', stats.waits, rates.waits),
    line('now', nowOf(stats)),
    line('memory', memoryOf(stats)),
    line('caches', cachesOf(stats)),
    line('log', logOf(stats, rates)),
    line('', logPlaceOf(stats)),
    line('store', storeOf(stats)),
    line('disk', `${mib(stats.disk.freeBytes)} of ${mib(stats.disk.totalBytes)} MiB free`)
  ]
  if (stats.unknownErrors > 0) {
    lines.push(line('errors', `${stats.unknownErrors} requests failed for an unknown reason`))
  }
  if (stats.store.failure !== undefined) lines.push(line('store behind', stats.store.failure))
  for (const { reason } of stats.damagedBodies) lines.push(line('damaged', reason))
  return `${lines.join('\n')}\n`
}

function daemonOf({ pid, session, uptimeSeconds, cpuSeconds }: Stats, { cpus }: Rates): string {
  const who = `pid ${pid}, session ${session}, for ${Math.round(uptimeSeconds)} s`
  return `${who}, ${cpuSeconds.toFixed(1)} s of CPU (${(100 * cpus).toFixed(0)} %)`
}

/** A table with the sum at its head, the most frequent first. */
function countLines(
  title: string,
  counts: Stats['requests'],
  perSecond: Rates['requests']
): string[] {
  const names = Object.keys(counts).sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0))
  return [
    countLine(title, sumOf(counts), sumOf(perSecond), ' per second'),
    ...names.map(name => countLine(`  ${name}`, counts[name] ?? 0, perSecond[name] ?? 0))
  ]
}

function countLine(label: string, count: number, rate: number, unit = ''): string {
  return line(label, `${String(count).padStart(COUNT_WIDTH)}${fixed(rate)}${unit}`)
}

function fixed(rate: number): string {
  return rate.toFixed(1).padStart(RATE_WIDTH)
}

function nowOf({ open }: Stats): string {
  const { handles, locks, parked, unsealed, views } = open
  const held = `${handles} open files, ${locks} locks, ${views} views`
  return `${held}; ${parked} requests wait, ${unsealed} files are not in the log yet`
}

function memoryOf({ memory }: Stats): string {
  const { residentBytes, inodes, metadataBytes, metadataBytesMax, stagingBytes } = memory
  const names = `${inodes} files in ${mib(metadataBytes)} of ${mib(metadataBytesMax)} MiB`
  return `${mib(residentBytes)} MiB resident; ${names}, ${mib(stagingBytes)} on the way to the disk`
}

function cachesOf({ memory }: Stats): string {
  const { contentBytes, contentBytesMax, bodyBytes, bodyBytesMax } = memory
  const contents = `contents ${mib(contentBytes)} of ${mib(contentBytesMax)} MiB`
  return `${contents}, bodies ${mib(bodyBytes)} of ${mib(bodyBytesMax)} MiB`
}

function logOf({ log }: Stats, { entries, loggedBytes }: Rates): string {
  const all = `${log.entries} changes, ${mib(log.appended)} MiB`
  return `${all}; ${entries.toFixed(1)} and ${kib(loggedBytes)} KiB per second`
}

function logPlaceOf({ log }: Stats): string {
  const { appended, durable, applied, checkpointed, bytesOnDisk } = log
  const behind = `${kib(appended - durable)} KiB not synced, ${kib(durable - applied)} not applied`
  const since = `${kib(applied - checkpointed)} since the checkpoint`
  return `${behind}, ${since}; ${mib(bytesOnDisk)} MiB on disk`
}

function storeOf({ store }: Stats): string {
  return `${mib(store.bytesOnDisk)} MiB on disk, ${store.garbage} files to delete`
}

function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${text}`
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

/** With a decimal where that says something. */
function mib(bytes: number): string {
  const mib = bytes / 2 ** 20
  return mib < 100 && !Number.isInteger(mib) ? mib.toFixed(1) : mib.toFixed(0)
}

function kib(bytes: number): string {
  return (bytes / 2 ** 10).toFixed(0)
}
