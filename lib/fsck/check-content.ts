/**
 * Checks what a volume's regular files are made of: extents of bodies, and containers.
 */

import type { Extent } from '../feed/entry.ts'
import { BLOB_SIZE_MAX } from '../blob/blob-store.ts'
import type { Ino } from '../ids.ts'
import type { TreeView } from '../keeper/tree-view.ts'
import { containerPathOf } from '../store/containers.ts'
import * as keys from '../store/keys.ts'
import { encodeInode } from '../store/records.ts'
import { isRegular, type Inode } from '../tree/inode.ts'
import { WINDOW_SIZE } from '../tree/window.ts'
import type { BlobTable } from './blob-table.ts'
import { edit, type OnProblem, type ProblemKind } from './problem.ts'
import type { VolumeImage, Window } from './volume-image.ts'

/** Containers asked for at once: as many as a daemon looks at without keeping others waiting. */
const CONTAINERS_CHUNK = 200

/** Every extent counts as a reference to its blob, whatever else is wrong with it. */
export function checkExtents(image: VolumeImage, blobs: BlobTable, onProblem: OnProblem): void {
  const ends = new Map<Ino, number>()
  for (const window of image.windows) {
    const { ino } = window
    const inode = image.inodes.get(ino)
    if (inode === undefined && !image.damaged.has(ino)) {
      const fixes = [edit([keys.extentsKey(ino, window.window), undefined])]
      const text = `extents of inode ${ino}, which does not exist`
      onProblem({ kind: 'extents-of-nothing', text, fixes })
    }
    for (const { blob, blobOffset, length } of window.extents) {
      blobs.note(blob, Math.min(blobOffset + length, BLOB_SIZE_MAX))
    }
    if (inode !== undefined) checkWindow(inode, window, onProblem)
    const end = window.extents.reduce(
      (last, { offset, length }) => Math.max(last, offset + length),
      0
    )
    ends.set(ino, Math.max(ends.get(ino) ?? 0, end))
  }
  for (const [ino, end] of ends) {
    const inode = image.inodes.get(ino)
    if (inode !== undefined) checkEnd(inode, end, onProblem)
  }
}

function checkWindow(inode: Inode, { window, extents }: Window, onProblem: OnProblem): void {
  const { ino } = inode
  const say = (kind: ProblemKind, extent: Extent, why: string): void => {
    const text = `an extent of inode ${ino}, ${extent.length} bytes at ${extent.offset}, ${why}`
    onProblem({ kind, text, ino })
  }
  const [start, end] = [window * WINDOW_SIZE, (window + 1) * WINDOW_SIZE]
  let last = start
  for (const extent of extents) {
    const { offset, length, blobOffset } = extent
    if (offset < start || offset + length > end) say('extents-outside', extent, 'leaves its window')
    else if (offset < last) say('extents-overlap', extent, 'begins in the one before')
    if (length === 0 || blobOffset + length > BLOB_SIZE_MAX) {
      say('extents-outside', extent, 'cannot be part of a blob')
    }
    last = Math.max(last, offset + length)
  }
}

function checkEnd(inode: Inode, end: number, onProblem: OnProblem): void {
  const { ino, size, bodyEnd, fileClass } = inode
  if (!isRegular(inode) || fileClass !== 'blob') {
    onProblem({ kind: 'extents-outside', text: `inode ${ino} has extents and no body`, ino })
  } else if (end > size) {
    const text = `extents of inode ${ino} reach to ${end}, and the file to ${size}`
    onProblem({ kind: 'extents-outside', text, ino })
  } else if (end > bodyEnd) {
    const text = `extents of inode ${ino} reach to ${end}, and its body to ${bodyEnd}`
    const fixes = [edit([keys.inodeKey(ino), encodeInode({ ...inode, bodyEnd: end })])]
    onProblem({ kind: 'extents-end', text, ino, fixes })
  }
}

/** @returns the inodes that have a container, or may have one, in order */
export async function checkContainers(
  image: VolumeImage,
  view: TreeView,
  onProblem: OnProblem
): Promise<Ino[]> {
  const inodes = [...image.inodes.values()].filter(
    inode => isRegular(inode) && inode.fileClass !== 'blob'
  )
  for (let at = 0; at < inodes.length; at += CONTAINERS_CHUNK) {
    const chunk = inodes.slice(at, at + CONTAINERS_CHUNK)
    const sizes = await view.containerSizes(chunk.map(({ ino }) => ino))
    chunk.forEach((inode, i) => {
      checkContainer(inode, sizes[i], onProblem)
    })
  }
  return [...inodes.map(({ ino }) => ino), ...image.damaged].sort((a, b) => a - b)
}

function checkContainer(
  { ino, size }: Inode,
  found: number | undefined,
  onProblem: OnProblem
): void {
  const path = containerPathOf(ino)
  const expected = `inode ${ino} has ${size} bytes`
  if ((found ?? 0) === size) return
  if (found === undefined) {
    onProblem({ kind: 'container-missing', text: `${path} is missing: ${expected}`, ino })
  } else if (found < size) {
    onProblem({ kind: 'container-short', text: `${path} has ${found} bytes: ${expected}`, ino })
  } else {
    // What lies beyond was never written by anybody.
    const fixes = [{ kind: 'cut', path, size } as const]
    const text = `${path} has ${found} bytes: ${expected}`
    onProblem({ kind: 'container-long', text, ino, fixes })
  }
}
