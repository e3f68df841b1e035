/** `roost init` */

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { soundConfig, type Settings } from '../config.ts'
import {
  IDENTITY_FILE,
  initDataDirectory,
  lockDataDirectory,
  readIdentity
} from '../io/data-directory.ts'
import { NodeDisk } from '../io/node-disk.ts'
import { listenOption } from './listen-option.ts'
import { foundCluster, writeClusterIdentity } from '../peer/cluster-identity.ts'
import {
  addDataOptions,
  dataDirectoryIn,
  flagFor,
  loadConfig,
  type DataFlags
} from './config-options.ts'

/** With two, the loss of one replica loses no mail. */
const COPIES = 2
const COPIES_MAX = 16

interface InitFlags extends DataFlags {
  readonly volumeDepth?: Settings['volume_depth']
  readonly listen?: string
  readonly copies?: number
}

export function addInit(program: Command): void {
  const init = program
    .command('init')
    .description('make an empty store, or with --listen the first member of a cluster')
  addDataOptions(init)
    .option(
      '--volume-depth <n>',
      'directories this deep are one user each',
      flagFor('volume_depth')
    )
    .addOption(listenOption())
    .option('--copies <n>', 'replicas that have a mail before it is acknowledged', copiesOf)
    .action(async (flags: InitFlags, command: Command) => {
      const resolved = loadConfig(flags, {
        ...(flags.data !== undefined && { data: resolve(flags.data) }),
        ...(flags.volumeDepth !== undefined && { volume_depth: flags.volumeDepth })
      })
      const directory = dataDirectoryIn(resolved, command)
      const { listen, copies = COPIES } = flags
      if (listen === undefined) {
        if (flags.copies !== undefined) command.error('error: --copies needs --listen')
        initDataDirectory(directory, soundConfig(resolved).volumeDepth)
        process.stdout.write(`roost: ${directory} is a store now\n`)
        return
      }
      await found(directory, soundConfig(resolved).volumeDepth, listen, copies)
      process.stdout.write(`roost: ${directory} is the first member of a cluster now\n`)
    })
}

/** A store that is there becomes a member as it is. */
async function found(
  directory: string,
  volumeDepth: number,
  listen: string,
  copies: number
): Promise<void> {
  const isThere = existsSync(join(directory, IDENTITY_FILE))
  const { storeId } = isThere ? readIdentity(directory) : initDataDirectory(directory, volumeDepth)
  const lock = lockDataDirectory(directory)
  try {
    const identity = foundCluster({ storeId, listen, copies })
    await writeClusterIdentity(new NodeDisk(directory), identity)
  } finally {
    lock.release()
  }
}

function copiesOf(text: string): number {
  const copies = Number(text)
  if (Number.isInteger(copies) && copies >= 1 && copies <= COPIES_MAX) return copies
  throw new InvalidArgumentError(`Copies are a number from 1 to ${COPIES_MAX}.`)
}
