/**
 * Free space, less what has been promised and is not on the disk yet.
 *
 * A write is answered before its bytes are where they take up space for good, so the space is
 * taken off here first. Some is never promised: it keeps log and store going, so that deleting
 * works on a full disk.
 */

import type { Position } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import type { Space } from '../vfs/ports.ts'

/** Never promised: two log segments, and what the store needs to note deletions. */
export const RESERVE_BYTES = 48 * 1024 * 1024
/** Promises between two looks at the disk. */
const LOOK_BYTES = 8 * 1024 * 1024

interface Promised {
  bytes: number
  /** The log ended here when the last of them was made. */
  position: Position
}

export class DiskSpace implements Space {
  readonly #disk: Disk
  readonly #end: () => Position
  /** Promises that the store has not kept yet, oldest first. */
  #promised: Promised[] = []
  #promisedBytes = 0
  #free: number
  #sinceLook = 0

  /** @param end where the log ends now */
  constructor(disk: Disk, end: () => Position) {
    this.#disk = disk
    this.#end = end
    this.#free = 0
    this.#look()
  }

  reserve(bytes: number): boolean {
    if (this.#sinceLook >= LOOK_BYTES || !this.#fits(bytes)) this.#look()
    if (!this.#fits(bytes)) return false
    this.#sinceLook += bytes
    this.#promisedBytes += bytes
    const last = this.#promised.at(-1)
    const position = this.#end()
    if (last !== undefined && last.bytes < LOOK_BYTES / 8) {
      last.bytes += bytes
      last.position = position
    } else {
      this.#promised.push({ bytes, position })
    }
    return true
  }

  totals(): { freeBytes: number; totalBytes: number } {
    const { freeBytes, totalBytes } = this.#disk.space()
    const free = freeBytes - this.#promisedBytes - RESERVE_BYTES
    return { freeBytes: Math.max(free, 0), totalBytes }
  }

  /** The store has the log through `position`: what was promised before takes up space now. */
  applied(position: Position): void {
    let kept = 0
    for (const { bytes, position: promised } of this.#promised) {
      if (promised >= position) break
      this.#promisedBytes -= bytes
      kept++
    }
    if (kept === 0) return
    this.#promised.splice(0, kept)
    this.#look()
  }

  #fits(bytes: number): boolean {
    return this.#free - this.#promisedBytes - bytes >= RESERVE_BYTES
  }

  #look(): void {
    this.#free = this.#disk.space().freeBytes
    this.#sinceLook = 0
  }
}
