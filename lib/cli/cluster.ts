/** `roost invite`, `peers`, `lease`, `locks` and `explain`: what a member of a cluster is asked. */

import { InvalidArgumentError, type Command } from 'commander'
import type { InviteAnswer, LeasesAnswer } from '../admin/cluster-control.ts'
import { askControl, statusOf } from '../admin/control.ts'
import { RoostError } from '../errors.ts'
import type { VolumeReport } from '../host/cluster-report.ts'
import { addDataOptions, dataDirectoryOf, type DataFlags } from './config-options.ts'
import { renderLeases, renderMembers, renderVolume } from './render-cluster.ts'

const HOUR_MS = 3_600_000

interface JsonFlags extends DataFlags {
  readonly json?: boolean
}

export function addInvite(program: Command): void {
  const verb = program.command('invite').description('print a token by which a replica can join')
  addDataOptions(verb)
    .option('--expires <hours>', 'hours until it is of no use any more', hoursOf, 24)
    .action(async (flags: DataFlags & { expires: number }, command: Command) => {
      const ttlMs = flags.expires * HOUR_MS
      const answer = await askControl(dataDirectoryOf(flags, command), { verb: 'invite', ttlMs })
      process.stdout.write(`${(answer as InviteAnswer).token}\n`)
    })
}

export function addPeers(program: Command): void {
  const verb = program.command('peers').description('list the members of the cluster')
  addJson(verb).action(async (flags: JsonFlags, command: Command) => {
    const { cluster } = await statusOf(dataDirectoryOf(flags, command))
    if (cluster === undefined)
      throw new RoostError('NOT_MOUNTED', 'no member of a cluster serves it')
    print(flags, cluster.members, renderMembers(cluster.members))
  })
}

export function addLease(program: Command): void {
  const lease = program.command('lease').description('who may change which volume')
  addJson(lease.command('list').description('list all volumes')).action(
    async (flags: JsonFlags, command: Command) => {
      const answer = await askControl(dataDirectoryOf(flags, command), { verb: 'leases' })
      const { leases } = answer as LeasesAnswer
      print(flags, leases, renderLeases(leases))
    }
  )
  const show = lease.command('show').description('show one volume')
  addJson(show.argument('<path>', 'path below the mount point')).action(showVolume)
  const move = lease.command('move').description('give a volume back that is held here')
  addDataOptions(move.argument('<path>', 'path below the mount point')).action(
    async (path: string, flags: DataFlags, command: Command) => {
      await askControl(dataDirectoryOf(flags, command), { verb: 'move', path })
    }
  )
}

export function addLocks(program: Command): void {
  const verb = program.command('locks').description('how many files of a user are locked here')
  addJson(verb.argument('<path>', 'path below the mount point')).action(
    async (path: string, flags: JsonFlags, command: Command) => {
      const report = await volumeAt(path, flags, command)
      const locks = report.here?.locks ?? 0
      print(flags, { locks }, `${locks}\n`)
    }
  )
}

export function addExplain(program: Command): void {
  const verb = program.command('explain').description("tell all about a user's volume")
  addJson(verb.argument('<user>', 'directory of the user, below the mount point')).action(
    showVolume
  )
}

async function showVolume(path: string, flags: JsonFlags, command: Command): Promise<void> {
  const report = await volumeAt(path, flags, command)
  print(flags, report, renderVolume(report))
}

async function volumeAt(path: string, flags: JsonFlags, command: Command): Promise<VolumeReport> {
  const answer = await askControl(dataDirectoryOf(flags, command), { verb: 'volume', path })
  return answer as VolumeReport
}

function addJson(command: Command): Command {
  return addDataOptions(command).option('--json', 'as JSON')
}

function print({ json }: JsonFlags, value: object, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value, undefined, 2)}\n` : text)
}

function hoursOf(text: string): number {
  const hours = Number(text)
  if (hours > 0 && hours <= 24 * 365) return hours
  throw new InvalidArgumentError('Hours are a number, at most a year.')
}
