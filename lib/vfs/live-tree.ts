/**
 * The tables that answer the kernel: everything in use, and everything that the store does not
 * have yet.
 *
 * Asking for what is not in memory throws Wait and has the store asked. `loaded` takes the
 * answers; what is in memory already is newer and stays. What was changed stays in memory until
 * `applied` says that the store has it. What the store had before a change is therefore never
 * taken for what is: its answers and the news of what is applied come in one order.
 */

import type { Extent } from '../feed/entry.ts'
import { FsError } from '../errors.ts'
import { volumeOf, type BlobId, type Ino, type Position, type VolumeId } from '../ids.ts'
import { isDirectory, type Dirent, type Inode } from '../tree/inode.ts'
import { inoOfInode } from '../store/records.ts'
import type { Tree } from '../tree/tree.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'
import { present } from '../util/assert.ts'
import { LruMap } from '../util/lru-map.ts'
import { BLOCK_SIZE, Content } from './content.ts'
import { Body } from './body.ts'
import { Directory } from './directory.ts'
import { Node } from './node.ts'
import { NodeTable } from './node-table.ts'
import type { CachedBlobs, Loaded, Loader, StoredName } from './ports.ts'
import { Wait } from './wait.ts'

/** What is kept in memory beyond what the store lacks. */
export interface CacheLimits {
  /** Names and attributes. */
  readonly metadataBytes: number
  /** Bytes of contents of files that are kept in history. */
  readonly contentBytes: number
  /** Bytes of blobs that were read lately. */
  readonly blobBytes: number
}

/** A million files, the indexes of some hundred mailboxes, readers of large bodies. */
export const DEFAULT_CACHE_LIMITS: CacheLimits = {
  metadataBytes: 256 * 1024 * 1024,
  contentBytes: 64 * 1024 * 1024,
  blobBytes: 16 * 1024 * 1024
}

/** Something to let go of when the store has the log through `position`. */
interface Release {
  readonly position: Position
  readonly release: () => void
}

/** Begins the key of a question whether an inode is there; its number follows. */
const ABSENT_KEY = 'inodes:has:'

export class LiveTree implements Tree {
  readonly #loader: Loader
  readonly #cachedBlobs: CachedBlobs
  readonly #limits: CacheLimits
  readonly #volumes = new Map<VolumeId, VolumeRecord>()
  readonly #nodes: NodeTable
  /** Bodies that rode in the log and are not in blob files yet. */
  readonly #riding = new Map<BlobId, { readonly bytes: Buffer; position: Position }>()
  readonly #blobs: LruMap<BlobId, Buffer>
  /** Nodes with content in memory, in the order of use. */
  readonly #contents = new Set<Node>()
  #contentBytes = 0
  /** Inodes that were asked for and are not there. */
  readonly #absent = new Set<Ino>()
  readonly #releases: Release[] = []
  #released = 0
  #applied = 0 as Position
  /** The kernel knows of inodes, and has files open, from a session before this one. */
  readonly #isTakeover: boolean
  /** Where the log ends with the entry that is being applied. */
  position = 0 as Position

  constructor(loader: Loader, cachedBlobs: CachedBlobs, limits: CacheLimits, isTakeover = false) {
    this.#isTakeover = isTakeover
    this.#loader = loader
    this.#cachedBlobs = cachedBlobs
    this.#limits = limits
    this.#blobs = new LruMap(limits.blobBytes, bytes => bytes.length)
    this.#nodes = new NodeTable(limits.metadataBytes, isTakeover)
  }

  get nodes(): NodeTable {
    return this.#nodes
  }

  get contentBytes(): number {
    return this.#contentBytes
  }

  /** Bytes of blobs: read lately, or not in blob files yet. */
  get blobBytes(): number {
    let bytes = this.#blobs.weight
    for (const riding of this.#riding.values()) bytes += riding.bytes.length
    return bytes
  }

  get applied(): Position {
    return this.#applied
  }

  volume(volume: VolumeId): VolumeRecord {
    const record = this.#volumes.get(volume)
    if (record !== undefined) return record
    const key = `volume:${volume}`
    this.#loader.load({ kind: 'volume', key, volume })
    throw new Wait(key)
  }

  /** Whether it is in memory where the volume's history stands. */
  knowsVolume(volume: VolumeId): boolean {
    return this.#volumes.has(volume)
  }

  putVolume(): void {
    // Records are changed in place, and stay.
  }

  /** @throws FsError ESTALE when there is no such inode */
  node(ino: Ino): Node {
    const node = this.#nodes.get(ino)
    if (node !== undefined) return node
    const key = `inode:${ino}`
    this.#loader.load({ kind: 'inode', key, ino })
    throw new Wait(key)
  }

  inode(ino: Ino): Inode {
    return this.node(ino).attr
  }

  /** Whether history has the inode. @throws Wait */
  hasInode(ino: Ino): boolean {
    if (this.#nodes.has(ino)) return true
    if (this.#absent.has(ino)) return false
    const key = `${ABSENT_KEY}${ino}`
    this.#loader.load({ kind: 'inodes', key, inos: [ino] })
    throw new Wait(key)
  }

  putInode(inode: Inode): void {
    this.#absent.delete(inode.ino)
    const known = this.#nodes.get(inode.ino)
    const node = known ?? new Node(inode)
    node.changedPosition = this.position
    if (known !== undefined) return
    this.#nodes.add(node)
    if (isDirectory(inode)) node.directory = new Directory(true, this.#nodes.use)
    else if (inode.fileClass === 'blob') node.body = new Body(0)
    else node.content = new Content(0)
  }

  removeInode(ino: Ino): void {
    const node = this.node(ino)
    node.gone = true
    node.gonePosition = this.position
    node.attr.nlink = 0
    this.releaseWhenApplied(() => {
      this.dropContent(ino)
      this.letGo(node)
    })
  }

  markOrphan(): void {
    // The handles that make it one are known here.
  }

  unmarkOrphan(): void {
    // Nor that it is none any more.
  }

  /** Nothing names it, nothing has it open, the kernel has let go of it, and history has it. */
  isAbandoned({ attr, gone, handles, nlookup }: Node): boolean {
    return attr.nlink === 0 && !gone && handles === 0 && nlookup === 0
  }

  /** The kernel may know the inode, and have it open, whatever the counts here say. */
  isUncounted({ isStored }: Node): boolean {
    return this.#isTakeover && isStored
  }

  /** Takes a node out of the table when nobody needs it. */
  letGo(node: Node): void {
    if (!node.gone || node.nlookup > 0 || node.handles > 0) return
    if (node.gonePosition > this.#applied) return
    this.#nodes.delete(node)
  }

  dirent(parent: Ino, name: string): Dirent | undefined {
    const directory = this.directoryOf(this.node(parent))
    const dirent = directory.get(name)
    if (dirent !== 'unknown') return dirent
    const key = `name:${parent}:${name}`
    this.#loader.load({ kind: 'name', key, parent, name })
    throw new Wait(key)
  }

  putDirent(parent: Ino, name: string, dirent: Dirent): void {
    this.directoryOf(this.node(parent)).set(name, dirent)
  }

  removeDirent(parent: Ino, name: string): void {
    const directory = this.directoryOf(this.node(parent))
    if (directory.remove(name, this.position)) this.#forgetAbsentLater(directory, name)
  }

  /** Somebody else has changed the inode. */
  outdate(ino: Ino): void {
    this.#absent.delete(ino)
    this.#nodes.outdate(ino, () => {
      this.dropContent(ino)
    })
  }

  /** Somebody else has changed the volume: where its history stands has to be asked for. */
  outdateVolume(volume: VolumeId): void {
    this.#volumes.delete(volume)
  }

  /** Anything in the volume may be different. */
  outdateAll(volume: VolumeId): void {
    this.outdateVolume(volume)
    for (const ino of this.#absent) if (volumeOf(ino) === volume) this.#absent.delete(ino)
    const isOf = (ino: Ino): boolean => volumeOf(ino) === volume
    for (const ino of [...this.#nodes.select(isOf)]) {
      this.outdate(ino)
      this.#nodes.forgetNames(ino)
    }
  }

  /**
   * Sees to it that the attributes of these inodes, of one volume, are in memory.
   *
   * @throws Wait
   */
  bringInodes(key: string, inos: readonly Ino[]): void {
    const missing = inos.filter(ino => !this.#nodes.has(ino))
    if (missing.length === 0) return
    this.#loader.load({ kind: 'inodes', key, inos: missing })
    throw new Wait(key)
  }

  /** The directory with all its names. */
  wholeDirectory(node: Node): Directory {
    const directory = this.directoryOf(node)
    if (directory.complete) return directory
    const key = `listing:${node.attr.ino}`
    directory.beginListing()
    this.#loader.load({ kind: 'listing', key, ino: node.attr.ino })
    throw new Wait(key)
  }

  /** @throws FsError ENOTDIR */
  directoryOf(node: Node): Directory {
    if (!isDirectory(node.attr)) throw new FsError('ENOTDIR')
    return (node.directory ??= new Directory(false, this.#nodes.use))
  }

  /** The content with [offset, offset + length) in memory. */
  contentOf(node: Node, offset: number, length: number): Content {
    const content = (node.content ??= new Content(node.attr.size))
    const block = content.missing(offset, length)
    if (block !== undefined) {
      const ino = node.storedIno
      const key = `content:${ino}:${block}`
      this.#loader.load({ kind: 'content', key, ino, block })
      throw new Wait(key)
    }
    this.#useContent(node)
    return content
  }

  /** The body with the windows of [offset, offset + length) in memory. */
  bodyOf(node: Node, offset: number, length: number): Body {
    const body = (node.body ??= new Body(node.attr.bodyEnd))
    const window = body.missing(offset, length)
    if (window === undefined) return body
    throw new Wait(this.loadWindow(node, window))
  }

  /** Fills `target` from a blob's byte `from` on. @returns whether that needed no wait */
  readBlob(blob: BlobId, from: number, target: Buffer): boolean {
    const bytes = this.#riding.get(blob)?.bytes ?? this.#blobs.get(blob)
    if (bytes === undefined) return this.#cachedBlobs.read(blob, from, target)
    return bytes.copy(target, 0, from, from + target.length) === target.length
  }

  /** Has a blob brought, at least `size` long. @returns the key of the answer */
  loadBlob(blob: BlobId, size: number): string {
    const kind = this.#cachedBlobs.wantsCheck(blob, size) ? 'check' : 'blob'
    const key = `${kind}:${blob}`
    this.#loader.load({ kind, key, blob })
    return key
  }

  /** Has a large blob checked that will be read. */
  checkBlob(blob: BlobId, size: number): void {
    if (this.#cachedBlobs.wantsCheck(blob, size)) this.loadBlob(blob, size)
  }

  /** Has a window of a body brought that `body.missing` names. @returns the key of the answer */
  loadWindow(node: Node, window: number): string {
    const ino = node.storedIno
    const key = `extents:${ino}:${window}`
    this.#loader.load({ kind: 'extents', key, ino, window })
    return key
  }

  writeContent(ino: Ino, offset: number, bytes: Uint8Array): void {
    const node = this.node(ino)
    const content = present(node.content, 'content')
    const before = content.bytes
    content.write(offset, bytes)
    if (this.#contents.has(node)) this.#contentBytes += content.bytes - before
    node.contentPosition = this.position
    this.#useContent(node)
  }

  layExtents(
    ino: Ino,
    extents: readonly Extent[],
    riding: readonly number[],
    bodies: readonly Buffer[]
  ): void {
    riding.forEach((at, i) => {
      const [extent, bytes] = [extents[at], bodies[i]]
      if (extent !== undefined && bytes !== undefined) this.#keepRiding(extent.blob, bytes)
    })
    present(this.node(ino).body, 'body').seal(extents)
  }

  truncate(inode: Inode, size: number): void {
    const node = this.node(inode.ino)
    // Made here, so that what the store still shows of the part cut off is never asked for.
    if (inode.fileClass === 'blob') node.body ??= new Body(size)
    else if (node.body === undefined) node.content ??= new Content(size)
    node.body?.truncate(size)
    if (node.content !== undefined) {
      const before = node.content.bytes
      node.content.truncate(size)
      if (this.#contents.has(node)) this.#contentBytes += node.content.bytes - before
      node.contentPosition = this.position
    }
  }

  punch({ ino }: Inode, offset: number, length: number): void {
    present(this.node(ino).body, 'body').punch(offset, length)
  }

  dropContent(ino: Ino): void {
    const node = this.#nodes.live(ino)
    if (node?.content === undefined) return
    if (this.#contents.delete(node)) this.#contentBytes -= node.content.bytes
    node.content = undefined
  }

  /** Runs `release` once the store has what the log holds now. */
  releaseWhenApplied(release: () => void): void {
    this.#releases.push({ position: this.position, release })
  }

  /** The store has the log through `position`. */
  advanceApplied(position: Position): void {
    this.#applied = position
    let next = this.#releases[this.#released]
    while (next !== undefined && next.position <= position) {
      next.release()
      next = this.#releases[++this.#released]
    }
    if (this.#released > 1024 && this.#released > this.#releases.length / 2) {
      this.#releases.splice(0, this.#released)
      this.#released = 0
    }
    this.#shedContents()
    this.#nodes.wakeHand()
  }

  /** Called between ops: lets go of a little of what is beyond the limit of memory. */
  shed(): void {
    this.#nodes.shed(this.#applied, node => {
      this.dropContent(node.attr.ino)
    })
  }

  /** Takes an answer of the store. Failures are the waiting ops' business. */
  loaded(answer: Loaded): void {
    switch (answer.kind) {
      case 'volume':
        if (!this.#volumes.has(answer.record.volume)) {
          this.#volumes.set(answer.record.volume, answer.record)
        }
        return
      case 'inode':
        return this.#learnInode(answer.inode)
      case 'name':
        return this.#learnName(answer.parent, answer.name, answer.found)
      case 'listing':
        this.#nodes.namesOf(answer.ino)?.learnListing(answer.records, answer.last)
        return
      case 'inodes':
        this.#learnInodes(answer.records)
        if (answer.key.startsWith(ABSENT_KEY)) {
          const ino = Number(answer.key.slice(ABSENT_KEY.length)) as Ino
          if (!this.#nodes.has(ino)) this.#absent.add(ino)
        }
        return
      case 'extents':
        this.#nodes.live(answer.ino)?.body?.load(answer.window, answer.extents)
        return
      case 'content':
        return this.#learnContent(answer.ino, answer.block, answer.bytes)
      case 'blob':
        return this.#learnBlob(answer.blob, answer.bytes)
      case 'check':
        return this.#cachedBlobs.noteVerified(answer.blob)
      case 'stage':
      case 'unstage':
      case 'failed':
    }
  }

  #keepRiding(blob: BlobId, bytes: Buffer): void {
    const position = this.position
    this.#riding.set(blob, { bytes, position })
    this.releaseWhenApplied(() => {
      if (this.#riding.get(blob)?.position === position) this.#riding.delete(blob)
    })
  }

  #learnInode(inode: Inode): void {
    if (this.#nodes.has(inode.ino)) return
    const node = new Node(inode)
    node.isStored = true
    this.#nodes.add(node)
  }

  #learnName(parent: Ino, name: string, found: StoredName | undefined): void {
    // Another volume's inode may be older than what is known of that volume.
    const isSame = found !== undefined && volumeOf(found.dirent.ino) === volumeOf(parent)
    if (isSame && found.inode !== undefined) this.#learnInode(found.inode)
    const directory = this.#nodes.live(parent)?.directory
    if (directory === undefined) return
    directory.learn(name, found?.dirent, this.position)
    if (found === undefined) this.#forgetAbsentLater(directory, name)
  }

  #forgetAbsentLater(directory: Directory, name: string): void {
    this.releaseWhenApplied(() => {
      directory.forgetAbsent(name, this.#applied)
    })
  }

  /** They stay packed until they are asked for one by one. */
  #learnInodes({ buffer, byteOffset, length }: Uint8Array): void {
    const records = Buffer.from(buffer, byteOffset, length)
    for (let at = 0; at < length;) {
      const start = at + 4
      at = start + records.readUInt32LE(at)
      const record = records.subarray(start, at)
      if (!this.#nodes.has(inoOfInode(record))) this.#nodes.addPacked(record)
    }
  }

  #learnContent(ino: Ino, block: number, bytes: Uint8Array): void {
    const node = this.#nodes.live(ino)
    if (node?.content === undefined) return
    const before = node.content.bytes
    // A container may end within the block, or lag behind a file that has grown.
    const padded = Buffer.alloc(BLOCK_SIZE)
    padded.set(bytes)
    node.content.load(block, padded)
    if (this.#contents.has(node)) this.#contentBytes += node.content.bytes - before
  }

  #learnBlob(blob: BlobId, { buffer, byteOffset, length }: Uint8Array): void {
    this.#blobs.set(blob, Buffer.from(buffer as ArrayBuffer, byteOffset, length))
    this.#cachedBlobs.noteVerified(blob)
  }

  #useContent(node: Node): void {
    if (this.#contents.delete(node)) {
      this.#contents.add(node)
      return
    }
    this.#contents.add(node)
    this.#contentBytes += node.content?.bytes ?? 0
  }

  #shedContents(): void {
    for (const node of this.#contents) {
      if (this.#contentBytes <= this.#limits.contentBytes) return
      if (node.contentPosition <= this.#applied && node.body === undefined) {
        this.dropContent(node.attr.ino)
      }
    }
  }
}
