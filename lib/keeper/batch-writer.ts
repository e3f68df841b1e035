/**
 * Makes a batch of applied entries durable: files first, then the keys that name them.
 *
 * A crash in between leaves files that nothing names, or that the replay of the log writes again
 * with the same bytes.
 */

import type { BlobStore } from '../blob/blob-store.ts'
import type { Containers } from '../store/containers.ts'
import { markKey } from '../store/keys.ts'
import { encodeMark, type FeedMark } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import type { TreeChanges } from './durable-tree.ts'

export interface KeeperFiles {
  readonly store: Store
  readonly blobs: BlobStore
  readonly containers: Containers
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
