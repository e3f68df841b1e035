/**
 * Serves a store from a program of one's own, and prints how it fares, until Ctrl-C.
 *
 *     node examples/embed.ts DATA MOUNTPOINT
 *
 * The program must never touch the mount itself: its own threads would have to answer, and a
 * thread that waits for its own answer waits for ever. Other processes do, as Dovecot's here.
 */

import { existsSync } from 'node:fs'
import { createLogger, initDataDirectory, Replica, RoostError } from '../lib/index.ts'

const STATUS_EVERY_MS = 10_000

async function main(dataDirectory: string, mountpoint: string): Promise<number> {
  if (!existsSync(dataDirectory)) initDataDirectory(dataDirectory, 1)
  const logger = createLogger('embed')
  const replica = new Replica({ dataDirectory, mountpoint, force: false, logger })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      replica.requestStop(signal)
    })
  }
  await replica.open()
  console.log(`${replica.mountpoint} is mounted`)
  const timer = setInterval(() => void printStatus(replica), STATUS_EVERY_MS)
  const failure = await replica.untilEnded()
  clearInterval(timer)
  // Unmounts, and brings everything that was answered onto the disk.
  await replica.close()
  console.log(failure ?? `${replica.mountpoint} is unmounted`)
  return failure === undefined ? 0 : 1
}

async function printStatus(replica: Replica): Promise<void> {
  const { log, fuse, warnings } = await replica.status()
  const unsynced = (log?.appended ?? 0) - (log?.durable ?? 0)
  console.log(`${fuse?.vfs['handles'] ?? 0} open files, ${unsynced} bytes of log not synced`)
  for (const warning of warnings) console.log(warning)
}

const [, , dataDirectory, mountpoint] = process.argv
if (dataDirectory === undefined || mountpoint === undefined) {
  console.error('usage: node examples/embed.ts DATA MOUNTPOINT')
  process.exitCode = 64
} else {
  try {
    process.exitCode = await main(dataDirectory, mountpoint)
  } catch (error) {
    if (!(error instanceof RoostError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
