/** `roost status` */

import type { Command } from 'commander'
import { statusOf } from '../admin/control.ts'
import { RoostError } from '../errors.ts'
import { unknownVerdict, verdictOf, type Verdict } from '../host/verdict.ts'
import { addDataOptions, dataDirectoryOf, type DataFlags } from './config-options.ts'
import type { Outcome } from './exit-codes.ts'
import { renderStatus } from './render-status.ts'
import { complaintOf } from './sentence.ts'

interface StatusFlags extends DataFlags {
  readonly json?: boolean
  readonly check?: boolean
}

export function addStatus(program: Command, outcome: Outcome): void {
  const status = program.command('status').description('show what a store and its daemon are doing')
  addDataOptions(status)
    .option('--json', 'as JSON')
    .option('--check', 'one line and an exit code, as monitoring plugins have it')
    .action(async (flags: StatusFlags, command: Command) => {
      if (flags.check === true) {
        outcome.exitCode = await check(flags, command)
        return
      }
      const status = await statusOf(dataDirectoryOf(flags, command))
      const isJson = flags.json === true
      process.stdout.write(
        isJson ? `${JSON.stringify(status, undefined, 2)}\n` : renderStatus(status)
      )
    })
}

/** Says in a line how it is. @returns 0 well, 1 warning, 2 critical, 3 nobody can say */
async function check(flags: StatusFlags, command: Command): Promise<number> {
  const verdict = await verdictIn(flags, command)
  const { level, text, exitCode } = verdict
  const line = flags.json === true ? JSON.stringify(verdict) : `${level}: ${text}`
  process.stdout.write(`${line}\n`)
  return exitCode
}

async function verdictIn(flags: StatusFlags, command: Command): Promise<Verdict> {
  try {
    return verdictOf(await statusOf(dataDirectoryOf(flags, command)))
  } catch (error) {
    if (!(error instanceof RoostError)) throw error
    return unknownVerdict(complaintOf(error).trim().replaceAll('\n', '; '))
  }
}
