/**
 * The tree that a restart begins with: the store, and what a batch of entries changes in it.
 *
 * Entries are applied to objects in memory; `takeChanges` turns what they came to into the keys
 * of one atomic write. What a batch makes and takes away again (the names in tmp/) costs nothing.
 * Bytes of containers and blobs are gathered as well, to be written before the store names them.
 *
 * Extents are kept by windows of the file, so that an append to a long body rewrites the keys of
 * its last window only. An extent that crosses a window's end is kept in two parts.
 */

import type { Extent } from '../feed/entry.ts'
import { RoostError } from '../errors.ts'
import type { BlobId, Epoch, Ino, VolumeId } from '../ids.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { cutExtent, replaceRange } from '../tree/extents.ts'
import type { Dirent, Inode } from '../tree/inode.ts'
import type { Tree } from '../tree/tree.ts'
import { emptyVolume, type VolumeRecord } from '../tree/volume-record.ts'
import { windowOf, windowsOf, WINDOW_SIZE } from '../tree/window.ts'
import { LruMap } from '../util/lru-map.ts'

/** What a batch does to the bytes of one container, in order. */
export type ContentChange =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number }

/** What has to happen to make a batch durable: files first, then the keys. */
export interface TreeChanges {
  readonly contents: ReadonlyMap<Ino, readonly ContentChange[]>
  /** Blobs that came with the log and are now named. */
  readonly puts: ReadonlyMap<BlobId, Buffer>
  /** Blobs that were staged and are now named. */
  readonly adopts: readonly BlobId[]
  readonly keys: Map<string, Buffer | undefined>
}

/** Inodes kept decoded between batches; some 300 bytes each. */
const INODES_KEPT = 20_000

export class DurableTree implements Tree {
  readonly #store: Store
  readonly #volumes = new Map<VolumeId, VolumeRecord>()
  readonly #changedVolumes = new Set<VolumeRecord>()
  readonly #kept = new LruMap<Ino, Inode>(INODES_KEPT, () => 1)
  /** Inodes of this batch; undefined where the batch removed one. */
  #inodes = new Map<Ino, Inode | undefined>()
  #dirents = new Map<string, Dirent | undefined>()
  #extents = new Map<string, Extent[]>()
  /** References to blobs, as this batch leaves them. */
  #references = new Map<BlobId, number>()
  #contents = new Map<Ino, ContentChange[]>()
  #bodies = new Map<BlobId, Buffer>()
  #keys = new Map<string, Buffer | undefined>()
  /** Inodes that only this batch has seen: no key of theirs exists, nor a file if `#isClean`. */
  #born = new Set<Ino>()
  /** Keys of names likewise. */
  #bornNames = new Set<string>()
  /** Whether no file can be left of a batch that a crash or a refusal kept out of the store. */
  #isClean = false
  /**
   * Files may be left also of later batches: the entries of one that did not get into the store
   * need not come in the same batch again.
   */
  isUncertain = false

  constructor(store: Store) {
    this.#store = store
  }

  volume(volume: VolumeId): VolumeRecord {
    let record = this.#volumes.get(volume)
    if (record === undefined) {
      const stored = this.#store.get(keys.volumeKey(volume))
      record = stored === undefined ? emptyVolume(volume) : records.decodeVolume(stored)
      this.#volumes.set(volume, record)
    }
    return record
  }

  putVolume(record: VolumeRecord): void {
    this.#changedVolumes.add(record)
  }

  /** Nothing of the volume's earlier epochs is accepted any more. A promise never goes back. */
  putPromise(volume: VolumeId, epoch: Epoch): void {
    const key = keys.promiseKey(volume)
    const before = this.#keys.get(key) ?? this.#store.get(key)
    if (before !== undefined && records.decodeCount(before) >= epoch) return
    this.#keys.set(key, records.encodeCount(epoch))
  }

  hasInode(ino: Ino): boolean {
    return this.#find(ino) !== undefined
  }

  inode(ino: Ino): Inode {
    const inode = this.#find(ino)
    if (inode === undefined) throw new RoostError('FEED_DAMAGED', `inode ${ino} does not exist`)
    return inode
  }

  putInode(inode: Inode): void {
    if (!this.#inodes.has(inode.ino) && !this.#exists(inode.ino)) this.#born.add(inode.ino)
    this.#inodes.set(inode.ino, inode)
  }

  removeInode(ino: Ino): void {
    const inode = this.inode(ino)
    this.truncate(inode, 0)
    this.dropContent(ino)
    this.#inodes.set(ino, undefined)
    this.#keys.set(keys.orphanKey(ino), undefined)
  }

  markOrphan(ino: Ino): void {
    this.#keys.set(keys.orphanKey(ino), Buffer.alloc(0))
  }

  unmarkOrphan(ino: Ino): void {
    this.#keys.set(keys.orphanKey(ino), undefined)
  }

  dirent(parent: Ino, name: string): Dirent | undefined {
    const key = keys.direntKey(parent, name)
    if (this.#dirents.has(key)) return this.#dirents.get(key)
    const stored = this.#store.get(key)
    return stored === undefined ? undefined : records.decodeDirent(stored)
  }

  putDirent(parent: Ino, name: string, dirent: Dirent): void {
    const key = keys.direntKey(parent, name)
    if (!this.#dirents.has(key) && this.#store.get(key) === undefined) this.#bornNames.add(key)
    this.#dirents.set(key, dirent)
    const listed = records.encodeListed(name, dirent)
    this.#keys.set(keys.listingKey(parent, dirent.cookie), listed)
  }

  removeDirent(parent: Ino, name: string): void {
    const dirent = this.dirent(parent, name)
    if (dirent === undefined) return
    const key = keys.direntKey(parent, name)
    const listing = keys.listingKey(parent, dirent.cookie)
    this.#dirents.set(key, undefined)
    if (this.#bornNames.has(key)) this.#keys.delete(listing)
    else this.#keys.set(listing, undefined)
  }

  writeContent(ino: Ino, offset: number, bytes: Uint8Array): void {
    this.#contentOf(ino).push({ kind: 'write', offset, bytes })
  }

  layExtents(
    ino: Ino,
    extents: readonly Extent[],
    riding: readonly number[],
    bodies: readonly Buffer[]
  ): void {
    riding.forEach((at, i) => {
      const [extent, body] = [extents[at], bodies[i]]
      if (extent !== undefined && body !== undefined) this.#bodies.set(extent.blob, body)
    })
    for (const extent of extents) {
      for (const window of windowsOf(extent.offset, extent.length)) {
        const start = Math.max(extent.offset, window * WINDOW_SIZE)
        const end = Math.min(extent.offset + extent.length, (window + 1) * WINDOW_SIZE)
        this.#replace(ino, window, start, end, cutExtent(extent, start, end - start))
      }
    }
  }

  truncate(inode: Inode, size: number): void {
    if (inode.fileClass !== 'blob') {
      this.#contentOf(inode.ino).push({ kind: 'truncate', size })
      return
    }
    for (const window of windowsOf(size, inode.bodyEnd - size)) {
      this.#replace(inode.ino, window, size, (window + 1) * WINDOW_SIZE)
    }
  }

  punch({ ino, bodyEnd }: Inode, offset: number, length: number): void {
    const end = Math.min(offset + length, bodyEnd)
    for (const window of windowsOf(offset, end - offset)) {
      const start = Math.max(offset, window * WINDOW_SIZE)
      this.#replace(ino, window, start, Math.min(end, (window + 1) * WINDOW_SIZE))
    }
  }

  dropContent(ino: Ino): void {
    this.#contents.delete(ino)
    if (this.#isClean && this.#born.has(ino)) return
    this.#keys.set(keys.containerGarbageKey(ino), Buffer.alloc(0))
  }

  references(blob: BlobId): number {
    const changed = this.#references.get(blob)
    if (changed !== undefined) return changed
    const stored = this.#store.get(keys.blobKey(blob))
    return stored === undefined ? 0 : records.decodeCount(stored)
  }

  /** The batch's outcome. The tree then stands at its end, and must not be used if it is lost. */
  takeChanges(): TreeChanges {
    for (const record of this.#changedVolumes) {
      this.#keys.set(keys.volumeKey(record.volume), records.encodeVolume(record))
    }
    for (const [ino, inode] of this.#inodes) this.#settleInode(ino, inode)
    for (const [key, dirent] of this.#dirents) {
      if (dirent === undefined && this.#bornNames.has(key)) continue
      this.#keys.set(key, dirent === undefined ? undefined : records.encodeDirent(dirent))
    }
    for (const [key, extents] of this.#extents) {
      this.#keys.set(key, extents.length === 0 ? undefined : records.encodeExtents(extents))
    }
    const [puts, adopts] = this.#settleBlobs()
    const changes = { contents: this.#contents, puts, adopts, keys: this.#keys }
    this.#changedVolumes.clear()
    this.#inodes = new Map()
    this.#dirents = new Map()
    this.#extents = new Map()
    this.#references = new Map()
    this.#contents = new Map()
    this.#bodies = new Map()
    this.#keys = new Map()
    this.#born = new Set()
    this.#bornNames = new Set()
    this.#isClean = !this.isUncertain
    return changes
  }

  #settleInode(ino: Ino, inode: Inode | undefined): void {
    const key = keys.inodeKey(ino)
    if (inode !== undefined) {
      this.#kept.set(ino, inode)
      this.#keys.set(key, records.encodeInode(inode))
      return
    }
    this.#kept.delete(ino)
    if (!this.#born.has(ino)) this.#keys.set(key, undefined)
  }

  #settleBlobs(): [Map<BlobId, Buffer>, BlobId[]] {
    const puts = new Map<BlobId, Buffer>()
    const adopts: BlobId[] = []
    for (const [blob, count] of this.#references) {
      const existed = this.#store.get(keys.blobKey(blob)) !== undefined
      const body = this.#bodies.get(blob)
      if (count > 0) {
        this.#keys.set(keys.blobKey(blob), records.encodeCount(count))
        if (existed) continue
        this.#keys.set(keys.blobGarbageKey(blob), undefined)
        if (body === undefined) adopts.push(blob)
        else puts.set(blob, body)
      } else if (existed || body === undefined || !this.#isClean) {
        this.#keys.set(keys.blobKey(blob), undefined)
        this.#keys.set(keys.blobGarbageKey(blob), Buffer.alloc(0))
        if (!existed && body === undefined) adopts.push(blob)
      }
    }
    return [puts, adopts]
  }

  #find(ino: Ino): Inode | undefined {
    if (this.#inodes.has(ino)) return this.#inodes.get(ino)
    const kept = this.#kept.get(ino)
    if (kept !== undefined) return kept
    const stored = this.#store.get(keys.inodeKey(ino))
    return stored === undefined ? undefined : records.decodeInode(stored)
  }

  #exists(ino: Ino): boolean {
    return this.#kept.get(ino) !== undefined || this.#store.get(keys.inodeKey(ino)) !== undefined
  }

  #contentOf(ino: Ino): ContentChange[] {
    let changes = this.#contents.get(ino)
    if (changes === undefined) this.#contents.set(ino, (changes = []))
    return changes
  }

  #replace(ino: Ino, window: number, start: number, end: number, extent?: Extent): void {
    const key = keys.extentsKey(ino, window)
    let extents = this.#extents.get(key)
    if (extents === undefined) {
      const stored = this.#born.has(ino) ? undefined : this.#store.get(key)
      extents = stored === undefined ? [] : records.decodeExtents(stored)
      this.#extents.set(key, extents)
    }
    for (const before of extents) this.#refer(before.blob, -1)
    const from = Math.max(start, windowOf(start) === window ? start : window * WINDOW_SIZE)
    replaceRange(extents, from, end, cutExtent, extent)
    for (const after of extents) this.#refer(after.blob, 1)
  }

  #refer(blob: BlobId, change: number): void {
    this.#references.set(blob, this.references(blob) + change)
  }
}
