/** `roost status` */

import type { Command } from 'commander'
import { statusOf } from '../admin/control.ts'
import { addDataOptions, dataDirectoryOf, type DataFlags } from './config-options.ts'
import { renderStatus } from './render-status.ts'

export function addStatus(program: Command): void {
  const status = program.command('status').description('show what a store and its daemon are doing')
  addDataOptions(status)
    .option('--json', 'as JSON')
    .action(async (flags: DataFlags & { json?: boolean }, command: Command) => {
      const status = await statusOf(dataDirectoryOf(flags, command))
      const isJson = flags.json === true
      process.stdout.write(
        isJson ? `${JSON.stringify(status, undefined, 2)}\n` : renderStatus(status)
      )
    })
}
