/**
 * A place on the disk for one store and its mount point, cleared of mounts and daemons when the
 * test ends; and commands that use what is mounted, from processes that cannot hang the test.
 */

import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { PLAINLY } from '../support/roost-mount.ts'

const run = promisify(execFile)

/** Commands take milliseconds; a busy machine may need many times that. */
const PATIENCE_MS = 60_000

export interface Place {
  readonly directory: string
  /** Not made yet. */
  readonly dataDir: string
  /** An empty directory. */
  readonly mountpoint: string
}

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A fresh place, which everyone may pass through. */
export async function placeFor(t: Test): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'roost-'))
  const place = { directory, dataDir: join(directory, 'data'), mountpoint: join(directory, 'mnt') }
  t.teardown(() => clear(place))
  await chmod(directory, 0o755)
  await mkdir(place.mountpoint)
  return place
}

/** Runs a script of sh; `$1`, `$2` ... are `args`. Killed when it does not end. */
export function shell(script: string, ...args: readonly string[]): Promise<Outcome> {
  return command(['sh', '-c', script, 'sh', ...args])
}

/** As `shell`, for a script that must work. @returns what it prints */
export async function shellOk(script: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await shell(script, ...args)
  if (code !== 0) throw new Error(`${script}: ${String(code)} ${stderr}`)
  return stdout
}

export async function command(words: readonly string[]): Promise<Outcome> {
  const [program, ...args] = [...PLAINLY, ...words]
  try {
    const options = { timeout: PATIENCE_MS, killSignal: 'SIGKILL', cwd: '/' } as const
    return { code: 0, ...(await run(program, args, options)) }
  } catch (error) {
    const { code, stdout, stderr } = error as Outcome & { code: unknown }
    if (typeof code !== 'number') throw error
    return { code, stdout, stderr }
  }
}

/** Mount points below a directory, the innermost first. */
export async function mountsBelow(directory: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const points = lines.map(line => line.split(' ')[4] ?? '')
  return points.filter(point => point.startsWith(`${directory}/`)).reverse()
}

async function clear({ directory, dataDir }: Place): Promise<void> {
  await killDaemon(dataDir)
  for (const mountpoint of await mountsBelow(directory)) await shell('umount -l "$1"', mountpoint)
  await rm(directory, { recursive: true, force: true })
}

/** Ends a daemon that serves the data directory still, and nothing else. */
async function killDaemon(dataDir: string): Promise<void> {
  const pid = Number(await readFile(join(dataDir, 'lock'), 'utf8').catch(() => ''))
  if (!(pid > 0)) return
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '')
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? 0)
  // A supervisor would start it again.
  for (const process of [parent, pid]) await killIfServing(process, dataDir)
}

async function killIfServing(pid: number, dataDir: string): Promise<void> {
  const line = await readFile(`/proc/${String(pid)}/cmdline`, 'utf8').catch(() => '')
  if (line.split('\0').includes(dataDir)) process.kill(pid, 'SIGKILL')
}
