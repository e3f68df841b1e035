/** `roost fsck` */

import type { Command } from 'commander'
import { RoostError } from '../errors.ts'
import { checkAtRest, checkServed, type FsckReport, type OnProgress } from '../fsck/fsck.ts'
import { repairAtRest } from '../fsck/repair.ts'
import { lockHolderOf } from '../io/data-directory.ts'
import { delay } from '../io/timer.ts'
import { addDataOptions, dataDirectoryOf, type DataFlags } from './config-options.ts'
import { VerbExit, type Outcome } from './exit-codes.ts'
import { exitOnInterrupt, ProgressLine } from './progress-line.ts'
import { renderFsck } from './render-fsck.ts'
import { complaintOf } from './sentence.ts'
import { withStore, type StoreAccess } from './store-access.ts'

/** Exit codes of fsck(8); those of what was corrected and what was not add up. */
const FSCK_CORRECTED = 1
const FSCK_UNCORRECTED = 4
const FSCK_ERROR = 8
const FSCK_USAGE = 16
const FSCK_CANCELLED = 32

/** Bytes of bodies read in a second beside a daemon. */
const SERVED_BYTES_PER_SECOND = 64 * 1024 * 1024
/** Before a file is looked at again that a daemon may be writing. */
const AGAIN_MS = 50

interface FsckFlags extends DataFlags {
  readonly repair?: boolean
  readonly json?: boolean
}

export function addFsck(program: Command, outcome: Outcome): void {
  const fsck = program
    .command('fsck')
    .description('check a store, and repair one that nobody serves')
  addDataOptions(fsck)
    .option('--repair', 'repair what is sure; not while a daemon serves the store')
    .option('--json', 'as JSON')
    .exitOverride(error => {
      throw error.exitCode === 0 ? error : new VerbExit(FSCK_USAGE, { cause: error })
    })
    .action(async (flags: FsckFlags, command: Command) => {
      outcome.exitCode = await runFsck(flags, command)
    })
}

async function runFsck(flags: FsckFlags, command: Command): Promise<number> {
  const progress = new ProgressLine(process.stderr)
  const stop = exitOnInterrupt(FSCK_CANCELLED, progress)
  try {
    const directory = dataDirectoryOf(flags, command)
    const report = await withStore(directory, access => check(access, directory, flags, progress))
    progress.clear()
    const text = flags.json === true ? jsonOf(directory, report) : renderFsck(directory, report)
    process.stdout.write(text)
    return exitCodeOf(report)
  } catch (error) {
    progress.clear()
    if (!(error instanceof RoostError)) throw error
    process.stderr.write(complaintOf(error))
    return FSCK_ERROR
  } finally {
    stop()
  }
}

async function check(
  { disk, openStore, openView }: StoreAccess,
  directory: string,
  { repair = false }: FsckFlags,
  progress: ProgressLine
): Promise<FsckReport> {
  const onProgress: OnProgress = (phase, done, all) => {
    progress.show(all > 0 ? `${phase}: ${done} of ${all}` : `${phase}: ${done}`)
  }
  if (openStore === undefined) {
    if (repair) throw servedError(directory)
    return checkServed(openView, disk, { onProgress, pace: servedPace })
  }
  const options = { onProgress, pace: () => Promise.resolve() }
  return repair ? repairAtRest(disk, openStore, options) : checkAtRest(disk, openStore, options)
}

function servedError(directory: string): RoostError {
  const who = `process ${String(lockHolderOf(directory) ?? 0)}`
  const what = `${directory} is served by ${who}; what is to be repaired must be unmounted first`
  return new RoostError('DATA_IN_USE', what)
}

async function servedPace(bytes: number): Promise<void> {
  await delay(bytes === 0 ? AGAIN_MS : (bytes / SERVED_BYTES_PER_SECOND) * 1000)
}

function exitCodeOf({ problems }: FsckReport): number {
  const corrected = problems.some(({ repaired }) => repaired) ? FSCK_CORRECTED : 0
  return corrected + (problems.some(({ repaired }) => !repaired) ? FSCK_UNCORRECTED : 0)
}

function jsonOf(directory: string, report: FsckReport): string {
  return `${JSON.stringify({ dataDirectory: directory, ...report }, undefined, 2)}\n`
}
