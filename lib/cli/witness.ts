/** `roost witness` */

import type { Command } from 'commander'
import { RoostError } from '../errors.ts'
import { openWitnessControl } from '../admin/control.ts'
import { CouncilReport } from '../host/council-report.ts'
import { Member } from '../host/member.ts'
import { bootMs } from '../io/boot-clock.ts'
import { lockDataDirectory, readIdentity } from '../io/data-directory.ts'
import { createLogger } from '../io/logger.ts'
import { NodeDisk } from '../io/node-disk.ts'
import { SystemClock } from '../io/system-clock.ts'
import { processFigures } from '../io/process-figures.ts'
import { readClusterIdentity } from '../peer/cluster-identity.ts'
import { addDataOptions, dataDirectoryOf, type DataFlags } from './config-options.ts'

export function addWitness(program: Command): void {
  const verb = program
    .command('witness')
    .description('vote, after roost join --role witness; no mail is kept')
  addDataOptions(verb).action(async (flags: DataFlags, command: Command) => {
    await vote(dataDirectoryOf(flags, command))
  })
}

async function vote(directory: string): Promise<void> {
  const { storeId, volumeDepth, format } = readIdentity(directory)
  const disk = new NodeDisk(directory)
  const identity = readClusterIdentity(disk)
  if (identity?.role !== 'witness') {
    throw new RoostError('BAD_CONFIG', `${directory} is no witness; see roost join --role witness`)
  }
  const lock = lockDataDirectory(directory)
  const member = new Member({
    disk,
    identity,
    storeId,
    volumeDepth,
    health: () => ({ servedAt: bootMs(), syncingSince: undefined }),
    clock: new SystemClock(),
    logger: createLogger('witness')
  })
  await member.open()
  const report = new CouncilReport(member)
  const beganMs = bootMs()
  const control = await openWitnessControl(directory, () => {
    const concerns = report.concerns()
    return {
      state: 'voting',
      dataDirectory: directory,
      storeId,
      format,
      ...processFigures(),
      uptimeSeconds: (bootMs() - beganMs) / 1000,
      cluster: report.status([]),
      warnings: concerns.map(({ text }) => text),
      concerns,
      damagedBodies: []
    }
  })
  try {
    process.stdout.write(`roost: replica ${identity.replica} votes\n`)
    await new Promise<void>(resolve => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve)
    })
  } finally {
    await control.close()
    await member.close()
    lock.release()
  }
}
