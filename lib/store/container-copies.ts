/**
 * What all containers held at one moment, for a reader that takes its time.
 *
 * A container that is about to change is copied first, once; the others are read where they are.
 * The copies lie with the staged files, which the next start clears away.
 */

import { RoostError } from '../errors.ts'
import type { Ino } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'

/** Where copies lie, and what their names begin with. */
const COPY_DIRECTORY = 'staged'
export const COPY_PREFIX = 'view-'
const COPY_BYTES = 1024 * 1024

export class ContainerCopies {
  readonly #disk: Disk
  readonly #number: number
  readonly #pathOf: (ino: Ino) => string
  readonly #onClose: () => void
  /** Containers that have changed since, and whether there was one at all. */
  readonly #kept = new Map<Ino, boolean>()
  #failure: Error | undefined

  constructor(disk: Disk, number: number, pathOf: (ino: Ino) => string, onClose: () => void) {
    this.#disk = disk
    this.#number = number
    this.#pathOf = pathOf
    this.#onClose = onClose
  }

  /** The container is about to change. A full disk ends the copies, not the change. */
  keep(ino: Ino): void {
    if (this.#kept.has(ino) || this.#failure !== undefined) return
    const isThere = this.#disk.exists(this.#pathOf(ino))
    this.#kept.set(ino, isThere)
    if (!isThere) return
    try {
      this.#copy(ino)
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
    }
  }

  /** @returns undefined where there was none. @throws RoostError CONTAINER_DAMAGED */
  size(ino: Ino): number | undefined {
    return this.#onFile(ino, file => file.size())
  }

  /** At most `length` bytes; what the container did not reach is not in the result. */
  read(ino: Ino, offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length)
    return bytes.subarray(0, this.#onFile(ino, file => file.read(bytes, offset)) ?? 0)
  }

  close(): void {
    this.#onClose()
    for (const [ino, isThere] of this.#kept) {
      if (isThere && this.#disk.exists(this.#copyOf(ino))) this.#disk.remove(this.#copyOf(ino))
    }
    this.#kept.clear()
  }

  #onFile<T>(ino: Ino, task: (file: DiskFile) => T): T | undefined {
    if (this.#failure !== undefined) {
      const what = 'what a container held could not be kept'
      throw new RoostError('CONTAINER_DAMAGED', what, { cause: this.#failure })
    }
    const kept = this.#kept.get(ino)
    const path = kept === undefined ? this.#pathOf(ino) : this.#copyOf(ino)
    if (kept === false || !this.#disk.exists(path)) return undefined
    const file = this.#disk.openRead(path)
    try {
      return task(file)
    } finally {
      file.close()
    }
  }

  #copy(ino: Ino): void {
    const [from, to] = [
      this.#disk.openRead(this.#pathOf(ino)),
      this.#disk.open(this.#copyOf(ino), 'create')
    ]
    try {
      const bytes = Buffer.allocUnsafe(COPY_BYTES)
      for (let at = 0, count = 0; (count = from.read(bytes, at)) > 0; at += count) {
        to.write(bytes.subarray(0, count), at)
      }
    } finally {
      from.close()
      to.close()
    }
  }

  #copyOf(ino: Ino): string {
    return `${COPY_DIRECTORY}/${COPY_PREFIX}${this.#number}-${ino.toString(16)}`
  }
}
