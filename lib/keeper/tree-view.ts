/**
 * One state of the tree that stands still while it is looked at: the store at one moment, with the
 * containers and blobs that it names.
 *
 * There are three: of a directory that nobody serves, with the end of its log
 * (`recovered-view.ts`); of a daemon, in the daemon (`live-view.ts`); and the same, seen from
 * another process.
 */

import { blobPathOf } from '../blob/blob-store.ts'
import type { BlobId, Ino } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import type { FeedMark } from '../store/records.ts'

export interface TreeView {
  /** How far the view goes in the log. */
  readonly applied: FeedMark
  readonly checkpoint: FeedMark
  /** Blob files are read from here; the view keeps those that it names from being deleted. */
  readonly disk: Disk
  get(key: string): Promise<Buffer | undefined>
  /** As `get`, for some hundred keys at once. */
  getAll(keys: readonly string[]): Promise<readonly (Buffer | undefined)[]>
  /** All keys in [from, to) in order, at most `limit`. */
  range(from: string, to: string, limit: number): Promise<[string, Buffer][]>
  /** Bytes that containers have; undefined where there is none. */
  containerSizes(inos: readonly Ino[]): Promise<readonly (number | undefined)[]>
  /** At most `length` bytes; what the container does not reach is not in the result. */
  readContainer(ino: Ino, offset: number, length: number): Promise<Buffer>
  /** @throws RoostError when what was seen since it was opened need not be true any more */
  confirm(): Promise<void>
  close(): Promise<void>
}

/** The bytes of a blob, unchecked; undefined where there is no such file. */
export async function readBlobOf({ disk }: TreeView, blob: BlobId): Promise<Buffer | undefined> {
  const path = blobPathOf(blob)
  if (!disk.exists(path)) return undefined
  const file = disk.openRead(path)
  try {
    const bytes = Buffer.allocUnsafeSlow(file.size())
    return bytes.subarray(0, await file.readAsync(bytes, 0))
  } finally {
    file.close()
  }
}
