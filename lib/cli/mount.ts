/** `roost mount` */

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { join, resolve } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { openControl } from '../admin/control.ts'
import { readIdentity } from '../io/data-directory.ts'
import type { ServingMode } from '../fuse/thread-messages.ts'
import { createLogger } from '../io/logger.ts'
import { Replica } from '../replica.ts'
import { EX_OK, EX_SOFTWARE, type Outcome } from './exit-codes.ts'

interface MountFlags {
  readonly data: string
  readonly daemon?: boolean
  readonly force?: boolean
  readonly mode: ServingMode
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
    ...(flags.fuseFd !== undefined && { inheritedFd: flags.fuseFd }),
    logger: createLogger('replica')
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      replica.requestStop(signal)
    })
  }
  await replica.open()
  const control = await openControl(directory, replica)
  for (const sentence of replica.recovered) process.stderr.write(`roost: ${sentence}\n`)
  process.stdout.write(`roost: ${replica.mountpoint} is mounted\n`)
  const failure = await replica.untilEnded()
  if (failure !== undefined) process.stderr.write(`roost: ${failure}\n`)
  await control.close()
  await replica.close()
  return failure === undefined ? EX_OK : EX_SOFTWARE
}

/** Starts the same command again in a session of its own, and leaves when it has mounted. */
async function daemonize(flags: MountFlags): Promise<number> {
  const logFile = join(resolve(flags.data), 'roost.log')
  readIdentity(resolve(flags.data))
  const log = fs.openSync(logFile, 'a', 0o600)
  const logStart = fs.fstatSync(log).size
  const args = process.argv.slice(1).filter(arg => arg !== '--daemon')
  // An inherited device keeps its number: it is handed on in the same place.
  const inherited = Array.from({ length: (flags.fuseFd ?? 2) - 2 }, (_, i) => i + 3)
  const stdio = ['ignore', 'pipe', log, ...inherited] as const
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: [...stdio]
  })
  fs.closeSync(log)
  return new Promise(resolveCode => {
    child.stdout?.once('data', (line: Buffer) => {
      process.stdout.write(line)
      child.stdout?.destroy()
      child.unref()
      resolveCode(EX_OK)
    })
    child.once('exit', code => {
      process.stderr.write(fs.readFileSync(logFile).subarray(logStart))
      resolveCode(code ?? EX_SOFTWARE)
    })
  })
}

function fdOf(text: string): number {
  const fd = Number(text)
  if (!Number.isInteger(fd) || fd < 0) throw new InvalidArgumentError('a file descriptor')
  return fd
}
