/**
 * Answers from the store, the containers and the blob files what the serving side asks for.
 *
 * Most answers are given at once. Those that may have to wait for the device, bodies and
 * listings, come later, and the serving side goes on with other things meanwhile.
 */

import { ERRNO, errnoOf, RoostError } from '../errors.ts'
import type { BlobId, Index, Ino } from '../ids.ts'
import type { LoadBarrier } from '../fuse/thread-messages.ts'
import type { Logger } from '../io/logger.ts'
import type { Keeper } from '../keeper/keeper.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import type { Inode } from '../tree/inode.ts'
import { emptyVolume } from '../tree/volume-record.ts'
import { sha256Hex } from '../util/hash.ts'
import { joinBytes } from '../util/join-bytes.ts'
import { BLOCK_SIZE } from '../vfs/content.ts'
import type { Load, Loaded, StoredName } from '../vfs/ports.ts'

/** Names in one part of a listing. */
const LISTING_PART = 1000

export class LoadAnswerer {
  readonly #keeper: Keeper
  readonly #answer: (answer: Loaded) => void
  readonly #logger: Logger

  constructor(keeper: Keeper, logger: Logger, answer: (answer: Loaded) => void) {
    this.#keeper = keeper
    this.#logger = logger
    this.#answer = answer
  }

  /**
   * Answers once, or several times for a listing.
   *
   * @param barrier how new the answer has to be
   */
  async answer(load: Load, barrier?: LoadBarrier): Promise<void> {
    try {
      const { reopening } = this.#keeper
      if (reopening !== undefined) await reopening.catch(() => undefined)
      if (barrier !== undefined) await this.#pass(barrier)
      if (load.kind === 'listing') await this.#answerListing(load.key, load.ino)
      else if (load.kind === 'blob') await this.#answerBlob(load.key, load.blob)
      else if (load.kind === 'check') await this.#check(load.key, load.blob)
      else if (load.kind === 'stage') await this.#stage(load.key, load.ino, load.bytes)
      else if (load.kind === 'unstage') this.#unstage(load.key, load.blob)
      else this.#answer(this.#answerNow(load))
    } catch (error) {
      this.#answer({ kind: 'failed', key: load.key, errno: this.#errnoFor(load, error) })
    }
  }

  async #pass({ volume, through }: LoadBarrier): Promise<void> {
    if (this.#keeper.appliedIndexOf(volume) >= through) return
    await this.#keeper.applyThrough(volume, through)
  }

  #answerNow(
    load: Exclude<Load, { kind: 'listing' | 'blob' | 'check' | 'stage' | 'unstage' }>
  ): Loaded {
    const { store, containers } = this.#keeper
    const { key } = load
    switch (load.kind) {
      case 'volume': {
        const stored = store.get(keys.volumeKey(load.volume))
        const record =
          stored === undefined ? emptyVolume(load.volume) : records.decodeVolume(stored)
        return { kind: 'volume', key, record }
      }
      case 'inode': {
        const inode = this.#inode(load.ino)
        if (inode === undefined) return { kind: 'failed', key, errno: ERRNO.ESTALE }
        return { kind: 'inode', key, inode }
      }
      case 'name':
        return { ...load, found: this.#name(load.parent, load.name) }
      case 'inodes': {
        const found = load.inos.map(ino => store.get(keys.inodeKey(ino)))
        return { kind: 'inodes', key, records: withLengths(found) }
      }
      case 'extents': {
        const stored = store.get(keys.extentsKey(load.ino, load.window))
        return { ...load, extents: stored === undefined ? [] : records.decodeExtents(stored) }
      }
      case 'content':
        return { ...load, bytes: containers.read(load.ino, load.block * BLOCK_SIZE, BLOCK_SIZE) }
    }
  }

  #inode(ino: Ino): Inode | undefined {
    const stored = this.#keeper.store.get(keys.inodeKey(ino))
    return stored === undefined ? undefined : records.decodeInode(stored)
  }

  #name(parent: Ino, name: string): StoredName | undefined {
    const stored = this.#keeper.store.get(keys.direntKey(parent, name))
    if (stored === undefined) return undefined
    const dirent = records.decodeDirent(stored)
    return { dirent, inode: this.#inode(dirent.ino) }
  }

  async #answerListing(key: string, ino: Ino): Promise<void> {
    let cookie = 0 as Index
    for (;;) {
      const [from, to] = keys.listingRange(ino, cookie)
      const part = await this.#keeper.store.range(from, to, LISTING_PART)
      const found = joinBytes(part.map(([, value]) => value))
      const end = part.at(-1)
      if (end !== undefined) cookie = records.decodeListed(end[1]).cookie
      const last = part.length < LISTING_PART
      this.#answer({ kind: 'listing', key, ino, records: found, last })
      if (last) return
    }
  }

  async #answerBlob(key: string, blob: BlobId): Promise<void> {
    this.#answer({ kind: 'blob', key, blob, bytes: await this.#keeper.blobs.read(blob) })
  }

  async #check(key: string, blob: BlobId): Promise<void> {
    await this.#keeper.blobs.check(blob)
    this.#answer({ kind: 'check', key, blob })
  }

  async #stage(key: string, ino: Ino, bytes: Uint8Array): Promise<void> {
    const blob = sha256Hex(bytes) as BlobId
    await this.#keeper.blobs.stage(blob, bytes)
    this.#answer({ kind: 'stage', key, ino, blob })
  }

  #unstage(key: string, blob: BlobId): void {
    this.#keeper.blobs.unstage(blob)
    this.#answer({ kind: 'unstage', key })
  }

  #errnoFor(load: Load, error: unknown): number {
    this.#logger.warn(`${load.kind} ${load.key}: ${String(error)}`)
    if (error instanceof RoostError) return errnoOf(error.code)
    const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC'
    return isFull ? ERRNO.ENOSPC : ERRNO.EIO
  }
}

function withLengths(values: readonly (Buffer | undefined)[]): Uint8Array {
  return joinBytes(
    values.flatMap(value => {
      if (value === undefined) return []
      const length = Buffer.alloc(4)
      length.writeUInt32LE(value.length)
      return [length, value]
    })
  )
}
