/**
 * Checks all that the store says, volume by volume, so that memory holds no more than the largest
 * one; and that containers, blob files and keys are those that it names.
 */

import type { BlobId, Ino } from '../ids.ts'
import type { TreeView } from '../keeper/tree-view.ts'
import * as keys from '../store/keys.ts'
import { decodeCount, decodeInode, encodeCount } from '../store/records.ts'
import { isRegular } from '../tree/inode.ts'
import { BlobTable } from './blob-table.ts'
import { checkContainers, checkExtents } from './check-content.ts'
import { checkRoots, checkVolume } from './check-volume.ts'
import { Cursor } from './cursor.ts'
import type { VolumeRoots } from './names.ts'
import { edit, type OnProblem } from './problem.ts'
import { decoded, volumesOf } from './volume-image.ts'

export interface TreeFigures {
  volumes: number
  inodes: number
  names: number
  bodies: number
  containers: number
}

/** What else is looked at once the tree is known. */
export interface TreeContents {
  readonly figures: TreeFigures
  readonly blobs: BlobTable
  /** Inodes with a container, ascending. */
  readonly containers: Float64Array
}

export interface TreeCheck {
  readonly view: TreeView
  readonly onProblem: OnProblem
  /** Called now and then with how many inodes were looked at; may throw to end it. */
  readonly onProgress: (inodes: number) => void
}

/** The first characters of all keys that there are. */
const KNOWN = 'bdgimovxz'
const KEY_MAX = '\xff'.repeat(40)
/** Unknown keys named one by one. */
const UNKNOWN_MAX = 100

export async function checkTree({ view, onProblem, onProgress }: TreeCheck): Promise<TreeContents> {
  const blobs = await readBlobCounts(view, onProblem)
  const roots: VolumeRoots = { named: new Map(), existing: new Set(), lastVolume: 0 }
  const figures = { volumes: 0, inodes: 0, names: 0, bodies: blobs.count, containers: 0 }
  const containers: Ino[][] = []
  for await (const image of volumesOf(view, onProblem)) {
    checkVolume(image, roots, onProblem)
    checkExtents(image, blobs, onProblem)
    const found = await checkContainers(image, view, onProblem)
    containers.push(found)
    figures.volumes++
    figures.inodes += image.inodes.size
    figures.containers += found.length
    for (const { names } of image.folders.values()) figures.names += names.size
    onProgress(figures.inodes)
  }
  checkRoots(roots, onProblem)
  await checkBlobCounts(view, blobs, onProblem)
  checkUncounted(blobs, onProblem)
  await checkGarbage(view, onProblem)
  await checkUnknown(view, onProblem)
  return { figures, blobs, containers: Float64Array.from(containers.flat()) }
}

/** The blob that a key of the count of references names. */
export function blobOfCountKey(key: string): BlobId {
  return keys.blobOfKey(`g${key}`)
}

async function readBlobCounts(view: TreeView, onProblem: OnProblem): Promise<BlobTable> {
  const blobs = new BlobTable()
  const cursor = new Cursor(view, 'b')
  for (let pair = await cursor.next(); pair !== undefined; pair = await cursor.next()) {
    const [key, value] = pair
    const blob = blobOfCountKey(key)
    const count = decoded(() => decodeCount(value))
    // A count that makes no sense is one that is wrong, and known once all extents are.
    if (count === undefined) {
      onProblem({ kind: 'record-damaged', text: `the count of blob ${blob}`, blob })
    }
    blobs.add(blob, count ?? 0)
  }
  return blobs
}

async function checkBlobCounts(
  view: TreeView,
  blobs: BlobTable,
  onProblem: OnProblem
): Promise<void> {
  const cursor = new Cursor(view, 'b')
  for (let at = 0; at < blobs.count; at++) {
    const pair = await cursor.next()
    if (pair === undefined) return
    const { stored, found } = blobs.countsAt(at)
    if (stored === found) continue
    const blob = blobOfCountKey(pair[0])
    const text = `blob ${blob} counts ${stored} references and has ${found}`
    const garbage = keys.blobGarbageKey(blob)
    const fix =
      found > 0
        ? edit([pair[0], encodeCount(found)])
        : edit([pair[0], undefined], [garbage, Buffer.alloc(0)])
    onProblem({ kind: 'body-count', text, blob, fixes: [fix] })
  }
}

/** Blobs that extents name, and that a checkpoint might therefore delete, or never delete. */
function checkUncounted({ unknown }: BlobTable, onProblem: OnProblem): void {
  for (const [blob, count] of unknown) {
    const counted = [keys.blobKey(blob), encodeCount(count)] as const
    const fixes = [edit(counted, [keys.blobGarbageKey(blob), undefined])]
    const text = `blob ${blob} has ${count} references, which nothing counts`
    onProblem({ kind: 'body-count', text, blob, fixes })
  }
}

/** What is to be deleted must not be needed. */
async function checkGarbage(view: TreeView, onProblem: OnProblem): Promise<void> {
  const cursor = new Cursor(view, 'g')
  for (let pair = await cursor.next(); pair !== undefined; pair = await cursor.next()) {
    const [key] = pair
    const fixes = [edit([key, undefined])]
    if (key.startsWith('gb')) {
      const blob = keys.blobOfKey(key)
      if ((await view.get(keys.blobKey(blob))) === undefined) continue
      onProblem({ kind: 'body-doomed', text: `blob ${blob} is to be deleted`, blob, fixes })
    } else if (key.startsWith('gc')) {
      const ino = keys.inoOfKey(key)
      const inode = await view.get(keys.inodeKey(ino))
      if (inode === undefined || !hasContainer(inode)) continue
      const text = `the container of inode ${ino} is to be deleted`
      onProblem({ kind: 'container-doomed', text, ino, fixes })
    } else {
      onProblem({ kind: 'record-unknown', text: `store key ${JSON.stringify(key)}` })
    }
  }
}

async function checkUnknown(view: TreeView, onProblem: OnProblem): Promise<void> {
  let from = ''
  for (const prefix of [...KNOWN.split(''), undefined]) {
    const found = await view.range(from, prefix ?? KEY_MAX, UNKNOWN_MAX)
    for (const [key] of found) {
      onProblem({ kind: 'record-unknown', text: `store key ${JSON.stringify(key)}` })
    }
    if (prefix !== undefined) from = String.fromCharCode(prefix.charCodeAt(0) + 1)
  }
}

/** Whether an inode has a container, or may have one. */
export function hasContainer(stored: Buffer): boolean {
  const inode = decoded(() => decodeInode(stored))
  return inode === undefined || (isRegular(inode) && inode.fileClass !== 'blob')
}
