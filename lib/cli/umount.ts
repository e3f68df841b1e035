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
        const directory = decodeURI(source.slice(MOUNT_SOURCE.length))
        if (options.force === true) tellToLeave(directory)
        await daemonGone(directory)
      }
      process.stdout.write(`roost: ${resolve(mountpoint)} is unmounted\n`)
    })
}

/** A daemon would go on for those who are still in the mount, where the kernel lets it. */
function tellToLeave(directory: string): void {
  const pid = lockHolderOf(directory)
  if (pid !== undefined && pid > 0) process.kill(pid, 'SIGTERM')
}

/** The daemon leaves when everything is on the disk. */
async function daemonGone(directory: string): Promise<void> {
  while (lockHolderOf(directory) !== undefined) await delay(LOOK_MS)
}
