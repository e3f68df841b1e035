/**
 * Operations on names: look-up, making, linking, moving, removing and listing.
 *
 * The kernel has checked permissions, types, loops and read-only mounts before it asks
 * (default_permissions); what is checked here is what it cannot know. Every op looks at all it
 * needs before it records anything, so one that must wait has done nothing.
 */

import { FsError } from '../errors.ts'
import { ROOT_INO, ROOT_VOLUME, inoOf, rootInoOf, volumeOf, VOLUME_ID_MAX } from '../ids.ts'
import type { Ino, VolumeId } from '../ids.ts'
import {
  isDirectory,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  type Dirent
} from '../tree/inode.ts'
import type { NamedDirent } from './directory.ts'
import type { Node } from './node.ts'
import type { Change } from '../feed/entry.ts'
import type { Caller, VfsParts } from './parts.ts'
import type { NewChange } from './recorder.ts'
import type { Sealer } from './sealer.ts'

export const NAME_MAX = 255
const PATH_MAX = 4096
/** As ext4 has it; far beyond what a mail server links. */
const LINK_MAX = 65_000
/** Flags of renameat2(2), of which one at most is given. */
const RENAME_NOREPLACE = 1
const RENAME_EXCHANGE = 2
/** Room that making a name takes in log, store and directory, generously. */
const NAME_BYTES = 4096

export class NamespaceOperations {
  readonly #parts: VfsParts
  readonly #sealer: Sealer

  constructor(parts: VfsParts, sealer: Sealer) {
    this.#parts = parts
    this.#sealer = sealer
  }

  /** @throws FsError ENOENT, ENOTDIR, ENAMETOOLONG */
  lookup(parent: Ino, name: string): Node {
    const node = this.find(parent, name)
    if (node === undefined) throw new FsError('ENOENT')
    return node
  }

  /** As `lookup`, for a name that may not exist. */
  find(parent: Ino, name: string): Node | undefined {
    checkName(name)
    if (name === '.') return this.#parts.tree.node(parent)
    if (name === '..') return this.#parts.tree.node(this.parentOf(this.#parts.tree.node(parent)))
    const dirent = this.#parts.tree.dirent(parent, name)
    if (dirent === undefined || this.#isClosed(parent, dirent)) return undefined
    const node = this.#parts.tree.node(dirent.ino)
    if (node.attr.fileClass === 'blob') {
      node.lockless = this.ruleFor(this.#parts.tree.node(parent), name).lockless
    }
    return node
  }

  /**
   * Makes a file, directory or symbolic link.
   *
   * @param mode with the type bits, the caller's umask already taken off
   * @throws FsError EEXIST, ENOENT the directory was removed, ENOSPC, ENAMETOOLONG
   */
  make(
    parent: Ino,
    name: string,
    mode: number,
    caller: Caller,
    { target = '', rdev = 0 }: { readonly target?: string; readonly rdev?: number } = {}
  ): Node {
    const directory = this.#freePlace(parent, name)
    if (target.length >= PATH_MAX) throw new FsError('ENAMETOOLONG')
    this.#reserve(NAME_BYTES + target.length)
    const type = mode & S_IFMT
    const inherits = (directory.attr.mode & S_ISGID) !== 0
    const gid = inherits ? directory.attr.gid : caller.gid
    const madeMode = inherits && type === S_IFDIR ? mode | S_ISGID : mode
    const { uid } = caller
    if (type === S_IFDIR && this.#makesVolume(directory)) {
      return this.#makeVolume(parent, name, { mode: madeMode, uid, gid })
    }
    const ino = inoOf(volumeOf(parent), this.#parts.tree.volume(volumeOf(parent)).nextCounter)
    const rule = type === S_IFREG ? this.ruleFor(directory, name) : undefined
    this.#record(parent, {
      kind: 'create',
      parent,
      name,
      ino,
      mode: madeMode,
      uid,
      gid,
      rdev,
      fileClass: rule?.fileClass ?? 'general',
      target
    })
    const node = this.#parts.tree.node(ino)
    node.lockless = rule?.lockless === true
    return node
  }

  /**
   * Makes a regular file without a name in the directory's volume.
   *
   * @param linkable whether it may get a name later
   * @throws FsError ENOENT the directory was removed, ENOTDIR, ENOSPC
   */
  makeUnnamed(parent: Ino, permissions: number, caller: Caller, linkable: boolean): Node {
    const directory = this.#parts.tree.node(parent)
    this.#parts.tree.directoryOf(directory)
    if (directory.gone) throw new FsError('ENOENT')
    this.#reserve(NAME_BYTES)
    const ino = inoOf(volumeOf(parent), this.#parts.tree.volume(volumeOf(parent)).nextCounter)
    const inherits = (directory.attr.mode & S_ISGID) !== 0
    const gid = inherits ? directory.attr.gid : caller.gid
    const mode = (permissions & ~S_IFMT) | S_IFREG
    this.#record(parent, { kind: 'tmpfile', ino, mode, uid: caller.uid, gid })
    const node = this.#parts.tree.node(ino)
    node.linkable = linkable
    return node
  }

  symlink(parent: Ino, name: string, target: string, caller: Caller): Node {
    return this.make(parent, name, S_IFLNK | 0o777, caller, { target })
  }

  mkdir(parent: Ino, name: string, permissions: number, caller: Caller): Node {
    return this.make(parent, name, (permissions & ~S_IFMT) | S_IFDIR, caller)
  }

  /** @throws FsError EEXIST, EPERM a directory, EXDEV another volume, EMLINK, ENOSPC */
  link(ino: Ino, parent: Ino, name: string): Node {
    const node = this.#parts.tree.node(ino)
    this.#freePlace(parent, name)
    if (isDirectory(node.attr)) throw new FsError('EPERM')
    if (volumeOf(ino) !== volumeOf(parent)) throw new FsError('EXDEV')
    if (node.attr.nlink === 0 && !node.linkable) throw new FsError('ENOENT')
    if (node.attr.nlink >= LINK_MAX) throw new FsError('EMLINK')
    this.#sealer.seal(node)
    this.#reserve(NAME_BYTES)
    this.#record(parent, { kind: 'link', parent, name, ino })
    node.linkable = false
    return node
  }

  /** @throws FsError ENOENT, EISDIR */
  unlink(parent: Ino, name: string): void {
    const node = this.lookup(parent, name)
    if (isDirectory(node.attr)) throw new FsError('EISDIR')
    const { ino } = node.attr
    const drop = this.#losesLast(node)
    this.#record(parent, { kind: 'unlink', parent, name, ino, drop })
  }

  /** @throws FsError ENOENT, ENOTDIR, ENOTEMPTY */
  rmdir(parent: Ino, name: string): void {
    if (this.#parts.leases.isShared) return this.#rmdirShared(parent, name)
    const node = this.lookup(parent, name)
    this.#checkEmpty(node)
    const { ino } = node.attr
    const changes: NewChange[] = [
      { volume: volumeOf(parent), change: { kind: 'rmdir', parent, name, ino } }
    ]
    // The volume ends first: its name going is what makes it unreachable.
    const volume = volumeOf(ino)
    if (volume !== volumeOf(parent)) changes.unshift({ volume, change: { kind: 'close' } })
    this.#parts.recorder.record(changes)
  }

  /**
   * Moves `name` in `parent` to `newName` in `newParent`, replacing what was there; with
   * RENAME_EXCHANGE, lets the two stand for each other's inodes.
   *
   * @throws FsError ENOENT no such name; EEXIST, with RENAME_NOREPLACE; ENOTEMPTY; EISDIR, ENOTDIR
   *   the two are of different kinds; EXDEV another volume; EINVAL flags not served, or into itself
   */
  rename(parent: Ino, name: string, newParent: Ino, newName: string, flags: number): void {
    if (![0, RENAME_NOREPLACE, RENAME_EXCHANGE].includes(flags)) throw new FsError('EINVAL')
    const node = this.lookup(parent, name)
    const target = this.find(newParent, newName)
    if (target !== undefined && flags === RENAME_NOREPLACE) throw new FsError('EEXIST')
    if (target === undefined && flags === RENAME_EXCHANGE) throw new FsError('ENOENT')
    if (target === node) return
    const into = this.#parts.tree.node(newParent)
    if (into.gone) throw new FsError('ENOENT')
    this.#checkMove(node, volumeOf(parent), into)
    if (target !== undefined && flags === RENAME_EXCHANGE) {
      this.#checkMove(target, volumeOf(newParent), this.#parts.tree.node(parent))
      this.#sealer.seal(node)
      this.#sealer.seal(target)
      this.#record(parent, { kind: 'exchange', parent, name, newParent, newName })
      return
    }
    if (target !== undefined) this.#checkReplace(node, target)
    this.#sealer.seal(node)
    const drop = target !== undefined && this.#losesLast(target)
    const replaced = target?.attr.ino ?? 0
    const change = { kind: 'rename', parent, name, newParent, newName, replaced, drop } as const
    const changes: NewChange[] = [{ volume: volumeOf(parent), change }]
    if (target !== undefined && volumeOf(target.attr.ino) !== volumeOf(parent)) {
      // Two histories cannot change in one moment when they are on several replicas.
      if (this.#parts.leases.isShared) throw new FsError('ENOTEMPTY')
      changes.unshift({ volume: volumeOf(target.attr.ino), change: { kind: 'close' } })
    }
    this.#parts.recorder.record(changes)
  }

  /** Hands out names behind `cookie`, "." and ".." first. @throws FsError ENOTDIR */
  readdir(ino: Ino, cookie: number, take: (entry: NamedDirent) => boolean): void {
    const node = this.#parts.tree.node(ino)
    const directory = this.#parts.tree.wholeDirectory(node)
    const dots: [string, Ino, number][] = [
      ['.', ino, 1],
      ['..', this.parentOf(node), 2]
    ]
    for (const [name, dotIno, dotCookie] of dots) {
      if (cookie >= dotCookie) continue
      const dirent = { ino: dotIno, type: S_IFDIR, cookie: dotCookie } as Dirent
      if (!take({ name, dirent })) return
    }
    directory.list(Math.max(cookie, 2), take)
  }

  /**
   * Brings into memory the attributes behind the names that `readdir` hands out from `cookie` on,
   * of at most `countMax` names. Those of names that damage has left without an inode do not come.
   *
   * @throws Wait; FsError ENOTDIR
   */
  bringListed(ino: Ino, cookie: number, countMax: number): void {
    const directory = this.#parts.tree.wholeDirectory(this.#parts.tree.node(ino))
    const inos: Ino[] = []
    const volume = volumeOf(ino)
    directory.list(Math.max(cookie, 2), ({ dirent }) => {
      // Volumes are followed each for itself; what is known of one says nothing of another.
      if (this.#parts.leases.isShared && volumeOf(dirent.ino) !== volume) return true
      return inos.push(dirent.ino) < countMax
    })
    this.#parts.tree.bringInodes(`inodes:${ino}:${cookie}`, inos)
  }

  /** The directory above; of a volume's root, the root of the mount. */
  parentOf({ attr }: Node): Ino {
    return attr.parent === 0 ? ROOT_INO : attr.parent
  }

  ruleFor(directory: Node, name: string): ReturnType<VfsParts['classifier']['ruleFor']> {
    return this.#parts.classifier.ruleFor(`${directory.attr.name}/${name}`)
  }

  #freePlace(parent: Ino, name: string): Node {
    const directory = this.#parts.tree.node(parent)
    if (directory.gone) throw new FsError('ENOENT')
    if (this.find(parent, name) !== undefined) throw new FsError('EEXIST')
    return directory
  }

  /** Whether a directory made in `directory` is the root of a volume. */
  #makesVolume(directory: Node): boolean {
    return (
      volumeOf(directory.attr.ino) === ROOT_VOLUME &&
      this.#depthOf(directory) + 1 === this.#parts.volumeDepth
    )
  }

  #depthOf(directory: Node): number {
    let depth = 0
    for (let at = directory; at.attr.ino !== ROOT_INO; depth++) {
      at = this.#parts.tree.node(this.parentOf(at))
    }
    return depth
  }

  #makeVolume(
    parent: Ino,
    name: string,
    { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number }
  ): Node {
    const volume = this.#parts.tree.volume(ROOT_VOLUME).nextVolume as VolumeId
    if (volume > VOLUME_ID_MAX) throw new FsError('ENOSPC')
    this.#parts.tree.volume(volume)
    const ino = rootInoOf(volume)
    const made = { parent, name, ino, mode, uid, gid, rdev: 0, target: '' }
    const create = { kind: 'create', fileClass: 'general', ...made } as const
    const makeRoot = { kind: 'makeRoot', mode, uid, gid } as const
    if (!this.#parts.leases.isShared) {
      this.#parts.recorder.record([
        { volume: ROOT_VOLUME, change: create },
        { volume, change: makeRoot }
      ])
      return this.#parts.tree.node(ino)
    }
    this.#makeSharedRoot(volume, makeRoot)
    this.#record(parent, create)
    return this.#parts.tree.node(ino)
  }

  /** A volume gets its name when enough replicas have its root, which is there or is made. */
  #makeSharedRoot(volume: VolumeId, makeRoot: Extract<Change, { kind: 'makeRoot' }>): void {
    const { tree, leases, recorder } = this.#parts
    leases.require(volume)
    const ino = rootInoOf(volume)
    const { nextCounter } = tree.volume(volume)
    // Inode numbers may be skipped, but the root has the first.
    const isThere = nextCounter > 1 && tree.hasInode(ino)
    if (!isThere) recorder.record([{ volume, change: makeRoot }])
    const { attr } = tree.node(ino)
    const { mode, uid, gid } = makeRoot
    if (attr.mode !== mode || attr.uid !== uid || attr.gid !== gid) {
      const change = { kind: 'setattr', ino, attr: { mode, uid, gid } } as const
      recorder.record([{ volume, change }])
    }
    leases.requireAcknowledged(volume)
  }

  /** A volume ends first, everywhere; then its name goes. */
  #rmdirShared(parent: Ino, name: string): void {
    const { tree, leases, recorder } = this.#parts
    const dirent = tree.dirent(parent, name)
    if (dirent === undefined) throw new FsError('ENOENT')
    const { ino } = dirent
    const volume = volumeOf(ino)
    if (volume === volumeOf(parent)) {
      this.#checkEmpty(tree.node(ino))
    } else if (!this.#isClosed(parent, dirent)) {
      leases.require(volume)
      this.#checkEmpty(tree.node(ino))
      recorder.record([{ volume, change: { kind: 'close' } }])
    }
    if (volume !== volumeOf(parent)) leases.requireAcknowledged(volume)
    this.#record(parent, { kind: 'rmdir', parent, name, ino })
  }

  /** Whether a name stands for a volume that has ended, whose name is still to go. */
  #isClosed(parent: Ino, { ino }: Dirent): boolean {
    if (!this.#parts.leases.isShared || volumeOf(ino) === volumeOf(parent)) return false
    const { tree, leases } = this.#parts
    if (tree.volume(volumeOf(ino)).closed) return true
    // The name may be known before the volume's own history has come.
    if (!tree.hasInode(ino)) leases.awaitMore(volumeOf(ino))
    return false
  }

  /** Whether the inode goes with its last name. Its node is in memory then, with all it needs. */
  #losesLast(node: Node): boolean {
    const { attr, handles, nlookup } = node
    if (isDirectory(attr) || attr.nlink > 1 || handles > 0) return false
    if (this.#parts.tree.isUncounted(node)) return false
    // Where opens are not told, whatever the kernel knows may be open.
    return this.#parts.tracksOpens || nlookup === 0
  }

  #checkEmpty(node: Node): void {
    if (this.#parts.tree.wholeDirectory(node).size > 0) throw new FsError('ENOTEMPTY')
  }

  #checkMove(node: Node, from: VolumeId, into: Node): void {
    if (from !== volumeOf(into.attr.ino)) throw new FsError('EXDEV')
    if (!isDirectory(node.attr)) return
    for (let at = into; ; at = this.#parts.tree.node(this.parentOf(at))) {
      if (at === node) throw new FsError('EINVAL')
      if (at.attr.ino === ROOT_INO || at.attr.parent === 0) break
    }
    // What is a volume stays one, and what is none becomes none.
    const isVolume = volumeOf(node.attr.ino) !== from
    if (isVolume !== this.#makesVolume(into)) throw new FsError('EXDEV')
  }

  #checkReplace(node: Node, target: Node): void {
    if (isDirectory(target.attr)) {
      if (!isDirectory(node.attr)) throw new FsError('EISDIR')
      this.#checkEmpty(target)
    } else if (isDirectory(node.attr)) {
      throw new FsError('ENOTDIR')
    }
  }

  #reserve(bytes: number): void {
    if (!this.#parts.space.reserve(bytes)) throw new FsError('ENOSPC')
  }

  #record(parent: Ino, change: NewChange['change']): void {
    this.#parts.recorder.record([{ volume: volumeOf(parent), change }])
  }
}

function checkName(name: string): void {
  if (name.length > NAME_MAX) throw new FsError('ENAMETOOLONG')
}
