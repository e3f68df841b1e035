import * as keys from '../store/keys.ts'
import type { KeeperFiles } from './batch-writer.ts'

/**
 * Deletes files that nothing names any more, at most `countMax` of each sort.
 *
 * @returns the keys that can go when that is durable
 */
export async function removeGarbage(
  { store, blobs, containers }: KeeperFiles,
  countMax: number
): Promise<string[]> {
  const blobKeys = (await store.range(...keys.BLOB_GARBAGE_RANGE, countMax))
    .map(([key]) => key)
    .filter(key => !blobs.isStaged(keys.blobOfKey(key)))
  for (const key of blobKeys) blobs.remove(keys.blobOfKey(key))
  const containerKeys = await store.range(...keys.CONTAINER_GARBAGE_RANGE, countMax)
  for (const [key] of containerKeys) containers.remove(keys.inoOfKey(key))
  return [...blobKeys, ...containerKeys.map(([key]) => key)]
}
