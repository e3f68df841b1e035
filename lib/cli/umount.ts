/** `roost umount` */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { fuseMountAt, placeOf, unmountAt } from '../fuse/mount.ts'
import { lockHolderOf } from '../io/data-directory.ts'
import { MOUNT_SOURCE } from '../replica.ts'
import { delay } from '../io/timer.ts'

/** How often it is looked whether the daemon has gone. */
const LOOK_MS = 20

export function addUmount(program: Command): void {
  program
    .command('umount')
    .description('end a mount; returns when everything is on the disk')
    .argument('<mountpoint>', 'where a store is mounted')
    .option('--force', 'also when it is in use, or its daemon is gone')
    .action(async (mountpoint: string, options: { force?: boolean }) => {
      const source = fuseMountAt(placeOf(mountpoint))?.source
      await unmountAt(resolve(mountpoint), options.force === true)
      if (source?.startsWith(MOUNT_SOURCE) === true) {
        await daemonGone(decodeURI(source.slice(MOUNT_SOURCE.length)))
      }
      process.stdout.write(`roost: ${resolve(mountpoint)} is unmounted\n`)
    })
}

/** The daemon leaves when everything is on the disk. */
async function daemonGone(directory: string): Promise<void> {
  while (lockHolderOf(directory) !== undefined) await delay(LOOK_MS)
}
