/** The verbs of the `roost` command, and which exit code a failure gives. */

import { Command, CommanderError } from 'commander'
import { RoostError } from '../errors.ts'
import { addExplain, addInvite, addLease, addLocks, addPeers } from './cluster.ts'
import { addCompletion } from './completion.ts'
import { addConfig } from './config.ts'
import { exitCodeOf, EX_OK, EX_SOFTWARE, EX_USAGE, VerbExit } from './exit-codes.ts'
import { addExport } from './export.ts'
import { addFsck } from './fsck.ts'
import { addHelp } from './help.ts'
import { addInit } from './init.ts'
import { addJoin } from './join.ts'
import { addMount } from './mount.ts'
import { complaintOf } from './sentence.ts'
import { addStatus } from './status.ts'
import { addStats } from './stats.ts'
import { addUmount } from './umount.ts'
import { addVersion } from './version.ts'
import { addWitness } from './witness.ts'

const VERBS = [
  addInit,
  addMount,
  addUmount,
  addInvite,
  addJoin,
  addWitness,
  addPeers,
  addLease,
  addLocks,
  addExplain,
  addStatus,
  addStats,
  addFsck,
  addExport,
  addConfig,
  addCompletion,
  addVersion,
  addHelp
]

/** Runs the verb that `argv` names. @returns the exit code, from sysexits.h */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('roost')
    .description('A replicated mail store for Dovecot')
    .exitOverride()
    .showSuggestionAfterError()
  const outcome = { exitCode: EX_OK }
  for (const add of VERBS) add(program, outcome)
  try {
    await program.parseAsync(argv)
    return outcome.exitCode
  } catch (error) {
    return reportFailure(error)
  }
}

function reportFailure(error: unknown): number {
  if (error instanceof VerbExit) return error.exitCode
  if (error instanceof CommanderError) return error.exitCode === 0 ? EX_OK : EX_USAGE
  if (error instanceof RoostError) {
    process.stderr.write(complaintOf(error))
    return exitCodeOf(error.code)
  }
  process.stderr.write(`roost: ${error instanceof Error ? String(error.stack) : String(error)}\n`)
  return EX_SOFTWARE
}
