/**
 * What the serving side needs from its surroundings: the log, what is not in memory, the kernel's
 * caches, and room on the disk. Threads, the store and the network are behind these; a test gives
 * plain objects.
 */

import type { Appendable } from '../feed/feed-writer.ts'
import type { Extent, LoggedEntry } from '../feed/entry.ts'
import type { BlobId, Epoch, Ino, Position, SessionId, VolumeId } from '../ids.ts'
import type { Dirent, Inode } from '../tree/inode.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'

/** The log of this session. */
export interface Journal {
  readonly session: SessionId
  /** Where the last frame ends. */
  readonly end: Position
  /** The largest frame that can be appended now without a segment that is not there yet. */
  hasRoomFor(bytes: number): boolean
  /** @returns the hash of each entry. @throws RoostError DISK_FULL, FEED_FAILED */
  append(items: readonly Appendable[]): readonly Buffer[]
}

/** What a name stands for in the store, with its inode where that is in the same store. */
export interface StoredName {
  readonly dirent: Dirent
  readonly inode: Inode | undefined
}

/**
 * Who may change which volume. Alone, everything may be changed always; in a cluster it takes the
 * volume's lease.
 */
export interface Leases {
  /** Whether other replicas may hold volumes. */
  readonly isShared: boolean
  /** Sees to it that the volume may be changed here. @throws Wait until it may */
  require(volume: VolumeId): void
  /** The epoch in which entries are made; undefined where each run has its own. @throws Wait */
  epochOf(volume: VolumeId): Epoch | undefined
  /** These entries are in the log, which ends with them. */
  appended(volume: VolumeId, entries: readonly LoggedEntry[]): void
  /**
   * Something of the volume is not here that another volume says there is.
   *
   * @throws Wait until more of it has come
   */
  awaitMore(volume: VolumeId): void
  /** Sees to it that enough replicas have all of the volume. @throws Wait until they have */
  requireAcknowledged(volume: VolumeId): void
}

/** What is asked for, and how the answer is recognised: by the same `key`. */
export type Load =
  | { readonly kind: 'volume'; readonly key: string; readonly volume: VolumeId }
  | { readonly kind: 'inode'; readonly key: string; readonly ino: Ino }
  | { readonly kind: 'name'; readonly key: string; readonly parent: Ino; readonly name: string }
  | { readonly kind: 'listing'; readonly key: string; readonly ino: Ino }
  /** Those of a part of a listing; not all of them need to be there. */
  | { readonly kind: 'inodes'; readonly key: string; readonly inos: readonly Ino[] }
  | { readonly kind: 'extents'; readonly key: string; readonly ino: Ino; readonly window: number }
  | { readonly kind: 'content'; readonly key: string; readonly ino: Ino; readonly block: number }
  | { readonly kind: 'blob'; readonly key: string; readonly blob: BlobId }
  /** As 'blob', but the bytes are wanted in the page cache only. */
  | { readonly kind: 'check'; readonly key: string; readonly blob: BlobId }
  /** Not to be read but kept: the bytes are to become a durable blob. */
  | {
      readonly kind: 'stage'
      readonly key: string
      readonly ino: Ino
      readonly bytes: Uint8Array
    }
  /** What was staged is named in the store now, or never will be: one `stage` is taken back. */
  | { readonly kind: 'unstage'; readonly key: string; readonly blob: BlobId }

/** An answer. A failure names an errno. */
export type Loaded =
  | { readonly kind: 'volume'; readonly key: string; readonly record: VolumeRecord }
  | { readonly kind: 'inode'; readonly key: string; readonly inode: Inode }
  | {
      readonly kind: 'name'
      readonly key: string
      readonly parent: Ino
      readonly name: string
      readonly found: StoredName | undefined
    }
  | {
      readonly kind: 'listing'
      readonly key: string
      readonly ino: Ino
      /** Records of names as the store lists them, one behind the other. */
      readonly records: Uint8Array
      readonly last: boolean
    }
  | {
      readonly kind: 'inodes'
      readonly key: string
      /** Those that are there: of each the length as a u32, and the record that the store has. */
      readonly records: Uint8Array
    }
  | {
      readonly kind: 'extents'
      readonly key: string
      readonly ino: Ino
      readonly window: number
      readonly extents: readonly Extent[]
    }
  | {
      readonly kind: 'content'
      readonly key: string
      readonly ino: Ino
      readonly block: number
      readonly bytes: Uint8Array
    }
  | {
      readonly kind: 'blob'
      readonly key: string
      readonly blob: BlobId
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'check'; readonly key: string; readonly blob: BlobId }
  | { readonly kind: 'stage'; readonly key: string; readonly ino: Ino; readonly blob: BlobId }
  | { readonly kind: 'unstage'; readonly key: string }
  | { readonly kind: 'failed'; readonly key: string; readonly errno: number }

export interface Loader {
  /** Asks once for each key until it is answered through `Vfs.loaded`. */
  load(load: Load): void
}

/** Blobs that can be read without a wait, as far as that is certain. */
export interface CachedBlobs {
  /** Fills `target` from `position` on, a part of the blob. @returns whether that was possible */
  read(blob: BlobId, position: number, target: Uint8Array): boolean
  /** Whether a blob, at least `size` long, is read only when it was checked elsewhere. */
  wantsCheck(blob: BlobId, size: number): boolean
  /** The blob was checked elsewhere. */
  noteVerified(blob: BlobId): void
}

/** What the kernel may have cached and must be told. */
export interface Invalidator {
  /** Attributes, and the pages in [offset, offset + length); all of them for length -1. */
  invalInode(ino: Ino, offset: number, length: number): void
  invalEntry(parent: Ino, name: string): void
  /** All names of the mount. */
  invalNames(): void
  /** Finds out whether the kernel knows the inode; an answer comes only where it does not. */
  probe(ino: Ino): void
}

/** Bytes that were written and that history lacks. */
export interface UnsealedWrite {
  readonly ino: Ino
  readonly offset: number
  /** ns since 1970 */
  readonly time: bigint
  /** Of the volume's lease, 0 where nobody else serves the store. */
  readonly epoch: Epoch | 0
  readonly bytes: Uint8Array
}

/**
 * What was written into bodies and is not history yet, kept for whoever goes on with the mount if
 * this process dies.
 */
export interface Unsealed {
  /** So much is kept that it should become history first. */
  readonly isFull: boolean
  /** @throws FsError ENOSPC, EIO */
  wrote(write: UnsealedWrite): void
  /** All that was written into the file so far is history, or cut off, or of no use any more. */
  settled(ino: Ino): void
}

/** Room on the disk, as far as promises have been made on it. */
export interface Space {
  /** Takes `bytes` out of what is free. @returns false when that is not there */
  reserve(bytes: number): boolean
  /** What a statfs answers. */
  totals(): { freeBytes: number; totalBytes: number }
}
