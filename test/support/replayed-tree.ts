import type { Extent } from '../../lib/feed/entry.ts'
import type { BlobId, Ino, VolumeId } from '../../lib/ids.ts'
import type { Dirent, Inode } from '../../lib/tree/inode.ts'
import type { Tree } from '../../lib/tree/tree.ts'
import { emptyVolume, type VolumeRecord } from '../../lib/tree/volume-record.ts'
import { present } from '../../lib/util/assert.ts'

/** The tree at its plainest: maps, and the whole bytes of every file. */
export class ReplayedTree implements Tree {
  readonly volumes = new Map<VolumeId, VolumeRecord>()
  readonly inodes = new Map<Ino, Inode>()
  readonly names = new Map<Ino, Map<string, Dirent>>()
  readonly orphans = new Set<Ino>()
  readonly #bytes = new Map<Ino, Buffer>()
  readonly #blobs: Map<BlobId, Buffer>

  /** @param blobs bytes of the blobs that do not ride in the log */
  constructor(blobs: Map<BlobId, Buffer>) {
    this.#blobs = blobs
  }

  /** All bytes of a file. */
  bytesOf(ino: Ino): Buffer {
    const { size } = this.inode(ino)
    const bytes = Buffer.alloc(size)
    bytes.set((this.#bytes.get(ino) ?? bytes).subarray(0, size))
    return bytes
  }

  volume(volume: VolumeId): VolumeRecord {
    let record = this.volumes.get(volume)
    if (record === undefined) this.volumes.set(volume, (record = emptyVolume(volume)))
    return record
  }

  putVolume(record: VolumeRecord): void {
    this.volumes.set(record.volume, record)
  }

  inode(ino: Ino): Inode {
    return present(this.inodes.get(ino), `inode ${ino}`)
  }

  putInode(inode: Inode): void {
    this.inodes.set(inode.ino, inode)
  }

  removeInode(ino: Ino): void {
    this.inodes.delete(ino)
    this.names.delete(ino)
    this.orphans.delete(ino)
    this.#bytes.delete(ino)
  }

  markOrphan(ino: Ino): void {
    this.orphans.add(ino)
  }

  unmarkOrphan(ino: Ino): void {
    this.orphans.delete(ino)
  }

  dirent(parent: Ino, name: string): Dirent | undefined {
    return this.names.get(parent)?.get(name)
  }

  putDirent(parent: Ino, name: string, dirent: Dirent): void {
    const names = this.names.get(parent) ?? new Map<string, Dirent>()
    names.set(name, dirent)
    this.names.set(parent, names)
  }

  removeDirent(parent: Ino, name: string): void {
    this.names.get(parent)?.delete(name)
  }

  writeContent(ino: Ino, offset: number, bytes: Uint8Array): void {
    this.#write(ino, offset, bytes)
  }

  layExtents(
    ino: Ino,
    extents: readonly Extent[],
    riding: readonly number[],
    bodies: readonly Buffer[]
  ): void {
    riding.forEach((at, i) => {
      this.#blobs.set((extents[at] as Extent).blob, bodies[i] as Buffer)
    })
    for (const { offset, length, blob, blobOffset } of extents) {
      const bytes = present(this.#blobs.get(blob), `blob ${blob}`)
      this.#write(ino, offset, bytes.subarray(blobOffset, blobOffset + length))
    }
  }

  truncate(inode: Inode, size: number): void {
    const bytes = this.#bytes.get(inode.ino)
    if (bytes !== undefined) this.#bytes.set(inode.ino, Buffer.from(bytes.subarray(0, size)))
  }

  punch({ ino }: Inode, offset: number, length: number): void {
    this.#bytes
      .get(ino)
      ?.subarray(offset, offset + length)
      .fill(0)
  }

  dropContent(ino: Ino): void {
    this.#bytes.delete(ino)
  }

  #write(ino: Ino, offset: number, bytes: Uint8Array): void {
    const before = this.#bytes.get(ino) ?? Buffer.alloc(0)
    const after = Buffer.alloc(Math.max(before.length, offset + bytes.length))
    after.set(before)
    after.set(bytes, offset)
    this.#bytes.set(ino, after)
  }
}
