/**
 * The file system as a synchronous state machine: it knows neither kernel nor network nor disk.
 *
 * An operation takes effect at once and whole, or throws: FsError is its answer, Wait says that it
 * has done nothing yet and is to be run again when `loaded` reports the key. Time, the log, the
 * store and the free space come through ports, so a test runs it step by step.
 */

import type { LoggedEntry } from '../feed/entry.ts'
import { ROOT_INO, ROOT_VOLUME, volumeOf } from '../ids.ts'
import type { Epoch, Ino, Position, VolumeId } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import type { FileClassifier } from '../mail/file-class.ts'
import { applyEntry } from '../tree/apply.ts'
import { S_IFDIR, type Inode } from '../tree/inode.ts'
import { AttrOperations } from './attr-operations.ts'
import { DataOperations } from './data-operations.ts'
import { HandleTable } from './handle-table.ts'
import { DEFAULT_CACHE_LIMITS, LiveTree, type CacheLimits } from './live-tree.ts'
import { LockOperations } from './lock-operations.ts'
import { LockTable } from './lock-table.ts'
import { NamespaceOperations } from './namespace-operations.ts'
import type { Node } from './node.ts'
import type { Caller, VfsParts } from './parts.ts'
import type { CachedBlobs, Invalidator, Journal, Leases, Loaded } from './ports.ts'
import type { Loader, Space, Unsealed } from './ports.ts'
import { RangeOperations } from './range-operations.ts'
import { Recorder } from './recorder.ts'
import { Sealer } from './sealer.ts'
import { ShownEntries } from './shown-entries.ts'
import { SOLE_REPLICA } from './sole-replica.ts'
import { XattrOperations } from './xattr-operations.ts'

export interface VfsOptions {
  readonly journal: Journal
  readonly loader: Loader
  readonly cachedBlobs: CachedBlobs
  readonly clock: Clock
  readonly space: Space
  readonly classifier: FileClassifier
  /** SOLE_REPLICA where not given. */
  readonly leases?: Leases
  readonly volumeDepth: number
  /** See VfsParts; true where not given. */
  readonly tracksOpens?: boolean
  readonly cacheLimits?: CacheLimits
  readonly unsealed?: Unsealed
  /** The kernel goes on with a mount that an earlier session served; false where not given. */
  readonly isTakeover?: boolean
}

/** Everybody may look at the root; its owner makes users' directories there. */
const ROOT_MODE = S_IFDIR | 0o755

export class Vfs {
  readonly names: NamespaceOperations
  readonly data: DataOperations
  readonly ranges: RangeOperations
  readonly attrs: AttrOperations
  readonly xattrs: XattrOperations
  readonly locks: LockOperations
  readonly #parts: VfsParts
  readonly #sealer: Sealer
  readonly #isTakeover: boolean
  #shown: ShownEntries | undefined

  constructor(options: VfsOptions) {
    const { journal, loader, clock, space, classifier, volumeDepth, tracksOpens = true } = options
    const cacheLimits = options.cacheLimits ?? DEFAULT_CACHE_LIMITS
    const { unsealed, isTakeover = false } = options
    const tree = new LiveTree(loader, options.cachedBlobs, cacheLimits, isTakeover)
    const leases = options.leases ?? SOLE_REPLICA
    const recorder = new Recorder(journal, tree, clock, leases)
    const handles = new HandleTable(journal.session)
    const locks = new LockTable()
    this.#parts = {
      tree,
      recorder,
      handles,
      locks,
      loader,
      space,
      classifier,
      leases,
      volumeDepth,
      tracksOpens,
      ...(unsealed && { unsealed })
    }
    this.#isTakeover = isTakeover
    this.#sealer = new Sealer(this.#parts)
    this.names = new NamespaceOperations(this.#parts, this.#sealer)
    this.data = new DataOperations(this.#parts, this.names, this.#sealer)
    this.ranges = new RangeOperations(this.#parts, this.data, this.#sealer)
    this.attrs = new AttrOperations(this.#parts, this.data)
    this.xattrs = new XattrOperations(this.#parts)
    this.locks = new LockOperations(this.#parts)
  }

  /**
   * Makes the root directory of an empty store, and ends what an earlier session left open; after
   * a takeover it only brings that into memory, as it may be open still.
   *
   * @param owner of the new root directory
   * @param orphans inodes without a name
   * @throws Wait
   */
  start(owner: Caller, orphans: readonly Ino[]): void {
    const { tree, recorder, leases } = this.#parts
    const root = tree.volume(ROOT_VOLUME)
    const hasRoot = leases.isShared ? tree.hasInode(ROOT_INO) : root.index > 0
    if (!hasRoot) {
      const change = { kind: 'makeRoot', mode: ROOT_MODE, uid: owner.uid, gid: owner.gid } as const
      recorder.record([{ volume: ROOT_VOLUME, change }])
    }
    tree.node(ROOT_INO)
    if (leases.isShared) return
    const left = orphans.filter(ino => !tree.node(ino).gone)
    if (this.#isTakeover) return
    for (const ino of left) tree.volume(volumeOf(ino))
    for (const ino of left) {
      recorder.record([{ volume: volumeOf(ino), change: { kind: 'drop', ino } }])
    }
  }

  /** The inode, if it has a node in memory. */
  known(ino: Ino): Node | undefined {
    return this.#parts.tree.nodes.live(ino)
  }

  /** The attributes, if they are in memory. */
  attributesOf(ino: Ino): Inode | undefined {
    return this.#parts.tree.nodes.peek(ino)
  }

  /** A reply names the inode, whose attributes are in memory. */
  noteLookup(ino: Ino): void {
    this.#parts.tree.nodes.noteLookup(ino)
  }

  /** Whether anything has the inode open. */
  isOpen(ino: Ino): boolean {
    return this.#parts.tree.nodes.handlesOf(ino) > 0
  }

  /** @returns whether that was the last that held an inode without a name */
  forget(ino: Ino, count: number): boolean {
    const node = this.#parts.tree.nodes.live(ino)
    if (node === undefined) {
      this.#parts.tree.nodes.forgetAbsent(ino, count)
      return false
    }
    node.nlookup = Math.max(node.nlookup - count, ino === ROOT_INO ? 1 : 0)
    this.#parts.tree.letGo(node)
    return this.#parts.tree.isAbandoned(node)
  }

  /** Whether the kernel may know the inode although nothing that is counted here says so. */
  isUncounted(ino: Ino): boolean {
    const node = this.known(ino)
    return node !== undefined && this.#parts.tree.isUncounted(node)
  }

  /** Whether a lock may have been lost that whoever uses the handle believes to hold. */
  isFenced(fh: number): boolean {
    return this.#parts.handles.isFenced(fh, this.#parts.leases.isShared)
  }

  /** An answer to what was asked for has come; ops that wait for its key can run again. */
  loaded(answer: Loaded): void {
    this.#parts.tree.loaded(answer)
    this.#sealer.staged(answer)
  }

  /** The store has the log through `position`. */
  applied(position: Position): void {
    this.#parts.tree.advanceApplied(position)
  }

  /** Whether anything was written that is in no entry yet. */
  get hasUnsealed(): boolean {
    return this.#sealer.dirtyCount > 0
  }

  /** Whether there is more in memory than there should be, of what could leave. */
  get isSheddable(): boolean {
    return this.#parts.tree.nodes.isSheddable
  }

  /** Called between ops, as often as one likes: keeps memory within its limit. */
  shed(): void {
    this.#parts.tree.shed()
  }

  /** Called often: what was written without an open handle becomes history. */
  sealClosed(): void {
    this.#sealer.sealClosed()
  }

  /** Called at the end, again and again while `hasUnsealed`. */
  sealEverything(): void {
    this.#sealer.sealEverything()
  }

  /** Called about once a second: what was written and not closed becomes history. */
  sealIdle(): void {
    this.#sealer.sealIdle()
  }

  /** Entries that another replica made are history of the volume now. */
  shown(volume: VolumeId, entries: readonly LoggedEntry[], invalidator: Invalidator): void {
    this.#shownEntries(invalidator).show(
      volume,
      entries.map(({ entry }) => entry)
    )
  }

  /** Anything in the volume may be different. */
  replaced(volume: VolumeId, invalidator: Invalidator): void {
    this.#shownEntries(invalidator).showAll(volume)
  }

  /** An own entry was made that changes nothing but where the volume's history stands. */
  began(volume: VolumeId, logged: LoggedEntry): void {
    const { tree } = this.#parts
    if (tree.knowsVolume(volume)) applyEntry(tree, logged)
  }

  /** A listing that is coming in is out of date. */
  abortListing(ino: Ino): void {
    this.#parts.tree.nodes.namesOf(ino)?.abortListing()
  }

  /** The lease of a volume is lost. @returns lock requests that waited there */
  fenced(volume: VolumeId): number[] {
    this.#sealer.discardVolume(volume)
    return this.locks.loseAll(volume)
  }

  /** See HandleTable. */
  poison(volume: VolumeId, since: Epoch, through: Epoch): void {
    this.#parts.handles.poison(volume, since, through)
  }

  /** Seals all of a volume that is given away. @returns whether nothing is left to be sealed */
  sealWhole(volume: VolumeId): boolean {
    return this.#sealer.sealWhole(volume)
  }

  #shownEntries(invalidator: Invalidator): ShownEntries {
    return (this.#shown ??= new ShownEntries(this.#parts.tree, invalidator))
  }

  /** What `stats` shows. */
  figures(): Record<string, number> {
    const { tree, recorder, handles, locks } = this.#parts
    return {
      entries: recorder.entries,
      nodes: tree.nodes.size,
      metadataBytes: tree.nodes.bytes,
      contentBytes: tree.contentBytes,
      blobBytes: tree.blobBytes,
      handles: handles.size,
      locks: locks.size,
      unsealed: this.#sealer.dirtyCount,
      stagingBytes: this.#sealer.stagingBytes
    }
  }
}
