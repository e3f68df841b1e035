/** `roost export` */

import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { RoostError } from '../errors.ts'
import { exportTree, findPath, type ExportFigures } from '../export/export-tree.ts'
import { PlainTree } from '../io/plain-tree.ts'
import { delay } from '../io/timer.ts'
import { RecoveredView } from '../keeper/recovered-view.ts'
import type { TreeView } from '../keeper/tree-view.ts'
import { isDirectory } from '../tree/inode.ts'
import { addDataOptions, dataDirectoryOf, type DataFlags } from './config-options.ts'
import { EX_DATAERR, EX_OK, EX_TEMPFAIL, type Outcome } from './exit-codes.ts'
import { exitOnInterrupt, ProgressLine } from './progress-line.ts'
import { withStore, type StoreAccess } from './store-access.ts'

/** Before a blob is read again that the daemon may have been writing. */
const AGAIN_MS = 50

interface ExportFlags extends DataFlags {
  readonly only?: string
}

export function addExport(program: Command, outcome: Outcome): void {
  const verb = program
    .command('export')
    .description('write what a store holds as ordinary directories and files')
    .argument('<dest>', 'directory to write to, empty or to be made')
  addDataOptions(verb)
    .option('--only <path>', 'only what is at this path, as seen from the mount point')
    .action(async (dest: string, flags: ExportFlags, command: Command) => {
      const directory = dataDirectoryOf(flags, command)
      outcome.exitCode = await runExport(directory, resolve(dest), flags)
    })
}

async function runExport(directory: string, dest: string, flags: ExportFlags): Promise<number> {
  if (!relative(directory, dest).startsWith('..')) {
    throw new RoostError(
      'TARGET_UNUSABLE',
      `${dest} cannot be used: it is in the store's own files`
    )
  }
  const progress = new ProgressLine(process.stderr)
  const stop = exitOnInterrupt(EX_TEMPFAIL, progress, () => `interrupted; ${dest} is not complete`)
  try {
    return await withStore(directory, access => exportFrom(access, dest, flags, progress))
  } finally {
    progress.clear()
    stop()
  }
}

async function exportFrom(
  access: StoreAccess,
  dest: string,
  flags: ExportFlags,
  progress: ProgressLine
): Promise<number> {
  if (access.openStore === undefined) {
    const view = await access.openView()
    try {
      return await writeTo(dest, view, flags, progress, () => delay(AGAIN_MS))
    } finally {
      await view.close()
    }
  }
  const store = await access.openStore()
  try {
    const view = await RecoveredView.open(access.disk, store)
    const code = await writeTo(dest, view, flags, progress)
    if (!(view.outcome instanceof Error)) return code
    const why = view.outcome.message
    process.stderr.write(`roost: what the end of the log held is not in ${dest}: ${why}\n`)
    return EX_DATAERR
  } finally {
    await store.close()
  }
}

async function writeTo(
  dest: string,
  view: TreeView,
  { only }: ExportFlags,
  progress: ProgressLine,
  again?: () => Promise<void>
): Promise<number> {
  const path = only === undefined ? undefined : Buffer.from(only).toString('latin1')
  const top = await findPath(view, path)
  const target = PlainTree.begin(dest)
  try {
    const figures = await exportTree(top, {
      view,
      target,
      again,
      ...(path !== undefined && { only: path }),
      onFailure: (path, why) => {
        progress.clear()
        process.stderr.write(`roost: ${path}: ${why}\n`)
      },
      onProgress: ({ files, bytes }) => {
        progress.show(`${files} files, ${mib(bytes)} MiB`)
      }
    })
    await target.finish(isDirectory(top) ? top : undefined)
    progress.clear()
    process.stdout.write(`roost: ${sentenceOf(figures, dest)}\n`)
    if (!target.keepsOwners) process.stdout.write('roost: owners were not kept: only root can\n')
    return figures.failures === 0 ? EX_OK : EX_DATAERR
  } catch (error) {
    progress.clear()
    process.stderr.write(`roost: ${dest} is not complete\n`)
    if (!(error instanceof Error && 'code' in error) || error instanceof RoostError) throw error
    throw new RoostError('TARGET_FAILED', `${dest} cannot be written`, { cause: error })
  }
}

function sentenceOf(figures: ExportFigures, dest: string): string {
  const { directories, files, links, bytes, failures } = figures
  const wrote = `${files} files, ${directories} directories, ${links} more links, ${mib(bytes)} MiB`
  return `${wrote} are in ${dest}${failures === 0 ? '' : `; ${failures} failures are named above`}`
}

function mib(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20)
}
