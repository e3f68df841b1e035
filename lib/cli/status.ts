/** `roost status` */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { statusOf } from '../admin/control.ts'
import { renderStatus } from './render-status.ts'

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show what a store and its daemon are doing')
    .requiredOption('--data <dir>', 'data directory')
    .option('--json', 'as JSON')
    .action(async (options: { data: string; json?: boolean }) => {
      const status = await statusOf(resolve(options.data))
      const isJson = options.json === true
      process.stdout.write(
        isJson ? `${JSON.stringify(status, undefined, 2)}\n` : renderStatus(status)
      )
    })
}
