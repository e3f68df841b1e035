/**
 * The whole check, of a data directory at rest or of one that a daemon serves.
 *
 * It looks at a state that stands still (`keeper/tree-view.ts`). At rest that is what the next
 * start would find, the end of the log included, and nothing is changed. Where a daemon serves, it
 * is what the daemon had applied when the check began.
 */

import { STAGED_DIRECTORY } from '../blob/blob-store.ts'
import { RoostError } from '../errors.ts'
import type { VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { RecoveredView } from '../keeper/recovered-view.ts'
import { readMark } from '../keeper/recovery.ts'
import type { TreeView } from '../keeper/tree-view.ts'
import { volumeKey } from '../store/keys.ts'
import { decodeVolume } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { emptyVolume, type VolumeRecord } from '../tree/volume-record.ts'
import { checkFeeds, type FeedFigures } from './check-feed.ts'
import { checkBodies, checkUnnamed } from './check-files.ts'
import { checkTree, type TreeFigures } from './check-tree.ts'
import { Paths } from './paths.ts'
import type { OnProblem, Problem, ProblemKind } from './problem.ts'
import { decoded } from './volume-image.ts'

/** What a check looked at. */
export interface Figures extends TreeFigures {
  frames: number
  entries: number
  /** Bytes of bodies that were read and hashed. */
  bytes: number
}

/** A problem as it is reported. */
export interface FoundProblem {
  readonly kind: ProblemKind
  readonly text: string
  /** Paths below the mount point that it is about. */
  readonly paths: readonly string[]
  readonly repaired: boolean
}

export interface FsckReport {
  readonly figures: Figures
  readonly problems: readonly FoundProblem[]
  /** What is as it should be, and worth a sentence. */
  readonly notes: readonly string[]
}

/** What a check has found, before it is made a report. */
export interface Findings {
  readonly figures: Figures
  readonly problems: Problem[]
  readonly notes: string[]
}

/** Told how far the check is; throws to end it. */
export type OnProgress = (phase: 'log' | 'store' | 'bodies', done: number, all: number) => void

export interface FsckOptions {
  readonly onProgress: OnProgress
  /** Resolves when more may be read, after so many bytes. */
  readonly pace: (bytes: number) => Promise<void>
}

const NO_FIGURES: Figures = {
  frames: 0,
  entries: 0,
  volumes: 0,
  inodes: 0,
  names: 0,
  bodies: 0,
  containers: 0,
  bytes: 0
}

/** Checks what nobody serves. @param openStore what it opens is closed here */
export async function checkAtRest(
  disk: Disk,
  openStore: () => Promise<Store>,
  options: FsckOptions
): Promise<FsckReport> {
  return onStore(openStore, async store => {
    const { findings, view } = await findAtRest(disk, store, options)
    return reportOf(findings, view)
  })
}

/** Opens the store for a task; one that cannot be read is a finding. */
export async function onStore(
  openStore: () => Promise<Store>,
  task: (store: Store) => Promise<FsckReport>
): Promise<FsckReport> {
  let store: Store | undefined
  try {
    store = await openStore()
    return await task(store)
  } catch (error) {
    if (!(error instanceof RoostError) || error.code !== 'STORE_FAILED') throw error
    const { cause } = error
    const below = cause instanceof Error ? `: ${innermost(cause)}` : ''
    const text = `${error.message.slice(error.code.length + 2)}${below}`
    const problem = { kind: 'store-unreadable', text, paths: [], repaired: false } as const
    return { figures: NO_FIGURES, problems: [problem], notes: [] }
  } finally {
    await store?.close()
  }
}

function innermost(error: Error): string {
  return error.cause instanceof Error ? innermost(error.cause) : error.message
}

async function findAtRest(
  disk: Disk,
  store: Store,
  options: FsckOptions
): Promise<{ findings: Findings; view: TreeView }> {
  const findings: Findings = { figures: { ...NO_FIGURES }, problems: [], notes: [] }
  const onProblem: OnProblem = problem => findings.problems.push(problem)
  const marks = decoded(() => [readMark(store, 'applied'), readMark(store, 'checkpoint')] as const)
  if (marks === undefined) {
    onProblem({ kind: 'record-damaged', text: 'the marks of where the store stands' })
    return { findings, view: new RecoveredView(disk, store, new Error('no marks')) }
  }
  options.onProgress('log', 0, 0)
  const [applied, checkpoint] = marks
  const volume = async (number: VolumeId): Promise<VolumeRecord | undefined> => {
    await Promise.resolve()
    return recordOf(number, store.get(volumeKey(number)))
  }
  const log = { disk, checkpoint, applied, volume, onProblem, isLive: false }
  noteLog(findings, await checkFeeds(log))
  const isWhole = findings.problems.every(({ kind }) => kind === 'log-superseded')
  const view = await RecoveredView.open(disk, store)
  if (view.outcome instanceof Error) {
    const text = `the end of the log cannot be applied: ${view.outcome.message}`
    if (isWhole) onProblem({ kind: 'log-unusable', text })
    findings.notes.push('the store was checked without what the end of the log would change')
  } else {
    for (const text of view.outcome.strays) onProblem({ kind: 'log-order', text })
    for (const { volume, entries } of view.outcome.pending) {
      const count = entries.length === 1 ? 'a change' : `${entries.length} changes`
      findings.notes.push(`${count} of volume ${volume} may not be acknowledged by other replicas`)
    }
  }
  await inspect(view, findings, options, false, () => Promise.resolve(undefined))
  noteStaged(view, findings)
  return { findings, view }
}

/**
 * Checks what a daemon serves.
 *
 * @param openView opens a view of it as it is then
 * @param disk of the data directory, for the log
 */
export async function checkServed(
  openView: () => Promise<TreeView & { releaseLog(): Promise<void> }>,
  disk: Disk,
  options: FsckOptions
): Promise<FsckReport> {
  const findings: Findings = { figures: { ...NO_FIGURES }, problems: [], notes: [] }
  const onProblem: OnProblem = problem => findings.problems.push(problem)
  const view = await openView()
  try {
    options.onProgress('log', 0, 0)
    const { checkpoint, applied } = view
    const volume = async (number: VolumeId): Promise<VolumeRecord | undefined> =>
      recordOf(number, await view.get(volumeKey(number)))
    const log = { disk, checkpoint, applied, volume, onProblem, isLive: true }
    noteLog(findings, await checkFeeds(log))
    await view.releaseLog()
    await inspect(view, findings, options, true, openView)
    return await reportOf(findings, view)
  } finally {
    await view.close()
  }
}

/** @returns undefined where it does not decode, which is reported elsewhere */
function recordOf(volume: VolumeId, stored: Buffer | undefined): VolumeRecord | undefined {
  return stored === undefined ? emptyVolume(volume) : decoded(() => decodeVolume(stored))
}

function noteLog({ figures, notes }: Findings, log: FeedFigures): void {
  figures.frames = log.frames
  figures.entries = log.entries
  notes.push(...log.tornTails.map(sentence => `${sentence}; a power cut does that`))
}

/** Everything but the log. */
async function inspect(
  view: TreeView,
  findings: Findings,
  { onProgress, pace }: FsckOptions,
  isLive: boolean,
  later: () => Promise<TreeView | undefined>
): Promise<void> {
  const onProblem: OnProblem = problem => findings.problems.push(problem)
  onProgress('store', 0, 0)
  const contents = await checkTree({
    view,
    onProblem,
    onProgress: inodes => {
      onProgress('store', inodes, 0)
    }
  })
  Object.assign(findings.figures, contents.figures)
  await checkUnnamed(view, contents, later, onProblem)
  let done = 0
  const paced = async (bytes: number): Promise<void> => {
    onProgress('bodies', ++done, contents.blobs.count)
    await pace(bytes)
  }
  findings.figures.bytes = await checkBodies({ view, contents, onProblem, pace: paced, isLive })
}

/** What was written and not named yet when a daemon died; every start clears it away. */
function noteStaged({ disk }: TreeView, { notes }: Findings): void {
  const names = disk.exists(STAGED_DIRECTORY) ? disk.list(STAGED_DIRECTORY).sort() : []
  for (const name of names) {
    notes.push(`${STAGED_DIRECTORY}/${name} was never named; the next start removes it`)
  }
}

/** @param repaired what was found and is no longer so */
export async function reportOf(
  { figures, problems, notes }: Findings,
  view: TreeView,
  repaired: readonly Problem[] = []
): Promise<FsckReport> {
  const all = [...repaired, ...problems]
  const inos = all.flatMap(({ ino }) => ino ?? [])
  const paths = await Paths.find(
    view,
    inos,
    all.flatMap(({ blob }) => blob ?? [])
  )
  const found: FoundProblem[] = []
  for (const problem of all) {
    const { kind, text, ino, blob } = problem
    const ofInode = ino === undefined ? [] : await paths.ofInode(ino)
    const ofBlob = blob === undefined ? [] : await paths.ofBlob(blob)
    const isRepaired = repaired.includes(problem)
    found.push({ kind, text, paths: [...ofInode, ...ofBlob], repaired: isRepaired })
  }
  return { figures, problems: found, notes }
}
