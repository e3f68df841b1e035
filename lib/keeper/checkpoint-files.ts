/**
 * Files of checkpoints that came from peers, in `checkpoints/`: one a volume and point, there until
 * it is installed and the log no longer says to do so.
 */

import { RoostError } from '../errors.ts'
import type { Index, VolumeId } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import { readCheckpointContent, type CheckpointContent } from './checkpoint-content.ts'

export const CHECKPOINTS_DIRECTORY = 'checkpoints'
const SUFFIX = '.ckpt'
const PART_SUFFIX = '.part'

/** Where the checkpoint of a volume at an index is, relative to the data directory. */
export function checkpointPathOf(volume: VolumeId, index: Index): string {
  return `${CHECKPOINTS_DIRECTORY}/${volume}-${index}${SUFFIX}`
}

export interface CheckpointName {
  readonly volume: VolumeId
  readonly index: Index
}

/** Checkpoints that are here whole. */
export function checkpointsOn(disk: Disk): CheckpointName[] {
  if (!disk.exists(CHECKPOINTS_DIRECTORY)) return []
  return disk.list(CHECKPOINTS_DIRECTORY).flatMap(name => {
    const [, volume, index] = /^(\d+)-(\d+)\.ckpt$/.exec(name) ?? []
    if (volume === undefined || index === undefined) return []
    return [{ volume: Number(volume) as VolumeId, index: Number(index) as Index }]
  })
}

export function removeCheckpoint(disk: Disk, volume: VolumeId, index: Index): void {
  const path = checkpointPathOf(volume, index)
  if (disk.exists(path)) disk.remove(path)
}

/** Removes what never came to its end, when nothing is being received. */
export function clearPartCheckpoints(disk: Disk): void {
  if (!disk.exists(CHECKPOINTS_DIRECTORY)) return
  for (const name of disk.list(CHECKPOINTS_DIRECTORY)) {
    if (name.endsWith(PART_SUFFIX)) disk.remove(`${CHECKPOINTS_DIRECTORY}/${name}`)
  }
}

/** Takes the bytes of one checkpoint; only one of a volume at a time. */
export class CheckpointReceiver {
  readonly #disk: Disk
  readonly #volume: VolumeId
  readonly #path: string
  readonly #file: DiskFile
  #size = 0
  #isOpen = true

  /** @throws what the disk throws */
  constructor(disk: Disk, volume: VolumeId) {
    this.#disk = disk
    this.#volume = volume
    this.#path = `${CHECKPOINTS_DIRECTORY}/${volume}${PART_SUFFIX}`
    disk.makeDirectory(CHECKPOINTS_DIRECTORY)
    this.#file = disk.open(this.#path, 'create')
    this.#file.truncate(0)
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size
  }

  /** @throws what the disk throws */
  write(chunk: Uint8Array): void {
    this.#file.write(chunk, this.#size)
    this.#size += chunk.length
  }

  /**
   * All bytes have come: makes them durable under the checkpoint's own name.
   *
   * @throws RoostError CHECKPOINT_DAMAGED; what the disk throws; nothing is left then
   */
  async finish(): Promise<CheckpointContent> {
    try {
      await this.#file.sync()
      const content = await readCheckpointContent(this.#disk, this.#path)
      if (content.volume !== this.#volume) {
        throw new RoostError('CHECKPOINT_DAMAGED', `a checkpoint is of volume ${content.volume}`)
      }
      this.#close()
      this.#disk.rename(this.#path, checkpointPathOf(this.#volume, content.point.index))
      await this.#disk.syncDirectory(CHECKPOINTS_DIRECTORY)
      // It may be the first that ever came, and the directory as new as the file.
      await this.#disk.syncDirectory('')
      return content
    } catch (error) {
      this.discard()
      throw error
    }
  }

  /** Gives up. */
  discard(): void {
    this.#close()
    if (this.#disk.exists(this.#path)) this.#disk.remove(this.#path)
  }

  #close(): void {
    if (this.#isOpen) this.#file.close()
    this.#isOpen = false
  }
}
