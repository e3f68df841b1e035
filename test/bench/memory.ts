/** What a daemon with many files takes: how soon it is mounted, and its memory after each walk. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mountRoost, runRoost, type RoostMount } from '../support/roost-mount.ts'
import type { Stats } from '../../lib/stats.ts'
import { fillMailSpool } from './mail-spool.ts'

const MESSAGES_PER_USER = 1000
/** The longest walk takes minutes; one that hangs shall not be waited for. */
const PATIENCE_MS = 1_800_000

/** In MB of a million bytes. */
export interface MemoryRow {
  readonly after: string
  readonly seconds: number
  /** VmRSS of the daemon, and what of it is memory and what are pages of files. */
  readonly rssMb: number
  readonly anonMb: number
  readonly fileMb: number
  /** Largest VmRSS so far. */
  readonly peakMb: number
  /** What the daemon counts as names and attributes, and how many inodes that are. */
  readonly metadataMb: number
  readonly inodes: number
}

/**
 * @param store a directory whose store is used again, and filled and kept where it is not there
 */
export async function measureMemory(files: number, store?: string): Promise<MemoryRow[]> {
  const directory = store ?? (await mkdtemp(join(tmpdir(), 'bench-memory-')))
  const size = {
    users: Math.ceil(files / MESSAGES_PER_USER),
    messages: Math.min(files, MESSAGES_PER_USER)
  }
  try {
    await mkdir(directory, { recursive: true })
    await fillMailSpool(join(directory, 'data'), size)
    return await measureMounted(directory)
  } finally {
    if (store === undefined) await rm(directory, { recursive: true })
  }
}

async function measureMounted(directory: string): Promise<MemoryRow[]> {
  const begun = performance.now()
  const mount = await mountRoost(undefined, { directory })
  const mountedSeconds = (performance.now() - begun) / 1000
  try {
    const rows = [await rowOf(mount, 'mount', mountedSeconds)]
    for (const walk of [
      ['find', '.'],
      ['ls', '-lR'],
      ['find', '.', '-ls']
    ]) {
      process.stderr.write(`memory: ${walk.join(' ')}\n`)
      const seconds = await secondsOf(walk, mount.mountpoint)
      rows.push(await rowOf(mount, walk.join(' '), seconds))
    }
    return rows
  } finally {
    await mount.stop()
  }
}

async function rowOf({ pid, dataDir }: RoostMount, after: string, seconds: number) {
  const text = readFileSync(`/proc/${String(pid)}/status`, 'latin1')
  const mb = (field: string): number =>
    (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024) / 1e6
  const { stdout } = await runRoost('stats', '--data', dataDir, '--json')
  const { memory } = JSON.parse(stdout) as Stats
  return {
    after,
    seconds,
    rssMb: mb('VmRSS'),
    anonMb: mb('RssAnon'),
    fileMb: mb('RssFile'),
    peakMb: mb('VmHWM'),
    metadataMb: memory.metadataBytes / 1e6,
    inodes: memory.inodes
  }
}

/** Runs a program in the mount that prints much, which nobody reads. */
async function secondsOf([program = '', ...args]: string[], cwd: string): Promise<number> {
  const begun = performance.now()
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  const [code] = (await once(child, 'exit')) as [number | null]
  clearTimeout(timer)
  if (code !== 0) throw new Error(`${program} ended with ${String(code)}`)
  return (performance.now() - begun) / 1000
}
