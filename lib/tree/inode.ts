/**
 * Inodes and names, as history makes them: the same on every replica at the same index.
 */

import type { FileClass } from '../feed/entry.ts'
import type { Epoch, Index, Ino } from '../ids.ts'

/** File type bits of `mode`, from Linux' stat.h. */
export const S_IFMT = 0o170000
export const S_IFDIR = 0o040000
export const S_IFREG = 0o100000
export const S_IFLNK = 0o120000
export const S_ISUID = 0o004000
export const S_ISGID = 0o002000
export const S_IXGRP = 0o000010

/** Attributes of an inode. Times in ns since 1970. */
export interface Inode {
  readonly ino: Ino
  /** The epoch in which it was made; with `ino` it names one file for ever. */
  readonly generation: Epoch
  /** With the type bits. */
  mode: number
  /** Names that a file has; for a directory 2 and one for each directory in it. */
  nlink: number
  uid: number
  gid: number
  readonly rdev: number
  size: number
  /** No extent of a body reaches beyond here; holes at the end make it less than the size. */
  bodyEnd: number
  atime: bigint
  mtime: bigint
  ctime: bigint
  fileClass: FileClass
  /** Target of a symbolic link, else empty. */
  readonly target: string
  /** Directories: where it is, 0 and empty for the root of a volume. */
  parent: Ino | 0
  name: string
  /** Extended attributes as latin1 text, absent where there are none; never changed in place. */
  xattrs?: ReadonlyMap<string, string>
}

/** What a name in a directory stands for. */
export interface Dirent {
  readonly ino: Ino
  /** Type bits of the inode's mode, without the permissions. */
  readonly type: number
  /** Index of the entry that made the name: its place in listings, never used again. */
  readonly cookie: Index
}

export function isDirectory({ mode }: { readonly mode: number }): boolean {
  return (mode & S_IFMT) === S_IFDIR
}

/**
 * The mode that is left when somebody without privileges changed a file's bytes, or anybody its
 * owner: no setuid, and no setgid where that means more than a kind of locking.
 */
export function modeWithoutPrivileges(mode: number): number {
  const kept = mode & ~S_ISUID
  return (mode & S_IXGRP) === 0 ? kept : kept & ~S_ISGID
}

export function isRegular({ mode }: { readonly mode: number }): boolean {
  return (mode & S_IFMT) === S_IFREG
}
