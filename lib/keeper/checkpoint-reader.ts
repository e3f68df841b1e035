/** Reads a checkpoint's file from front to back, with little of it in memory. */

import { createHash, type Hash } from 'node:crypto'
import { RoostError } from '../errors.ts'
import { HASH_SIZE } from '../feed/entry.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import {
  CHECKPOINT_HEADER_SIZE,
  decodeCheckpointHeader,
  decodeCheckpointItem,
  ITEM_LENGTH_SIZE,
  ITEM_SIZE_MAX,
  type CheckpointHeader,
  type CheckpointItem
} from './checkpoint-codec.ts'

const READ_SIZE = 256 * 1024

export class CheckpointReader {
  readonly header: CheckpointHeader
  readonly #bytes: FileBytes

  private constructor(header: CheckpointHeader, bytes: FileBytes) {
    this.header = header
    this.#bytes = bytes
  }

  /**
   * Opens a checkpoint, which has to be closed.
   *
   * @throws RoostError CHECKPOINT_DAMAGED, also where there is none; what the disk throws
   */
  static async open(disk: Disk, path: string): Promise<CheckpointReader> {
    if (!disk.exists(path)) throw new RoostError('CHECKPOINT_DAMAGED', `${path} is not there`)
    const bytes = new FileBytes(disk.openRead(path))
    try {
      const header = decodeCheckpointHeader(await bytes.take(CHECKPOINT_HEADER_SIZE))
      return new CheckpointReader(header, bytes)
    } catch (error) {
      bytes.close()
      throw error
    }
  }

  /**
   * Yields the items in order, once; what they hold is theirs for good.
   *
   * Only when it comes to its end without a throw are the items known to be what was written.
   *
   * @throws RoostError CHECKPOINT_DAMAGED
   */
  async *items(): AsyncGenerator<CheckpointItem> {
    for (;;) {
      const length = (await this.#bytes.take(ITEM_LENGTH_SIZE)).readUInt32LE()
      if (length === 0) break
      if (length > ITEM_SIZE_MAX) {
        throw new RoostError('CHECKPOINT_DAMAGED', `a checkpoint has an item of ${length} bytes`)
      }
      yield decodeCheckpointItem(Buffer.from(await this.#bytes.take(length)))
    }
    await this.#bytes.mustEnd()
  }

  close(): void {
    this.#bytes.close()
  }
}

class FileBytes {
  readonly #file: DiskFile
  readonly #hash: Hash = createHash('sha256')
  /** Read and not taken; what follows it begins at `#position` of the file. */
  #window = Buffer.alloc(0)
  #position = 0

  constructor(file: DiskFile) {
    this.#file = file
  }

  /** The next `count` bytes, valid until the next call. @throws RoostError CHECKPOINT_DAMAGED */
  async take(count: number): Promise<Buffer> {
    const taken = await this.#next(count)
    this.#hash.update(taken)
    return taken
  }

  /** @throws RoostError CHECKPOINT_DAMAGED unless the digest of all taken follows, and no more */
  async mustEnd(): Promise<void> {
    const digest = this.#hash.digest()
    const found = await this.#next(HASH_SIZE)
    const isLast = this.#window.length === 0 && this.#file.size() === this.#position
    if (digest.equals(found) && isLast) return
    throw new RoostError('CHECKPOINT_DAMAGED', 'a checkpoint has another checksum')
  }

  close(): void {
    this.#file.close()
  }

  async #next(count: number): Promise<Buffer> {
    if (this.#window.length < count) await this.#fill(count)
    const taken = this.#window.subarray(0, count)
    if (taken.length < count)
      throw new RoostError('CHECKPOINT_DAMAGED', 'a checkpoint is cut short')
    this.#window = this.#window.subarray(count)
    return taken
  }

  async #fill(count: number): Promise<void> {
    // A length that is damage is not believed beyond the file's end.
    const left = this.#file.size() - this.#position
    const wanted = Math.min(Math.max(count - this.#window.length, READ_SIZE), left)
    const more = Buffer.allocUnsafe(wanted)
    const read = await this.#file.readAsync(more, this.#position)
    this.#position += read
    this.#window = Buffer.concat([this.#window, more.subarray(0, read)])
  }
}
