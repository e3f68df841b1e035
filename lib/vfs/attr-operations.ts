/** Operations on attributes. */

import { FsError } from '../errors.ts'
import type { AttrChange } from '../feed/entry.ts'
import { volumeOf, type Ino } from '../ids.ts'
import { isDirectory, isRegular, modeWithoutPrivileges, S_IFLNK, S_IFMT } from '../tree/inode.ts'
import { FILE_SIZE_MAX, type DataOperations } from './data-operations.ts'
import type { Node } from './node.ts'
import type { VfsParts } from './parts.ts'

/** A time to be set: ns since 1970, or the time of the change. */
export type NewTime = bigint | 'now'

export interface AttrRequest {
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly size?: number
  readonly atime?: NewTime
  readonly mtime?: NewTime
  /** Whoever asks has not the right to keep setuid and setgid on what they cut. */
  readonly killsPrivileges?: boolean
}

export class AttrOperations {
  readonly #parts: VfsParts
  readonly #data: DataOperations

  constructor(parts: VfsParts, data: DataOperations) {
    this.#parts = parts
    this.#data = data
  }

  /** @throws FsError ESTALE */
  getattr(ino: Ino): Node {
    return this.#parts.tree.node(ino)
  }

  /**
   * Changes what is given, in one entry.
   *
   * @throws FsError EISDIR, EINVAL a size for what has none, EFBIG, ENOSPC
   */
  setattr(ino: Ino, request: AttrRequest): Node {
    const node = this.#parts.tree.node(ino)
    // Only the kernel still knows it; nobody will ever see what is set.
    if (node.gone) return node
    const { uid, gid, size } = request
    const mode = request.mode ?? modeAfter(node, request)
    if (size !== undefined) this.#prepareSize(node, size)
    const now = this.#parts.recorder.touch(volumeOf(ino))
    const time = (asked: NewTime | undefined): bigint | undefined => (asked === 'now' ? now : asked)
    const [atime, mtime] = [time(request.atime), time(request.mtime)]
    const attr: AttrChange = {
      ...(mode !== undefined && { mode }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      ...(size !== undefined && { size }),
      ...(atime !== undefined && { atime }),
      ...(mtime !== undefined && { mtime })
    }
    if (Object.keys(attr).length === 0) return node
    this.#parts.recorder.record([{ volume: volumeOf(ino), change: { kind: 'setattr', ino, attr } }])
    return node
  }

  /** @throws FsError EINVAL not a symbolic link */
  readlink(ino: Ino): string {
    const { attr } = this.#parts.tree.node(ino)
    if ((attr.mode & S_IFMT) !== S_IFLNK) throw new FsError('EINVAL')
    return attr.target
  }

  #prepareSize(node: Node, size: number): void {
    if (isDirectory(node.attr)) throw new FsError('EISDIR')
    if (!isRegular(node.attr)) throw new FsError('EINVAL')
    if (size > FILE_SIZE_MAX) throw new FsError('EFBIG')
    this.#data.prepareTruncate(node, size)
  }
}

/** The mode that a change of owner, or of the size by just anybody, leaves; if it is another. */
function modeAfter({ attr }: Node, request: AttrRequest): number | undefined {
  const changesOwner = request.uid !== undefined || request.gid !== undefined
  if (isDirectory(attr) || !(changesOwner || request.killsPrivileges === true)) return undefined
  const mode = modeWithoutPrivileges(attr.mode)
  return mode === attr.mode ? undefined : mode
}
