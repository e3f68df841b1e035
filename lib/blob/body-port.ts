/** What fetching and handing out bodies needs of the rest of a replica. */

import type { BlobId, ReplicaId } from '../ids.ts'
import type { BlobStore } from './blob-store.ts'

export interface BodyPort {
  readonly blobs: BlobStore
  /**
   * Sends to a peer; settles when there is room for more. Throws or rejects where there is no
   * connection.
   */
  readonly send: (to: ReplicaId, bytes: Buffer) => Promise<void> | void
  /** Runs `task` once after `ms`, unless the returned function is called before. */
  readonly after: (ms: number, task: () => void) => () => void
  /** Finds what only rides in the log so far, and has no file. */
  readonly lookup?: (blob: BlobId) => Promise<Buffer | undefined> | Buffer | undefined
}

/** A blob that is here, whole; undefined where it is not. @throws what `lookup` throws */
export async function readOwnBody(
  { blobs, lookup }: BodyPort,
  blob: BlobId
): Promise<Buffer | undefined> {
  const found = await readStored(blobs, blob)
  return found ?? lookup?.(blob)
}

async function readStored(blobs: BlobStore, blob: BlobId): Promise<Buffer | undefined> {
  try {
    if (!blobs.has(blob)) return undefined
    if (!blobs.isStaged(blob)) return await blobs.read(blob)
    // One that is being staged is not whole before that is over.
    if (!(await blobs.claimFile(blob))) return undefined
    try {
      return await blobs.read(blob)
    } finally {
      blobs.unstage(blob)
    }
  } catch {
    // The blob store remembers what is wrong with it; to a peer it is not here.
    return undefined
  }
}
