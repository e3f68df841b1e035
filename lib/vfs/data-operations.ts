/**
 * Operations on open files and their bytes.
 */

import { FsError, RoostError } from '../errors.ts'
import type { AttrChange } from '../feed/entry.ts'
import { volumeOf, type Epoch, type Fh, type Ino, type Position } from '../ids.ts'
import { isDirectory, isRegular, modeWithoutPrivileges, S_IFREG } from '../tree/inode.ts'
import { BodyReader } from './body-reader.ts'
import { Body } from './body.ts'
import { BLOCK_SIZE } from './content.ts'
import type { Handle } from './handle-table.ts'
import type { NamespaceOperations } from './namespace-operations.ts'
import type { Node } from './node.ts'
import type { Caller, VfsParts } from './parts.ts'
import type { UnsealedWrite } from './ports.ts'
import type { Sealer } from './sealer.ts'

const O_ACCMODE = 0o3
const O_EXCL = 0o200
const O_TRUNC = 0o1000
const O_APPEND = 0o2000

/** A file that no rule names is kept in history while it is not larger than this. */
export const GENERAL_SIZE_MAX = BLOCK_SIZE
/** No file may reach beyond: 1 TiB, so that its windows can be counted through. */
export const FILE_SIZE_MAX = 2 ** 40
/** What a write takes on the disk besides its bytes, in the log and elsewhere. */
const WRITE_OVERHEAD = 1024

export interface WriteRequest {
  readonly ino: Ino
  readonly offset: number
  readonly data: Uint8Array
  /** Flags of the open file. */
  readonly flags: number
  /** Whoever writes has not the right to keep setuid and setgid on the file. */
  readonly killsPrivileges?: boolean
  /** The open file, where it is known. */
  readonly fh?: Fh
}

export class DataOperations {
  readonly #parts: VfsParts
  readonly #names: NamespaceOperations
  readonly #sealer: Sealer
  readonly #bodies: BodyReader

  constructor(parts: VfsParts, names: NamespaceOperations, sealer: Sealer) {
    this.#parts = parts
    this.#names = names
    this.#sealer = sealer
    this.#bodies = new BodyReader(parts.tree)
  }

  /** @throws FsError EISDIR; ESTALE history does not have the file any more */
  open(ino: Ino, flags: number, killsPrivileges = false): Handle {
    const node = this.#parts.tree.node(ino)
    if (node.gone) throw new FsError('ESTALE')
    if (isDirectory(node.attr)) throw new FsError('EISDIR')
    if ((flags & O_TRUNC) !== 0 && (flags & O_ACCMODE) !== 0) {
      this.#truncate(node, 0, killsPrivileges)
    }
    return this.#openHandle(node, flags)
  }

  /** @throws FsError EEXIST with O_EXCL, EISDIR, and those of `make` */
  create(
    parent: Ino,
    name: string,
    mode: number,
    flags: number,
    caller: Caller
  ): { node: Node; handle: Handle } {
    const existing = this.#names.find(parent, name)
    if (existing !== undefined) {
      if ((flags & O_EXCL) !== 0) throw new FsError('EEXIST')
      return { node: existing, handle: this.open(existing.attr.ino, flags) }
    }
    const node = this.#names.make(parent, name, (mode & 0o7777) | S_IFREG, caller)
    return { node, handle: this.#openHandle(node, flags) }
  }

  /** A file without a name, with O_EXCL for ever. @throws FsError those of `makeUnnamed` */
  createUnnamed(
    parent: Ino,
    mode: number,
    flags: number,
    caller: Caller
  ): { node: Node; handle: Handle } {
    const node = this.#names.makeUnnamed(parent, mode, caller, (flags & O_EXCL) === 0)
    return { node, handle: this.#openHandle(node, flags) }
  }

  /** The bytes at [offset, offset + length), fewer at the end of the file. As `readInto`. */
  read(ino: Ino, offset: number, length: number): Buffer {
    const { size } = this.#parts.tree.node(ino).attr
    const target = Buffer.allocUnsafe(Math.max(Math.min(length, size - offset), 0))
    return target.subarray(0, this.readInto(ino, offset, target))
  }

  /**
   * Fills `target` with the bytes from `offset` on.
   *
   * @returns how many there were: fewer at the end of the file
   * @throws Wait; FsError EISDIR; EIO by way of the loader, when a body is damaged or missing
   */
  readInto(ino: Ino, offset: number, target: Buffer): number {
    const node = this.#parts.tree.node(ino)
    if (isDirectory(node.attr)) throw new FsError('EISDIR')
    const size = Math.max(Math.min(target.length, node.attr.size - offset), 0)
    if (size === 0) return 0
    const wanted = target.subarray(0, size)
    if (hasBody(node)) this.#bodies.read(node, offset, wanted)
    else this.#parts.tree.contentOf(node, offset, size).read(wanted, offset)
    return size
  }

  /**
   * Writes all of `data`, at the end of the file with O_APPEND.
   *
   * @returns where it was written
   * @throws FsError ENOSPC, EFBIG, EINVAL not a regular file, ESTALE
   */
  write({ ino, offset, data, flags, killsPrivileges, fh }: WriteRequest): number {
    if (fh !== undefined) this.useHandle(fh)
    const node = this.#parts.tree.node(ino)
    if (node.gone) throw new FsError('ESTALE')
    if (!isRegular(node.attr)) throw new FsError('EINVAL')
    const at = (flags & O_APPEND) !== 0 ? node.attr.size : offset
    if (at + data.length > FILE_SIZE_MAX) throw new FsError('EFBIG')
    if (data.length === 0) return at
    const becomesBody = !hasBody(node) && outgrows(node, at + data.length)
    if (becomesBody) this.#parts.tree.contentOf(node, 0, node.attr.size)
    if (hasBody(node)) this.#parts.tree.bodyOf(node, at, data.length)
    else this.#parts.tree.contentOf(node, at, data.length)
    this.#sealer.makeRoom(node)
    if (!this.#parts.space.reserve(data.length + WRITE_OVERHEAD)) throw new FsError('ENOSPC')
    if (killsPrivileges === true) this.#killPrivileges(node)
    if (becomesBody) this.#becomeBody(node)
    if (hasBody(node)) this.#writeBody(node, at, data)
    else this.#writeContent(node, at, data)
    return at
  }

  /**
   * Something is to be written or locked through a handle.
   *
   * @throws Wait until the lease is here; FsError EIO it was lost in between
   */
  useHandle(fh: number): void {
    const handle = this.#parts.handles.get(fh)
    if (handle === undefined || !this.#parts.leases.isShared) return
    if (handle.isPoisoned) throw new FsError('EIO')
    handle.epoch = this.#parts.leases.epochOf(volumeOf(handle.ino)) ?? handle.epoch
  }

  /** @throws FsError EIO what was written through the handle may be lost */
  checkHandle(fh: number): void {
    if (this.#parts.handles.get(fh)?.isPoisoned === true) throw new FsError('EIO')
  }

  /**
   * Writes what an earlier session had been given and could not make history.
   *
   * @throws Wait; FsError ESTALE the file is gone, or others had the volume since; ENOSPC
   */
  restore({ ino, offset, time, epoch, bytes }: UnsealedWrite): void {
    const now = this.#parts.leases.epochOf(volumeOf(ino)) ?? 0
    if (now > epoch + 1) throw new FsError('ESTALE')
    this.write({ ino, offset, data: bytes, flags: 0 })
    const { attr } = this.#parts.tree.node(ino)
    attr.mtime = time
    attr.ctime = time
  }

  /** Brings into memory what a truncate to `size` needs. @throws Wait, FsError EIO, ENOSPC */
  prepareTruncate(node: Node, size: number): void {
    if (size >= node.attr.size) {
      // Else a later write would have to carry all of a large hole into a body.
      if (!hasBody(node) && outgrows(node, size)) {
        this.#parts.tree.contentOf(node, 0, node.attr.size)
        this.#becomeBody(node)
      }
      if (hasBody(node)) this.#sealer.seal(node)
      return
    }
    if (size === 0) {
      // Before, as what is cut off must not come back; if it is not cut off, it is asked for again.
      this.#parts.unsealed?.settled(node.attr.ino)
      return
    }
    if (hasBody(node)) {
      this.#sealer.seal(node)
      this.#parts.tree.bodyOf(node, size, 1)
    } else {
      this.#parts.tree.contentOf(node, size, 1)
    }
  }

  /**
   * Makes everything that happened in the file's volume part of history.
   *
   * @returns the position through which the log has to be durable for it
   * @throws Wait; FsError EIO, ENOSPC the bytes could not be kept
   */
  fsync(ino: Ino): Position {
    const node = this.#parts.tree.node(ino)
    this.#sealer.seal(node)
    this.#sealer.sealVolume(volumeOf(ino))
    return this.#parts.recorder.endOf(volumeOf(ino))
  }

  /**
   * The last close of a handle.
   *
   * Nobody hears of an error here: bytes that could not be made durable stay in memory, and
   * the sealer tries again.
   *
   * @throws Wait
   */
  release(fh: number): void {
    const handle = this.#parts.handles.get(fh)
    if (handle === undefined) return
    if (this.#parts.leases.isShared && this.#releaseShared(handle)) return
    const node = this.#parts.tree.node(handle.ino)
    const { tracksOpens, tree } = this.#parts
    const isUnused = node.handles === 1 && (tracksOpens || node.nlookup === 0)
    const isLast = isUnused && !tree.isUncounted(node)
    const orphaned = node.attr.nlink === 0 && !node.gone && isLast
    if (orphaned) this.#tryDrop(node)
    else this.#sealer.trySeal(node)
    this.#parts.handles.close(fh)
    node.handles--
    if (node.gone) this.#sealer.discard(node)
    this.#parts.tree.letGo(node)
  }

  /** @returns whether that was all there was to do */
  #releaseShared({ fh, ino }: Handle): boolean {
    const { tree, handles } = this.#parts
    const node = tree.nodes.live(ino)
    // Others may have removed it meanwhile, so it is not asked for to be let go of.
    if (node === undefined) tree.nodes.closeOutdated(ino)
    else if (node.body?.dirty === true || (node.attr.nlink === 0 && !node.gone)) return false
    else {
      node.handles--
      tree.letGo(node)
    }
    handles.close(fh)
    return true
  }

  /** The kernel has let go of an inode without a name. @throws Wait */
  dropForgotten(ino: Ino): void {
    const node = this.#parts.tree.nodes.live(ino)
    if (node === undefined || !this.#parts.tree.isAbandoned(node)) return
    this.#drop(node)
    this.#sealer.discard(node)
    this.#parts.tree.letGo(node)
  }

  /** @throws FsError EINVAL, ENOSPC */
  #truncate(node: Node, size: number, killsPrivileges: boolean): void {
    if (!isRegular(node.attr)) throw new FsError('EINVAL')
    this.prepareTruncate(node, size)
    if (killsPrivileges) this.#killPrivileges(node)
    this.#setattr(node, { size })
  }

  /** Done twice it is done once, so it may come before what may have to wait. */
  #killPrivileges(node: Node): void {
    const mode = modeWithoutPrivileges(node.attr.mode)
    if (mode !== node.attr.mode) this.#setattr(node, { mode })
  }

  #setattr(node: Node, attr: AttrChange): void {
    const { ino } = node.attr
    this.#parts.recorder.record([{ volume: volumeOf(ino), change: { kind: 'setattr', ino, attr } }])
  }

  /** What cannot be noted now is dropped at the next start. */
  #tryDrop(node: Node): void {
    try {
      this.#drop(node)
    } catch (error) {
      if (!(error instanceof FsError || error instanceof RoostError)) throw error
    }
  }

  #drop(node: Node): void {
    const { ino } = node.attr
    this.#parts.recorder.record([{ volume: volumeOf(ino), change: { kind: 'drop', ino } }])
  }

  #openHandle(node: Node, flags: number): Handle {
    const { ino } = node.attr
    // The kernel, which opens by itself, does not tell of closing this one either.
    if (!this.#parts.tracksOpens) {
      return { fh: 0 as Fh, ino, flags, lockless: false, epoch: 0 as Epoch, isPoisoned: false }
    }
    node.handles++
    return this.#parts.handles.open(ino, flags, node.lockless)
  }

  #writeContent(node: Node, offset: number, data: Uint8Array): void {
    const { ino } = node.attr
    // The request's buffer is used again; the entry and the memory keep these bytes.
    const bytes = Buffer.from(data)
    const change = { kind: 'write', ino, offset, bytes } as const
    this.#parts.recorder.record([{ volume: volumeOf(ino), change }])
  }

  #writeBody(node: Node, offset: number, data: Uint8Array): void {
    const time = this.#parts.recorder.touch(volumeOf(node.attr.ino))
    const body = this.#parts.tree.bodyOf(node, offset, data.length)
    const { ino } = node.attr
    const epoch = this.#parts.leases.epochOf(volumeOf(ino)) ?? 0
    this.#parts.unsealed?.wrote({ ino, offset, time, epoch, bytes: data })
    const full = body.write(offset, data)
    node.attr.size = Math.max(node.attr.size, offset + data.length)
    node.attr.mtime = time
    node.attr.ctime = time
    this.#sealer.noteWritten(node)
    this.#sealer.stage(node, full)
  }

  /** A file that was kept in history has grown: its bytes are a body from now on. */
  #becomeBody(node: Node): void {
    const bytes = Buffer.alloc(node.attr.size)
    this.#parts.tree.contentOf(node, 0, bytes.length).read(bytes, 0)
    node.body = new Body(0)
    node.body.markDirty()
    if (bytes.length > 0) node.body.write(0, bytes)
    this.#sealer.noteWritten(node)
  }
}

export function hasBody(node: Node): boolean {
  return node.body !== undefined || node.attr.fileClass === 'blob'
}

function outgrows(node: Node, end: number): boolean {
  return node.attr.fileClass === 'general' && end > GENERAL_SIZE_MAX
}
