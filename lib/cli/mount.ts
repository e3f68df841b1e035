/** `roost mount` */

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { resolve } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { openControl } from '../admin/control.ts'
import { soundConfig, type Config, type Resolved, type Settings } from '../config.ts'
import { RoostError } from '../errors.ts'
import { openDaemonLog, readIdentity } from '../io/data-directory.ts'
import type { ServingMode } from '../fuse/thread-messages.ts'
import { createLogger } from '../io/logger.ts'
import { Replica } from '../replica.ts'
import {
  addDataOptions,
  addSetOption,
  dataDirectoryIn,
  loadConfig,
  mountpointIn,
  type DataFlags
} from './config-options.ts'
import { EX_OK, EX_SOFTWARE, type Outcome } from './exit-codes.ts'
import { takeSupervision } from './supervised.ts'

const STDERR_FD = 2

interface MountFlags extends DataFlags {
  readonly daemon?: boolean
  readonly force?: boolean
  readonly mode?: ServingMode
  readonly xattr?: boolean
  readonly fuseFd?: number
}

export function addMount(program: Command, outcome: Outcome): void {
  const mount = program
    .command('mount')
    .description('serve a store at a mount point, in the foreground')
    .argument('[mountpoint]', 'directory to mount at')
  addSetOption(addDataOptions(mount))
    .option('--daemon', 'return when mounted, and serve in the background')
    .option('--force', 'unmount what an earlier run left at the mount point')
    .addOption(
      new Option(
        '--mode <mode>',
        'who keeps locks and open files: this kernel alone, or Roost'
      ).choices(['single', 'shared'])
    )
    .option('--no-supervise', 'do not start the daemon again when it dies')
    .option('--restarts <count>', 'start it again up to so often a minute (4)', countOf)
    .option('--xattr', 'serve extended attributes (user.*)')
    .option('--fuse-fd <fd>', 'serve this inherited FUSE device, which is mounted already', fdOf)
    .action(async (mountpoint: string | undefined, flags: MountFlags, command: Command) => {
      const resolved = loadConfig(flags, settingsIn(mountpoint, flags))
      const what: Mounting = {
        directory: dataDirectoryIn(resolved, command),
        mountpoint: mountpointIn(resolved, command),
        config: soundConfig(resolved),
        fuseFd: flags.fuseFd
      }
      checkVolumeDepth(what.directory, resolved)
      outcome.exitCode = await (flags.daemon === true ? daemonize(what) : serve(what))
    })
}

interface Mounting {
  readonly directory: string
  readonly mountpoint: string
  readonly config: Config
  readonly fuseFd: number | undefined
}

function settingsIn(mountpoint: string | undefined, flags: MountFlags): Partial<Settings> {
  return {
    ...(flags.data !== undefined && { data: resolve(flags.data) }),
    ...(mountpoint !== undefined && { 'mount.point': resolve(mountpoint) }),
    ...(flags.mode !== undefined && { 'mount.mode': flags.mode }),
    ...(flags.force !== undefined && { 'mount.force': flags.force }),
    ...(flags.xattr !== undefined && { 'mount.xattr': flags.xattr })
  }
}

/** A store keeps the depth that it was made with, whatever somebody may now believe. */
function checkVolumeDepth(directory: string, { config, origins }: Resolved): void {
  const { volumeDepth } = readIdentity(directory)
  const origin = origins.volume_depth
  if (origin === 'default' || config.volumeDepth === volumeDepth) return
  const is = `${directory} was made with ${volumeDepth}, which cannot be changed`
  const what = `${origin}: volume_depth cannot be ${config.volumeDepth}`
  throw new RoostError('BAD_CONFIG', `${what}: ${is}`)
}

async function serve({ directory, mountpoint, config, fuseFd }: Mounting): Promise<number> {
  const { force, mode, xattrs, tuning } = config
  const supervision = takeSupervision(() => {
    replica.requestStop('the supervisor is gone')
  })
  const replica = new Replica({
    dataDirectory: directory,
    mountpoint,
    force,
    mode,
    xattrs,
    tuning,
    ...(fuseFd !== undefined && { inheritedFd: fuseFd }),
    ...(supervision && { supervision }),
    logger: createLogger('replica')
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      replica.requestStop(signal)
    })
  }
  await replica.open()
  try {
    return await untilEnded(replica, directory, supervision?.takenOver === undefined)
  } finally {
    await replica.close()
  }
}

/** @param isNew nobody has said yet that it is mounted */
async function untilEnded(replica: Replica, directory: string, isNew: boolean): Promise<number> {
  const control = await openControl(directory, replica)
  try {
    for (const sentence of replica.recovered) process.stderr.write(`roost: ${sentence}\n`)
    if (isNew) process.stdout.write(`roost: ${replica.mountpoint} is mounted\n`)
    const failure = await replica.untilEnded()
    if (failure !== undefined) process.stderr.write(`roost: ${failure}\n`)
    return failure === undefined ? EX_OK : EX_SOFTWARE
  } finally {
    await control.close()
  }
}

/** Starts the same command again in a session of its own, and leaves when it has mounted. */
async function daemonize({ directory, fuseFd }: Mounting): Promise<number> {
  const log = openDaemonLog(directory)
  const args = process.argv.slice(1).filter(arg => arg !== '--daemon')
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', log.fd, ...handedOn(fuseFd)]
  })
  fs.closeSync(log.fd)
  return new Promise((resolveCode, reject) => {
    child.once('error', reject)
    child.stdout?.once('data', (line: Buffer) => {
      process.stdout.write(line)
      child.stdout?.destroy()
      child.unref()
      resolveCode(EX_OK)
    })
    child.once('exit', code => {
      process.stderr.write(log.readNew())
      resolveCode(code ?? EX_SOFTWARE)
    })
  })
}

/** Descriptors from 3 on: an inherited device keeps its number, what lies before is ours. */
function handedOn(fuseFd = STDERR_FD): ('ignore' | number)[] {
  const count = fuseFd - STDERR_FD
  return Array.from({ length: count }, (_, at) => (at === count - 1 ? fuseFd : 'ignore'))
}

function countOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a whole number.')
}

function fdOf(text: string): number {
  const fd = Number(text)
  if (Number.isInteger(fd) && fd > STDERR_FD) return fd
  throw new InvalidArgumentError('A file descriptor is a number from 3 on.')
}
