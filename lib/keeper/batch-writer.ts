/**
 * Makes a batch of applied entries durable: files first, then the keys that name them.
 *
 * A crash in between leaves files that nothing names, or that the replay of the log writes again
 * with the same bytes.
 */

import type { BlobStore } from '../blob/blob-store.ts'
import type { Containers } from '../store/containers.ts'
import type { VolumeId } from '../ids.ts'
import { commitKey, markKey } from '../store/keys.ts'
import { encodeMark, encodePoint, type FeedMark, type StoredPoint } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import type { TreeChanges } from './durable-tree.ts'

export interface KeeperFiles {
  readonly store: Store
  readonly blobs: BlobStore
  readonly containers: Containers
}

/**
 * Notes durably that a batch is committed, when nothing else would say so after a crash.
 *
 * Without it the files could show a part of what is then still pending, and recovery would neither
 * take that back nor do the rest. The batch itself takes the note away.
 */
export async function writeCommits(
  { store }: KeeperFiles,
  { contents, puts, adopts, keys }: TreeChanges,
  points: ReadonlyMap<VolumeId, StoredPoint>
): Promise<void> {
  if (points.size === 0 || contents.size + puts.size + adopts.length === 0) return
  await store.write(
    Array.from(points, ([volume, point]) => [commitKey(volume), encodePoint(point)])
  )
  for (const volume of points.keys()) keys.set(commitKey(volume), undefined)
}

export async function writeBatch(
  { store, blobs, containers }: KeeperFiles,
  changes: TreeChanges,
  applied: FeedMark
): Promise<void> {
  for (const [blob, bytes] of changes.puts) blobs.put(blob, bytes)
  for (const blob of changes.adopts) blobs.adopt(blob)
  for (const [ino, contents] of changes.contents) {
    for (const change of contents) {
      if (change.kind === 'write') containers.write(ino, change.offset, change.bytes)
      else containers.truncate(ino, change.size)
    }
  }
  changes.keys.set(markKey('applied'), encodeMark(applied))
  await store.write(changes.keys)
}
