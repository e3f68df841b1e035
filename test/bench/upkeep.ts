/**
 * Measures what a long history costs: a million flag changes in one mailbox, what log and store
 * take on the disk meanwhile and afterwards, and how long the next start takes after a kill.
 *
 * It makes a store of its own, which is killed and damaged in no way that a crash could not.
 */

import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { SEGMENT_SIZE } from '../../lib/feed/segment.ts'
import { bytesBelow } from '../support/disk-usage.ts'
import { mountRoost, type RoostMount } from '../support/roost-mount.ts'
import { runChild, runCommand } from './bench-command.ts'
import type { Figure } from './figure.ts'

const CHILD = fileURLToPath(new URL('./flags-child.ts', import.meta.url))
const MESSAGE_BYTES = 8192
const LOOK_MS = 500

export interface UpkeepSizes {
  readonly messages: number
  readonly changes: number
  /** Until all has been applied and let go that is going to be without more changes. */
  readonly settleMs: number
}

interface Done {
  readonly count: number
  readonly seconds: number
}

export async function measureUpkeep(sizes: UpkeepSizes): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-upkeep-'))
  const mount = await mountRoost(undefined, { directory })
  try {
    return await measured(mount, sizes)
  } finally {
    await mount.stop()
    await rm(directory, { recursive: true })
  }
}

async function measured(
  mount: RoostMount,
  { messages, changes, settleMs }: UpkeepSizes
): Promise<Figure[]> {
  const user = join(mount.mountpoint, randomUUID())
  await runCommand('mkdir', [user])
  await runChild(CHILD, ['make', user, String(messages)])
  const watch = new UsageWatch(mount.dataDir)
  const change = async (count: number): Promise<Done> =>
    JSON.parse(await runChild(CHILD, ['change', user, String(messages), String(count)])) as Done
  const { count, seconds } = await change(changes)
  await pause(settleMs)
  const left = usageOf(mount.dataDir)
  // The kill ends these early, if they last until then.
  const more = change(changes).catch(() => undefined)
  await watch.untilLogIsLong(more)
  await mount.kill()
  await more
  const peak = watch.end()
  const start = performance.now()
  await mount.restart()
  const restartMs = performance.now() - start
  const live = messages * MESSAGE_BYTES
  const of = `of ${String(changes)} flag changes`
  return [
    { name: `rate ${of}`, unit: '/s', value: count / seconds },
    { name: 'log and store, at their largest', unit: 'MB', value: peak / 1e6 },
    { name: 'log and store, when all is quiet again', unit: 'MB', value: left / 1e6 },
    { name: 'log and store beside the live data, at their largest', unit: '', value: peak / live },
    { name: 'start after a kill, with the log at its longest', unit: 'ms', value: restartMs }
  ]
}

/** Looks at log and store again and again. */
class UsageWatch {
  readonly #dataDir: string
  readonly #timer: NodeJS.Timeout
  #peak = 0
  #logPeak = 0

  constructor(dataDir: string) {
    this.#dataDir = dataDir
    this.#timer = setInterval(() => {
      this.#look()
    }, LOOK_MS)
  }

  /** Until the log is about as long as it ever was, or nothing more is coming. */
  async untilLogIsLong(changes: Promise<unknown>): Promise<void> {
    const waiting = { isOver: false }
    void changes.finally(() => (waiting.isOver = true))
    do await pause(LOOK_MS)
    while (!waiting.isOver && logBytes(this.#dataDir) + SEGMENT_SIZE <= this.#logPeak)
  }

  end(): number {
    clearInterval(this.#timer)
    return this.#peak
  }

  #look(): void {
    this.#logPeak = Math.max(this.#logPeak, logBytes(this.#dataDir))
    this.#peak = Math.max(this.#peak, usageOf(this.#dataDir))
  }
}

function usageOf(dataDir: string): number {
  return logBytes(dataDir) + bytesBelow(join(dataDir, 'store'))
}

function logBytes(dataDir: string): number {
  return bytesBelow(join(dataDir, 'feeds'))
}
