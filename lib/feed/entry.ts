/**
 * What the log keeps: the union of all changes that a volume's history can hold.
 *
 * An entry says what happened together with everything that was decided then (inode numbers,
 * times, classes), so that applying the same entries in the same order gives the same tree on
 * every replica and after every restart. The number of the entry that makes a name is also that
 * name's directory cookie.
 */

import type { BlobId, Epoch, Index, Ino, SessionId, VolumeId } from '../ids.ts'

/** How a regular file's bytes are kept. 'general' begins as 'log' and becomes 'blob' by size. */
export type FileClass = 'general' | 'log' | 'blob'

/**
 * A piece of a sealed body: `length` bytes at `offset` of the file are the bytes of `blob` from
 * `blobOffset` on. A blob is at most 1 MiB. What no extent covers reads as zeros.
 */
export interface Extent {
  readonly offset: number
  readonly length: number
  readonly blob: BlobId
  readonly blobOffset: number
}

/** The attributes that a SETATTR can change; what is absent stays. Times in ns since 1970. */
export interface AttrChange {
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly size?: number
  readonly atime?: bigint
  readonly mtime?: bigint
}

/**
 * One change. `drop` on those that take a name away says that the inode went with it, because
 * it was the last name and nothing had the file open; without it the inode lives on as an orphan
 * until a `drop` change.
 */
export type Change =
  /** A session took the volume; inode numbers go on after `skip` unused ones. */
  | { readonly kind: 'begin'; readonly session: SessionId; readonly skip: number }
  /** The volume's root directory, its first inode. */
  | { readonly kind: 'makeRoot'; readonly mode: number; readonly uid: number; readonly gid: number }
  /** The volume is removed; nothing follows. */
  | { readonly kind: 'close' }
  | {
      readonly kind: 'create'
      readonly parent: Ino
      readonly name: string
      /** In another volume when the name is that volume's root directory. */
      readonly ino: Ino
      /** With the file type bits. */
      readonly mode: number
      readonly uid: number
      readonly gid: number
      readonly rdev: number
      readonly fileClass: FileClass
      /** Target of a symbolic link, else empty. */
      readonly target: string
    }
  | { readonly kind: 'link'; readonly parent: Ino; readonly name: string; readonly ino: Ino }
  | {
      readonly kind: 'unlink'
      readonly parent: Ino
      readonly name: string
      readonly ino: Ino
      readonly drop: boolean
    }
  | { readonly kind: 'rmdir'; readonly parent: Ino; readonly name: string; readonly ino: Ino }
  | {
      readonly kind: 'rename'
      readonly parent: Ino
      readonly name: string
      readonly newParent: Ino
      readonly newName: string
      /** What the new name stood for before, or 0. */
      readonly replaced: Ino | 0
      /** The replaced inode's last name went and nothing had it open. */
      readonly drop: boolean
    }
  | { readonly kind: 'setattr'; readonly ino: Ino; readonly attr: AttrChange }
  /** Bytes of a file whose content is kept in history ('log', and 'general' while small). */
  | { readonly kind: 'write'; readonly ino: Ino; readonly offset: number; readonly bytes: Buffer }
  /** Bytes of a body have become blobs. A riding blob's bytes are in the same frame. */
  | {
      readonly kind: 'seal'
      readonly ino: Ino
      readonly size: number
      readonly mtime: bigint
      /** In the order of their offsets. */
      readonly extents: readonly Extent[]
      /** Those of `extents` whose blobs ride along: positions in `extents`, ascending. */
      readonly riding: readonly number[]
    }
  /** An orphan's last handle was closed. */
  | { readonly kind: 'drop'; readonly ino: Ino }
  /** Bytes of a body are a hole from here on, and read as zeros; its size stays. */
  | {
      readonly kind: 'punch'
      readonly ino: Ino
      readonly offset: number
      readonly length: number
    }
  /** A file of class 'general' without a name: an orphan until it is linked or dropped. */
  | {
      readonly kind: 'tmpfile'
      readonly ino: Ino
      /** With the file type bits. */
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }
  | {
      readonly kind: 'setxattr'
      readonly ino: Ino
      /** With its namespace. */
      readonly name: string
      readonly value: Buffer
    }
  | { readonly kind: 'removexattr'; readonly ino: Ino; readonly name: string }
  /** Two names stand for each other's inodes from here on; each keeps its place in listings. */
  | {
      readonly kind: 'exchange'
      readonly parent: Ino
      readonly name: string
      readonly newParent: Ino
      readonly newName: string
    }

export type ChangeKind = Change['kind']

/** An entry of a volume's history. */
export interface Entry {
  readonly volume: VolumeId
  readonly epoch: Epoch
  readonly index: Index
  /** SHA-256 of the entry before; 32 zero bytes for the first. */
  readonly previous: Buffer
  /** When it happened, ns since 1970; grows strictly within a volume. */
  readonly time: bigint
  readonly change: Change
}

/** An entry as the log stores it: with its hash, and the bodies that ride with it. */
export interface LoggedEntry {
  readonly entry: Entry
  /** SHA-256 over the encoded entry, riding bodies not included. */
  readonly hash: Buffer
  /** The riding blobs' bytes, in the order of `riding`. */
  readonly bodies: readonly Buffer[]
  /** What `hash` is the hash of, where that is at hand; see encoded-entry.ts. */
  encoded?: Buffer
}

/** Bytes in a hash of the chain. */
export const HASH_SIZE = 32
/** What the first entry of a history has for a predecessor. */
export const NO_HASH = Buffer.alloc(HASH_SIZE)

/** The same entry behind another predecessor. */
export function withPrevious(entry: Entry, previous: Buffer): Entry {
  const { volume, epoch, index, time, change } = entry
  return { volume, epoch, index, previous, time, change }
}

/** Blobs that an entry names and that do not ride along with it. */
export function blobsBeside({ change }: Entry): readonly BlobId[] {
  if (change.kind !== 'seal') return []
  const riding = new Set(change.riding)
  return change.extents.flatMap(({ blob }, at) => (riding.has(at) ? [] : [blob]))
}
