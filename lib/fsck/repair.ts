/**
 * Repairs what a check at rest has found, as far as it is sure what is right.
 *
 * Repairs are edits of the store, each of them atomic and durable, and no entries of the log: the
 * damage never was in history, so its repair is none either. The end of the log is applied first,
 * and afterwards everything is checkpointed, so no log reaches back behind a repair. Nothing is
 * invented: names, counts and places follow from other keys, and what is lost stays lost.
 *
 * It goes in rounds, since one repair may bring up the next: a name that leads nowhere is taken
 * away, then its directory counts a link too many.
 */

import { BlobStore } from '../blob/blob-store.ts'
import type { Ino, VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { Keeper } from '../keeper/keeper.ts'
import { RecoveredView } from '../keeper/recovered-view.ts'
import { recover } from '../keeper/recovery.ts'
import { Containers } from '../store/containers.ts'
import type { Store } from '../store/store.ts'
import { checkUnnamed } from './check-files.ts'
import { checkTree } from './check-tree.ts'
import { checkAtRest, onStore, reportOf, type FsckOptions, type FsckReport } from './fsck.ts'
import { attach, volumeToAttachIn } from './lost-found.ts'
import type { Fix, Problem, ProblemKind } from './problem.ts'

/** More rounds than any chain of repairs takes. */
const ROUNDS_MAX = 12

/** Without a whole log and a store that can be read, nothing is touched. */
const FORBIDDING: readonly ProblemKind[] = [
  'log-damaged',
  'log-order',
  'log-unusable',
  'mark-beyond-log'
]

/** Found once, by reading every body; they stay as they are. */
const OF_BODIES: readonly ProblemKind[] = ['body-damaged', 'body-missing', 'body-short']

/** Checks, repairs where there is something to repair, and reports what is left. */
export async function repairAtRest(
  disk: Disk,
  openStore: () => Promise<Store>,
  options: FsckOptions
): Promise<FsckReport> {
  const first = await checkAtRest(disk, openStore, options)
  const isForbidden = first.problems.some(({ kind }) => FORBIDDING.includes(kind))
  if (first.problems.length === 0) return first
  const isMarked = first.figures.volumes > 0
  if (isForbidden || !isMarked) {
    const why = 'nothing was repaired: the log and the store do not fit together'
    return { ...first, notes: [...first.notes, why] }
  }
  const { repaired, left } = await repairStore(disk, openStore)
  // A start and an end: what only the old log said is dropped, and garbage with it.
  // Of a member of a cluster it leaves what is pending where it is, in the old log.
  const keeper = await Keeper.open({ disk, openStore, isReplicated: true })
  await keeper.close()
  return onStore(openStore, async store => {
    const view = new RecoveredView(disk, store)
    const superseded = first.problems.filter(({ kind }) => kind === 'log-superseded')
    const findings = { figures: first.figures, problems: left, notes: [...first.notes] }
    const report = await reportOf(findings, view, repaired)
    const bodies = first.problems.filter(({ kind }) => OF_BODIES.includes(kind))
    const problems = [...superseded.map(done), ...report.problems, ...bodies]
    return { ...report, problems }
  })
}

function done<P extends object>(problem: P): P & { repaired: true } {
  return { ...problem, repaired: true }
}

async function repairStore(
  disk: Disk,
  openStore: () => Promise<Store>
): Promise<{ repaired: Problem[]; left: Problem[] }> {
  const store = await openStore()
  try {
    const containers = new Containers(disk)
    const blobs = new BlobStore(disk)
    blobs.prepare()
    containers.prepare()
    await recover(disk, { store, blobs, containers })
    containers.close()
    const repaired: Problem[] = []
    for (let round = 0; ; round++) {
      const problems = await findNow(disk, store)
      const fixable = problems.filter(({ fixes }) => fixes !== undefined)
      const fixed = round < ROUNDS_MAX ? await fix(disk, store, fixable) : []
      if (fixed.length === 0) return { repaired, left: problems }
      repaired.push(...fixed)
    }
  } finally {
    await store.close()
  }
}

async function findNow(disk: Disk, store: Store): Promise<Problem[]> {
  const view = new RecoveredView(disk, store)
  const problems: Problem[] = []
  const onProblem = (problem: Problem): void => void problems.push(problem)
  const contents = await checkTree({ view, onProblem, onProgress: () => undefined })
  await checkUnnamed(view, contents, () => Promise.resolve(undefined), onProblem)
  return problems
}

/** Does what can be done at once. @returns the problems that are no more */
async function fix(disk: Disk, store: Store, problems: readonly Problem[]): Promise<Problem[]> {
  const changes = new Map<string, Buffer | undefined>()
  const edited = problems.filter(({ fixes = [] }) => takeEdits(fixes, changes))
  await store.write(changes)
  const fixed = [...edited]
  for (const [volume, inos] of attachmentsIn(problems)) {
    const names = await attach(store, volume, inos)
    await store.write(names)
    if (names.size === 0) continue
    fixed.push(...problems.filter(({ fixes }) => fixes?.some(one => isAttachIn(one, inos))))
  }
  for (const problem of problems) {
    for (const one of problem.fixes ?? []) {
      if (one.kind === 'remove') disk.remove(one.path)
      else if (one.kind === 'cut') cut(disk, one.path, one.size)
      else continue
      fixed.push(problem)
    }
  }
  return fixed
}

/** Takes all edits of a problem, or none where an earlier one wants a key of them. */
function takeEdits(fixes: readonly Fix[], changes: Map<string, Buffer | undefined>): boolean {
  const edits = fixes.flatMap(one => (one.kind === 'edit' ? one.edits : []))
  if (edits.length === 0 || edits.some(([key]) => changes.has(key))) return false
  for (const [key, value] of edits) changes.set(key, value)
  return true
}

function attachmentsIn(problems: readonly Problem[]): Map<VolumeId, Ino[]> {
  const found = new Map<VolumeId, Ino[]>()
  for (const one of problems.flatMap(({ fixes = [] }) => fixes)) {
    if (one.kind !== 'attach') continue
    const volume = volumeToAttachIn(one.ino)
    found.set(volume, [...(found.get(volume) ?? []), one.ino])
  }
  return found
}

function isAttachIn(one: Fix, inos: readonly Ino[]): boolean {
  return one.kind === 'attach' && inos.includes(one.ino)
}

function cut(disk: Disk, path: string, size: number): void {
  const file = disk.open(path, 'existing')
  try {
    file.truncate(size)
  } finally {
    file.close()
  }
}
