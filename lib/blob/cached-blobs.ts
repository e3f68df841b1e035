/**
 * Reads blobs that the page cache has, without a wait for the device or for another thread.
 *
 * Only what has been checked since the start is handed out. Small blobs are checked here. Of all
 * that is not certain `read` says no, and whoever asks goes the long way, which also finds out
 * what is wrong with a blob.
 */

import type { BlobId } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import { sha256Hex } from '../util/hash.ts'
import { LruMap } from '../util/lru-map.ts'
import { blobPathOf } from './blob-store.ts'

/** The largest blob that is checked here: a quarter of a millisecond at most. */
const CHECK_SIZE_MAX = 128 * 1024
/** Blobs remembered as checked; some 100 bytes each. */
const VERIFIED_MAX = 100_000
/** Open at a time: whoever reads a large blob comes back for more of it. */
const OPEN_MAX = 32

export class CachedBlobs {
  readonly #disk: Disk
  readonly #verified = new LruMap<BlobId, true>(VERIFIED_MAX, () => 1)
  readonly #open = new LruMap<BlobId, DiskFile>(OPEN_MAX, () => 1)
  /** Read since the last look at what is idle. */
  readonly #used = new Set<BlobId>()
  /** One byte more than is checked, to see that a blob is larger. */
  #whole: Buffer | undefined

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Whether a blob, at least `size` long, is read only when it was checked elsewhere. */
  wantsCheck(blob: BlobId, size: number): boolean {
    return size > CHECK_SIZE_MAX && this.#verified.get(blob) === undefined
  }

  /** The blob was checked elsewhere. */
  noteVerified(blob: BlobId): void {
    this.#verified.set(blob, true)
  }

  /** Fills `target` from `position` on, a part of the blob. @returns whether that was possible */
  read(blob: BlobId, position: number, target: Uint8Array): boolean {
    const file = this.#fileOf(blob)
    if (file === undefined) return false
    if (this.#verified.get(blob) !== undefined) {
      return file.readCached(target, position) === target.length
    }
    return this.#readChecking(blob, file, position, target)
  }

  /** Called about once a second: closes what was not read since, which also frees its space. */
  closeIdle(): void {
    if (this.#open.size === 0) return
    for (const [blob, file] of this.#open.clear()) {
      if (this.#used.has(blob)) this.#open.set(blob, file)
      else file.close()
    }
    this.#used.clear()
  }

  close(): void {
    for (const [, file] of this.#open.clear()) file.close()
  }

  #readChecking(blob: BlobId, file: DiskFile, position: number, target: Uint8Array): boolean {
    const whole = (this.#whole ??= Buffer.allocUnsafeSlow(CHECK_SIZE_MAX + 1))
    const length = file.readCached(whole, 0)
    const bytes = whole.subarray(0, length)
    const end = position + target.length
    if (length > CHECK_SIZE_MAX || end > length || sha256Hex(bytes) !== blob) return false
    this.#verified.set(blob, true)
    target.set(bytes.subarray(position, end))
    return true
  }

  #fileOf(blob: BlobId): DiskFile | undefined {
    this.#used.add(blob)
    const known = this.#open.get(blob)
    if (known !== undefined) return known
    const file = this.#disk.openCached(blobPathOf(blob))
    if (file === undefined) return undefined
    for (const [, gone] of this.#open.set(blob, file)) gone.close()
    return file
  }
}
