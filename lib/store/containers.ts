/**
 * Container files: the bytes of files whose writes are kept in history, one file an inode.
 *
 * A container is written only with what is durable in the log, so it never holds bytes that
 * history lacks; it is synced before the log goes. Between two checkpoints a power cut may take
 * any of its bytes, and a replay of the log puts them back.
 */

import type { Ino } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import { LruMap } from '../util/lru-map.ts'
import { ContainerCopies } from './container-copies.ts'

export const CONTAINERS_DIRECTORY = 'containers'
/** Containers kept open: the index files of as many mailboxes in use, three each. */
const OPEN_MAX = 192

export class Containers {
  readonly #disk: Disk
  readonly #open = new LruMap<Ino, DiskFile>(OPEN_MAX, () => 1)

  readonly #copies = new Set<ContainerCopies>()
  #lastCopies = 0

  constructor(disk: Disk) {
    this.#disk = disk
  }

  prepare(): void {
    for (let i = 0; i < 256; i++) {
      this.#disk.makeDirectory(`${CONTAINERS_DIRECTORY}/${i.toString(16).padStart(2, '0')}`)
    }
  }

  /** Keeps what the containers hold now, whatever is written to them from here on. */
  freeze(): ContainerCopies {
    const frozen = new ContainerCopies(this.#disk, ++this.#lastCopies, containerPathOf, () => {
      this.#copies.delete(frozen)
    })
    this.#copies.add(frozen)
    return frozen
  }

  write(ino: Ino, offset: number, bytes: Uint8Array): void {
    this.#aboutToChange(ino)
    this.#fileOf(ino).write(bytes, offset)
  }

  /** Makes the container as long as that, so that one that is lost is missed. */
  truncate(ino: Ino, size: number): void {
    if (size === 0 && !this.#disk.exists(containerPathOf(ino))) return
    this.#aboutToChange(ino)
    this.#fileOf(ino).truncate(size)
  }

  /** Reads at most `length` bytes; what the container does not reach is not in the result. */
  read(ino: Ino, offset: number, length: number): Buffer {
    if (!this.#disk.exists(containerPathOf(ino))) return Buffer.alloc(0)
    const bytes = Buffer.allocUnsafeSlow(length)
    return bytes.subarray(0, this.#fileOf(ino).read(bytes, offset))
  }

  remove(ino: Ino): void {
    this.#aboutToChange(ino)
    this.#open.delete(ino)?.close()
    if (this.#disk.exists(containerPathOf(ino))) this.#disk.remove(containerPathOf(ino))
  }

  close(): void {
    for (const [, file] of this.#open.clear()) file.close()
  }

  #aboutToChange(ino: Ino): void {
    for (const copies of this.#copies) copies.keep(ino)
  }

  #fileOf(ino: Ino): DiskFile {
    const open = this.#open.get(ino)
    if (open !== undefined) return open
    const file = this.#disk.open(containerPathOf(ino), 'create')
    for (const [, old] of this.#open.set(ino, file)) old.close()
    return file
  }
}

/** Where the container of an inode is, relative to the data directory. */
export function containerPathOf(ino: Ino): string {
  const directory = (ino % 256).toString(16).padStart(2, '0')
  return `${CONTAINERS_DIRECTORY}/${directory}/${ino.toString(16)}`
}
