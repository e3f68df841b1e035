/** `roost umount` */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { unmountAt } from '../fuse/mount.ts'

export function addUmount(program: Command): void {
  program
    .command('umount')
    .description('end a mount; returns when everything is on the disk')
    .argument('<mountpoint>', 'where a store is mounted')
    .option('--force', 'also when it is in use, or its daemon is gone')
    .action(async (mountpoint: string, options: { force?: boolean }) => {
      await unmountAt(resolve(mountpoint), options.force === true)
      process.stdout.write(`roost: ${resolve(mountpoint)} is unmounted\n`)
    })
}
