/** Counts the runs of a replica, so that peers notice a data directory that went back in time. */

import { RoostError } from '../errors.ts'
import type { Disk } from '../io/disk.ts'
import { readText, writeDurableText } from '../io/durable-text.ts'
import { drawBytes } from '../io/random.ts'
import type { Run } from './hello.ts'

const FILE = 'boot'

/**
 * The number of this run, one higher than that of the last, and what tells it from the run of a
 * copied directory. Durable when the promise is kept; nothing may be sent before.
 *
 * @throws RoostError DATA_UNUSABLE the counter is damaged
 */
export async function beginRun(disk: Disk): Promise<Run> {
  const text = readText(disk, FILE) ?? '0\n'
  if (!/^\d{1,15}\n$/.test(text)) throw new RoostError('DATA_UNUSABLE', `${FILE} is damaged`)
  const boot = Number(text) + 1
  await writeDurableText(disk, FILE, `${boot}\n`)
  return { boot, nonce: drawBytes(NONCE_BYTES).toString('hex') }
}

const NONCE_BYTES = 16
