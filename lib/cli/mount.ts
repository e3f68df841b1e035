/** `roost mount` */

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { resolve } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { openControl } from '../admin/control.ts'
import { openDaemonLog, readIdentity } from '../io/data-directory.ts'
import type { ServingMode } from '../fuse/thread-messages.ts'
import { createLogger } from '../io/logger.ts'
import { Replica } from '../replica.ts'
import { EX_OK, EX_SOFTWARE, type Outcome } from './exit-codes.ts'

const STDERR_FD = 2

interface MountFlags {
  readonly data: string
  readonly daemon?: boolean
  readonly force?: boolean
  readonly mode: ServingMode
  readonly xattr?: boolean
  readonly fuseFd?: number
}

export function addMount(program: Command, outcome: Outcome): void {
  program
    .command('mount')
    .description('serve a store at a mount point, in the foreground')
    .argument('<mountpoint>', 'directory to mount at')
    .requiredOption('--data <dir>', 'data directory')
    .option('--daemon', 'return when mounted, and serve in the background')
    .option('--force', 'unmount what an earlier run left at the mount point')
    .addOption(
      new Option('--mode <mode>', 'who keeps locks and open files: this kernel alone, or Roost')
        .choices(['single', 'shared'])
        .default('single')
    )
    .option('--xattr', 'serve extended attributes (user.*)')
    .option('--fuse-fd <fd>', 'serve this inherited FUSE device, which is mounted already', fdOf)
    .action(async (mountpoint: string, flags: MountFlags) => {
      const inBackground = flags.daemon === true
      outcome.exitCode = await (inBackground ? daemonize(flags) : serve(mountpoint, flags))
    })
}

async function serve(mountpoint: string, flags: MountFlags): Promise<number> {
  const directory = resolve(flags.data)
  const replica = new Replica({
    dataDirectory: directory,
    mountpoint,
    force: flags.force === true,
    mode: flags.mode,
    xattrs: flags.xattr === true,
    ...(flags.fuseFd !== undefined && { inheritedFd: flags.fuseFd }),
    logger: createLogger('replica')
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      replica.requestStop(signal)
    })
  }
  await replica.open()
  try {
    return await untilEnded(replica, directory)
  } finally {
    await replica.close()
  }
}

async function untilEnded(replica: Replica, directory: string): Promise<number> {
  const control = await openControl(directory, replica)
  try {
    for (const sentence of replica.recovered) process.stderr.write(`roost: ${sentence}\n`)
    process.stdout.write(`roost: ${replica.mountpoint} is mounted\n`)
    const failure = await replica.untilEnded()
    if (failure !== undefined) process.stderr.write(`roost: ${failure}\n`)
    return failure === undefined ? EX_OK : EX_SOFTWARE
  } finally {
    await control.close()
  }
}

/** Starts the same command again in a session of its own, and leaves when it has mounted. */
async function daemonize(flags: MountFlags): Promise<number> {
  const directory = resolve(flags.data)
  readIdentity(directory)
  const log = openDaemonLog(directory)
  const args = process.argv.slice(1).filter(arg => arg !== '--daemon')
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', log.fd, ...handedOn(flags.fuseFd)]
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

function fdOf(text: string): number {
  const fd = Number(text)
  if (Number.isInteger(fd) && fd > STDERR_FD) return fd
  throw new InvalidArgumentError('A file descriptor is a number from 3 on.')
}
