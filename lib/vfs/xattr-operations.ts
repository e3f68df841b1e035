/**
 * Extended attributes in the namespace `user`, all of an inode's within its record in the store.
 *
 * The other namespaces are not served: what they mean (capabilities, access lists, labels) is
 * not kept to here. The kernel has checked permissions, and the limits of setxattr(2): 255 bytes of
 * a name and 64 KiB of a value.
 */

import { FsError } from '../errors.ts'
import { volumeOf, type Ino } from '../ids.ts'
import type { Inode } from '../tree/inode.ts'
import type { VfsParts } from './parts.ts'

const PREFIX = 'user.'
/** Flags of setxattr(2). */
const XATTR_CREATE = 1
const XATTR_REPLACE = 2
/** Bytes of all names and values of an inode, each with what it takes besides. */
const TOTAL_MAX = 64 * 1024
const OVERHEAD = 16
/** Room that a change takes in the log and the store, besides the attributes. */
const CHANGE_BYTES = 1024

export class XattrOperations {
  readonly #parts: VfsParts

  constructor(parts: VfsParts) {
    this.#parts = parts
  }

  /** @throws FsError ENODATA there is none, EOPNOTSUPP another namespace */
  get(ino: Ino, name: string): Buffer {
    checkName(name)
    const value = this.#inode(ino).xattrs?.get(name)
    if (value === undefined) throw new FsError('ENODATA')
    return Buffer.from(value, 'latin1')
  }

  /** The names, each with a NUL behind it. */
  list(ino: Ino): Buffer {
    const names = [...(this.#inode(ino).xattrs?.keys() ?? [])]
    return Buffer.from(names.map(name => `${name}\0`).join(''), 'latin1')
  }

  /**
   * @param value valid during the call
   * @throws FsError EEXIST with XATTR_CREATE, ENODATA with XATTR_REPLACE, ENOSPC too much for one
   *   inode, or for the disk; EOPNOTSUPP, EINVAL, ESTALE
   */
  set(ino: Ino, name: string, value: Uint8Array, flags: number): void {
    checkName(name)
    const { xattrs = new Map<string, string>() } = this.#changeable(ino)
    const before = xattrs.get(name)
    if (before !== undefined && (flags & XATTR_CREATE) !== 0) throw new FsError('EEXIST')
    if (before === undefined && (flags & XATTR_REPLACE) !== 0) throw new FsError('ENODATA')
    let total = name.length + value.length + OVERHEAD
    for (const [other, { length }] of xattrs) {
      if (other !== name) total += other.length + length + OVERHEAD
    }
    if (total > TOTAL_MAX) throw new FsError('ENOSPC')
    if (!this.#parts.space.reserve(total + CHANGE_BYTES)) throw new FsError('ENOSPC')
    const change = { kind: 'setxattr', ino, name, value: Buffer.from(value) } as const
    this.#parts.recorder.record([{ volume: volumeOf(ino), change }])
  }

  /** @throws FsError ENODATA, EOPNOTSUPP, ESTALE */
  remove(ino: Ino, name: string): void {
    checkName(name)
    if (this.#changeable(ino).xattrs?.has(name) !== true) throw new FsError('ENODATA')
    const change = { kind: 'removexattr', ino, name } as const
    this.#parts.recorder.record([{ volume: volumeOf(ino), change }])
  }

  #inode(ino: Ino): Inode {
    return this.#parts.tree.node(ino).attr
  }

  #changeable(ino: Ino): Inode {
    const node = this.#parts.tree.node(ino)
    if (node.gone) throw new FsError('ESTALE')
    return node.attr
  }
}

function checkName(name: string): void {
  if (!name.startsWith(PREFIX)) throw new FsError('EOPNOTSUPP')
  if (name === PREFIX) throw new FsError('EINVAL')
}
