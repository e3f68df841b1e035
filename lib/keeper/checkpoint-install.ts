/**
 * Makes a checkpoint stand for all that a volume was here: older, of another history, or nothing.
 *
 * Files come first, then the keys that name them, which the caller writes as one. Until then it can
 * be done again from the beginning, as often as need be, also after a crash at any point: what it
 * does to files does not depend on what they were.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import { RoostError } from '../errors.ts'
import type { BlobId, Ino, VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import type { StoreReader } from '../store/store.ts'
import { treeRangesOf } from '../store/volume-keys.ts'
import { isRegular } from '../tree/inode.ts'
import type { KeeperFiles } from './batch-writer.ts'
import { readCheckpointContent } from './checkpoint-content.ts'
import { checkpointPathOf } from './checkpoint-files.ts'
import { CheckpointReader } from './checkpoint-reader.ts'

/** Keys read at once of what goes. */
const KEYS_CHUNK = 200

/**
 * Writes the containers of a checkpoint that is in `checkpoints/`, adopts the blobs that were
 * fetched for it, and says what has to be written to the store, the volume's record included.
 *
 * The caller makes everything durable (`Disk.syncAll`) before it writes the keys, in one write, and
 * makes its `DurableTree` anew. Keys and values of the volume that change are in memory, the rest
 * is streamed.
 *
 * @throws RoostError CHECKPOINT_DAMAGED, also where it is not here or is of another point, before
 *   anything was changed; STORE_FAILED or what the disk throws, and then it can be tried again
 */
export async function installCheckpoint(
  disk: Disk,
  files: KeeperFiles,
  volume: VolumeId,
  point: HistoryPoint
): Promise<Map<string, Buffer | undefined>> {
  const path = checkpointPathOf(volume, point.index)
  // The whole of it once before, as the containers that are overwritten cannot be had back.
  const content = await readCheckpointContent(disk, path)
  if (content.volume !== volume || content.point.hash !== point.hash) {
    throw new RoostError('CHECKPOINT_DAMAGED', `${path} is of another history`)
  }
  const install = new Install(files, volume)
  await install.takeAway()
  const reader = await CheckpointReader.open(disk, path)
  try {
    let ino = 0 as Ino
    for await (const item of reader.items()) {
      if (item.kind === 'key') install.putKey(item.key, item.value)
      if (item.kind === 'container') {
        ino = item.ino
        install.beginContainer(ino, item.size)
      }
      if (item.kind === 'bytes') files.containers.write(ino, item.offset, item.bytes)
    }
  } finally {
    reader.close()
  }
  return install.finish()
}

class Install {
  readonly #files: KeeperFiles
  readonly #store: StoreReader
  readonly #volume: VolumeId
  readonly #changes = new Map<string, Buffer | undefined>()
  /** By how much more often each blob is named than before. */
  readonly #references = new Map<BlobId, number>()
  /** Inodes that have containers and, as far as is known, keep none. */
  readonly #containers = new Set<Ino>()

  constructor(files: KeeperFiles, volume: VolumeId) {
    this.#files = files
    this.#store = files.store
    this.#volume = volume
  }

  /** Everything goes that the volume has, unless it comes again. */
  async takeAway(): Promise<void> {
    for (const [from, to] of treeRangesOf(this.#volume)) {
      for (let next = from; ;) {
        const part = await this.#store.range(next, to, KEYS_CHUNK)
        for (const [key, value] of part) this.#takeKeyAway(key, value)
        const last = part.at(-1)
        if (last === undefined || part.length < KEYS_CHUNK) break
        next = `${last[0]}\0`
      }
    }
  }

  putKey(key: string, value: Buffer): void {
    if (key.startsWith('x')) this.#refer(value, 1)
    const isSame = this.#changes.has(key) && this.#store.get(key)?.equals(value) === true
    if (isSame) this.#changes.delete(key)
    else this.#changes.set(key, value)
    if (key.startsWith('i')) this.#keepContainer(value)
  }

  beginContainer(ino: Ino, size: number): void {
    const { containers } = this.#files
    containers.truncate(ino, 0)
    containers.truncate(ino, size)
  }

  finish(): Map<string, Buffer | undefined> {
    for (const ino of this.#containers) {
      this.#changes.set(keys.containerGarbageKey(ino), Buffer.alloc(0))
    }
    for (const [blob, change] of this.#references) this.#settleBlob(blob, change)
    return this.#changes
  }

  #takeKeyAway(key: string, value: Buffer): void {
    this.#changes.set(key, undefined)
    if (key.startsWith('x')) this.#refer(value, -1)
    if (!key.startsWith('i')) return
    const inode = records.decodeInode(value)
    if (isRegular(inode) && inode.fileClass !== 'blob') this.#containers.add(inode.ino)
  }

  /** An inode that was deleted here may live on there, under the same number. */
  #keepContainer(value: Buffer): void {
    const inode = records.decodeInode(value)
    if (!isRegular(inode) || inode.fileClass === 'blob') return
    this.#containers.delete(inode.ino)
    // An empty file has no item of its own in a checkpoint.
    if (inode.size === 0) this.#files.containers.truncate(inode.ino, 0)
    const garbage = keys.containerGarbageKey(inode.ino)
    if (this.#store.get(garbage) !== undefined) this.#changes.set(garbage, undefined)
  }

  #refer(extents: Buffer, change: number): void {
    for (const { blob } of records.decodeExtents(extents)) {
      this.#references.set(blob, (this.#references.get(blob) ?? 0) + change)
    }
  }

  #settleBlob(blob: BlobId, change: number): void {
    const key = keys.blobKey(blob)
    const stored = this.#store.get(key)
    const count = (stored === undefined ? 0 : records.decodeCount(stored)) + change
    if (count > 0) {
      // One that was fetched although it is named here takes the place of a damaged one.
      this.#files.blobs.adopt(blob)
      if (stored === undefined) this.#changes.set(keys.blobGarbageKey(blob), undefined)
      if (change !== 0) this.#changes.set(key, records.encodeCount(count))
    } else if (stored !== undefined) {
      this.#changes.set(key, undefined)
      this.#changes.set(keys.blobGarbageKey(blob), Buffer.alloc(0))
    }
  }
}
