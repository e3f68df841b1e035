/** `roost umount` */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { fuseMountAt, placeOf, unmountAt } from '../fuse/mount.ts'
import { lockHolderOf } from '../io/data-directory.ts'
import { addConfigOption, loadConfig, mountpointIn, type ConfigFlags } from './config-options.ts'
import { MOUNT_SOURCE } from '../replica.ts'
import { delay } from '../io/timer.ts'

/** How often it is looked whether the daemon has gone. */
const LOOK_MS = 20

interface UmountFlags extends ConfigFlags {
  readonly force?: boolean
}

export function addUmount(program: Command): void {
  const umount = program
    .command('umount')
    .description('end a mount; returns when everything is on the disk')
    .argument('[mountpoint]', 'where a store is mounted')
  addConfigOption(umount)
    .option('--force', 'also when it is in use, or its daemon is gone')
    .action(async (named: string | undefined, options: UmountFlags, command: Command) => {
      const mountpoint = mountpointOf(named, options, command)
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

/** Where the command line says it, a configuration that is not right is in nobody's way. */
function mountpointOf(named: string | undefined, flags: UmountFlags, command: Command): string {
  if (named !== undefined && flags.config === undefined) return named
  const own = named === undefined ? {} : { 'mount.point': resolve(named) }
  return mountpointIn(loadConfig(flags, own), command)
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
