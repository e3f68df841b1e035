/**
 * Checks the files of the data directory against what the tree names: every blob is there and has
 * its hash, and every file of blobs and containers is named by something.
 */

import { BLOBS_DIRECTORY, blobPathOf } from '../blob/blob-store.ts'
import type { BlobId, Ino } from '../ids.ts'
import { readBlobOf, type TreeView } from '../keeper/tree-view.ts'
import { CONTAINERS_DIRECTORY, containerPathOf } from '../store/containers.ts'
import * as keys from '../store/keys.ts'
import { sha256Hex } from '../util/hash.ts'
import { blobOfCountKey, hasContainer, type TreeContents } from './check-tree.ts'
import { Cursor } from './cursor.ts'
import type { OnProblem } from './problem.ts'

/** A file that looked wrong is read so often, while a daemon may be writing it. */
const TRIES_LIVE = 4
/** Folders of blobs, and of containers. */
const FOLDERS = 256

export interface BodyCheck {
  readonly view: TreeView
  readonly contents: TreeContents
  readonly onProblem: OnProblem
  /** Bytes of bodies that were read; resolves when more may be. */
  readonly pace: (bytes: number) => Promise<void>
  /** A daemon is at work. */
  readonly isLive: boolean
}

/** Reads every body. @returns how many bytes that were */
export async function checkBodies(check: BodyCheck): Promise<number> {
  const { view, contents, pace } = check
  const cursor = new Cursor(view, 'b')
  let bytes = 0
  for (let at = 0; at < contents.blobs.count; at++) {
    const pair = await cursor.next()
    if (pair === undefined) break
    const blob = blobOfCountKey(pair[0])
    const { found, end } = contents.blobs.countsAt(at)
    if (found === 0) continue
    const size = await checkBody(check, blob, end)
    bytes += size
    await pace(size)
  }
  for (const blob of contents.blobs.unknown.keys()) bytes += await checkBody(check, blob, 0)
  await view.confirm()
  return bytes
}

async function checkBody(check: BodyCheck, blob: BlobId, end: number): Promise<number> {
  const { view, onProblem, pace, isLive } = check
  const bytes = await readUnlessWrong(view, blob)
  if (bytes !== undefined && sha256Hex(bytes) === blob) {
    if (bytes.length < end) {
      const text = `blob ${blob} has ${bytes.length} bytes, and ${end} are used`
      onProblem({ kind: 'body-short', text, blob })
    }
    return bytes.length
  }
  // The daemon writes a blob anew when it comes back while it waits to be deleted.
  for (let left = isLive ? TRIES_LIVE : 0; left > 0; left--) {
    await pace(0)
    const again = await readUnlessWrong(view, blob)
    if (again !== undefined && sha256Hex(again) === blob) return again.length
  }
  await view.confirm()
  const isThere = view.disk.exists(blobPathOf(blob))
  if (isThere) onProblem({ kind: 'body-damaged', text: `blob ${blob} has another hash`, blob })
  else onProblem({ kind: 'body-missing', text: `blob ${blob} is missing`, blob })
  return bytes?.length ?? 0
}

/** A sector that cannot be read is damage to one body, and no reason to stop. */
async function readUnlessWrong(view: TreeView, blob: BlobId): Promise<Buffer | undefined> {
  try {
    return await readBlobOf(view, blob)
  } catch {
    return undefined
  }
}

/** A file that nothing in the view names. */
interface Unnamed {
  readonly path: string
  /** Whether a later state of the store names it. */
  readonly isNamedIn: (view: TreeView) => Promise<boolean>
}

/**
 * Finds files that nothing names.
 *
 * @param later a view that is opened after the files were listed, where the store moves on
 */
export async function checkUnnamed(
  view: TreeView,
  contents: TreeContents,
  later: () => Promise<TreeView | undefined>,
  onProblem: OnProblem
): Promise<void> {
  const found: Unnamed[] = []
  for (let i = 0; i < FOLDERS; i++) {
    const folder = i.toString(16).padStart(2, '0')
    await unnamedBlobs(view, contents, folder, found, onProblem)
    await unnamedContainers(view, contents, folder, found, onProblem)
  }
  await view.confirm()
  if (found.length === 0) return
  const second = await later()
  try {
    for (const { path, isNamedIn } of found) {
      if (second !== undefined && (await isNamedIn(second))) continue
      const fixes = [{ kind: 'remove', path } as const]
      onProblem({ kind: 'file-unnamed', text: `nothing names ${path}`, fixes })
    }
  } finally {
    await second?.close()
  }
}

async function unnamedBlobs(
  view: TreeView,
  { blobs }: TreeContents,
  folder: string,
  found: Unnamed[],
  onProblem: OnProblem
): Promise<void> {
  for (const name of namesIn(view, `${BLOBS_DIRECTORY}/${folder}`)) {
    const path = `${BLOBS_DIRECTORY}/${folder}/${name}`
    if (!/^[0-9a-f]{64}$/.test(name) || blobPathOf(name as BlobId) !== path) {
      onProblem({ kind: 'file-unknown', text: `${path} is not the file of a blob` })
      continue
    }
    const blob = name as BlobId
    if (blobs.has(blob) || blobs.unknown.has(blob)) continue
    const isNamedIn = async (at: TreeView): Promise<boolean> =>
      (await at.get(keys.blobKey(blob))) !== undefined ||
      (await at.get(keys.blobGarbageKey(blob))) !== undefined
    if (!(await isNamedIn(view))) found.push({ path, isNamedIn })
  }
}

async function unnamedContainers(
  view: TreeView,
  { containers }: TreeContents,
  folder: string,
  found: Unnamed[],
  onProblem: OnProblem
): Promise<void> {
  for (const name of namesIn(view, `${CONTAINERS_DIRECTORY}/${folder}`)) {
    const path = `${CONTAINERS_DIRECTORY}/${folder}/${name}`
    const ino = parseInt(name, 16) as Ino
    if (!/^[0-9a-f]{1,14}$/.test(name) || containerPathOf(ino) !== path) {
      onProblem({ kind: 'file-unknown', text: `${path} is not the container of an inode` })
      continue
    }
    if (includes(containers, ino)) continue
    const isNamedIn = async (at: TreeView): Promise<boolean> => {
      if ((await at.get(keys.containerGarbageKey(ino))) !== undefined) return true
      const inode = await at.get(keys.inodeKey(ino))
      return inode !== undefined && hasContainer(inode)
    }
    if (!(await isNamedIn(view))) found.push({ path, isNamedIn })
  }
}

function namesIn({ disk }: TreeView, directory: string): string[] {
  return disk.exists(directory) ? disk.list(directory).sort() : []
}

function includes(sorted: Float64Array, value: number): boolean {
  let [low, high] = [0, sorted.length - 1]
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = sorted[middle] ?? 0
    if (found === value) return true
    if (found < value) low = middle + 1
    else high = middle - 1
  }
  return false
}
