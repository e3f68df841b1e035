/** `roost init` */

import { resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import { initDataDirectory } from '../io/data-directory.ts'

const VOLUME_DEPTH_MAX = 4

export function addInit(program: Command): void {
  program
    .command('init')
    .description('make an empty store')
    .requiredOption('--data <dir>', 'data directory, empty or to be made')
    .option('--volume-depth <n>', 'directories this deep are one user each', depthOf, 1)
    .action((options: { data: string; volumeDepth: number }) => {
      const directory = resolve(options.data)
      initDataDirectory(directory, options.volumeDepth)
      process.stdout.write(`roost: ${directory} is a store now\n`)
    })
}

function depthOf(text: string): number {
  const depth = Number(text)
  if (!Number.isInteger(depth) || depth < 1 || depth > VOLUME_DEPTH_MAX) {
    throw new InvalidArgumentError(`a number from 1 to ${VOLUME_DEPTH_MAX}`)
  }
  return depth
}
