/**
 * Looks at a whole checkpoint before anything of it is believed: that it is of one volume at the
 * point that it says, that every record decodes, and that containers have the sizes that their
 * inodes say.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import { RoostError } from '../errors.ts'
import type { BlobId, Ino, VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import { isKeyOfVolume } from '../store/volume-keys.ts'
import { isRegular } from '../tree/inode.ts'
import { InvariantError } from '../util/assert.ts'
import type { CheckpointItem } from './checkpoint-codec.ts'
import { CheckpointReader } from './checkpoint-reader.ts'

export interface CheckpointContent {
  readonly volume: VolumeId
  readonly point: HistoryPoint
  /** Blobs that it names, with the bytes that each must have at least. */
  readonly blobs: ReadonlyMap<BlobId, number>
}

/** @throws RoostError CHECKPOINT_DAMAGED; what the disk throws */
export async function readCheckpointContent(disk: Disk, path: string): Promise<CheckpointContent> {
  const reader = await CheckpointReader.open(disk, path)
  try {
    const { volume, point } = reader.header
    const check = new Check(volume, point)
    for await (const item of reader.items()) check.take(item)
    check.finish()
    return { volume, point, blobs: check.blobs }
  } finally {
    reader.close()
  }
}

class Check {
  readonly blobs = new Map<BlobId, number>()
  readonly #volume: VolumeId
  readonly #point: HistoryPoint
  #hasRecord = false
  /** Sizes of containers that are still to come. */
  readonly #containers = new Map<Ino, number>()
  /** Bytes that the container at hand has. */
  #size = 0

  constructor(volume: VolumeId, point: HistoryPoint) {
    this.#volume = volume
    this.#point = point
  }

  take(item: CheckpointItem): void {
    if (item.kind === 'key') this.#takeKey(item.key, item.value)
    if (item.kind === 'container') {
      if (this.#containers.get(item.ino) !== item.size) refuse(`a container of inode ${item.ino}`)
      this.#containers.delete(item.ino)
      this.#size = item.size
    }
    if (item.kind === 'bytes' && item.offset + item.bytes.length > this.#size) {
      refuse('bytes behind the end of a container')
    }
  }

  finish(): void {
    if (!this.#hasRecord) refuse('no record of its volume')
    for (const ino of this.#containers.keys()) refuse(`no container of inode ${ino}`)
  }

  #takeKey(key: string, value: Buffer): void {
    if (!isKeyOfVolume(key, this.#volume)) refuse(`key ${JSON.stringify(key)}`)
    try {
      this.#takeValue(key, value)
    } catch (error) {
      // The decoders take it for a bug when a number has no meaning.
      const isSenseless = error instanceof RoostError || error instanceof InvariantError
      if (!isSenseless) throw error
      const what = `a checkpoint has a senseless value of key ${JSON.stringify(key)}`
      throw new RoostError('CHECKPOINT_DAMAGED', what, { cause: error })
    }
  }

  #takeValue(key: string, value: Buffer): void {
    if (key.startsWith('v')) this.#takeRecord(value)
    if (key.startsWith('i')) this.#takeInode(key, value)
    if (key.startsWith('d')) records.decodeDirent(value)
    if (key.startsWith('o')) records.decodeListed(value)
    if (!key.startsWith('x')) return
    for (const { blob, blobOffset, length } of records.decodeExtents(value)) {
      this.blobs.set(blob, Math.max(this.blobs.get(blob) ?? 0, blobOffset + length))
    }
  }

  #takeRecord(value: Buffer): void {
    const { volume, epoch, index, hash } = records.decodeVolume(value)
    const point = this.#point
    const isAtPoint =
      volume === this.#volume &&
      epoch === point.epoch &&
      index === point.index &&
      hash.toString('hex') === point.hash
    if (!isAtPoint) refuse('a record of another point of history')
    this.#hasRecord = true
  }

  #takeInode(key: string, value: Buffer): void {
    const inode = records.decodeInode(value)
    if (key !== keys.inodeKey(inode.ino)) refuse(`inode ${inode.ino} under another number`)
    if (!isRegular(inode) || inode.fileClass === 'blob' || inode.size === 0) return
    this.#containers.set(inode.ino, inode.size)
  }
}

function refuse(what: string): never {
  throw new RoostError('CHECKPOINT_DAMAGED', `a checkpoint has ${what}`)
}
