/**
 * The tables that entries are applied to.
 *
 * There are two of them for every replica, the one in memory that answers the kernel and the
 * durable one that a restart begins with, and a plain one in the tests that both are compared
 * with. `applyEntry` is the only code that changes names and attributes in any of them.
 *
 * Objects handed out may be changed in place; `putInode` and `putVolume` afterwards say that they
 * were. Asking for what history does not know is a bug of the caller, or damage: implementations
 * throw.
 */

import type { Extent } from '../feed/entry.ts'
import type { Ino, VolumeId } from '../ids.ts'
import type { Dirent, Inode } from './inode.ts'
import type { VolumeRecord } from './volume-record.ts'

export interface Tree {
  volume(volume: VolumeId): VolumeRecord
  putVolume(record: VolumeRecord): void

  inode(ino: Ino): Inode
  putInode(inode: Inode): void
  /** Takes the inode away with all its bytes. */
  removeInode(ino: Ino): void
  /** Nothing names the inode any more, but something has it open. */
  markOrphan(ino: Ino): void
  /** It has a name again. */
  unmarkOrphan(ino: Ino): void

  dirent(parent: Ino, name: string): Dirent | undefined
  putDirent(parent: Ino, name: string, dirent: Dirent): void
  removeDirent(parent: Ino, name: string): void

  /** Writes bytes of a file that is kept as a container; the gap before reads as zeros. */
  writeContent(ino: Ino, offset: number, bytes: Uint8Array): void
  /** Lays extents over a body; riding bodies are given in the order of `riding`. */
  layExtents(
    ino: Ino,
    extents: readonly Extent[],
    riding: readonly number[],
    bodies: readonly Buffer[]
  ): void
  /** Cuts a file's bytes at `size`; what is added when it grows later reads as zeros. */
  truncate(inode: Inode, size: number): void
  /** Takes [offset, offset + length) out of a body. */
  punch(inode: Inode, offset: number, length: number): void
  /** A container's bytes are replaced by extents from here on. */
  dropContent(ino: Ino): void
}
