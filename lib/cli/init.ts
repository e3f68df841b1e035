/** `roost init` */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { soundConfig, type Settings } from '../config.ts'
import { initDataDirectory } from '../io/data-directory.ts'
import {
  addDataOptions,
  dataDirectoryIn,
  flagFor,
  loadConfig,
  type DataFlags
} from './config-options.ts'

interface InitFlags extends DataFlags {
  readonly volumeDepth?: Settings['volume_depth']
}

export function addInit(program: Command): void {
  const init = program.command('init').description('make an empty store')
  addDataOptions(init)
    .option(
      '--volume-depth <n>',
      'directories this deep are one user each',
      flagFor('volume_depth')
    )
    .action((flags: InitFlags, command: Command) => {
      const resolved = loadConfig(flags, {
        ...(flags.data !== undefined && { data: resolve(flags.data) }),
        ...(flags.volumeDepth !== undefined && { volume_depth: flags.volumeDepth })
      })
      const directory = dataDirectoryIn(resolved, command)
      initDataDirectory(directory, soundConfig(resolved).volumeDepth)
      process.stdout.write(`roost: ${directory} is a store now\n`)
    })
}
