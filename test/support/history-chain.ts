import { encodeEntry } from '../../lib/feed/entry-codec.ts'
import { NO_HASH, type Change, type Entry, type LoggedEntry } from '../../lib/feed/entry.ts'
import type { BlobId, Epoch, Index, Ino, VolumeId } from '../../lib/ids.ts'
import { ByteWriter } from '../../lib/util/bytes.ts'
import { sha256, sha256Hex } from '../../lib/util/hash.ts'
import { replicatedEntry, type ReplicatedEntry } from '../../lib/volume/replicated-entry.ts'

/** A change with what rides with it. */
export interface ChainedChange {
  readonly change: Change
  readonly bodies?: readonly Buffer[]
}

/** Makes entries of one volume that follow each other. */
export class HistoryChain {
  readonly #volume: VolumeId
  readonly #out = new ByteWriter()
  #hash: Buffer
  #index: number

  constructor(volume: VolumeId, index = 0, hash = NO_HASH) {
    this.#volume = volume
    this.#index = index
    this.#hash = hash
  }

  next({ change, bodies = [] }: ChainedChange, epoch: Epoch): ReplicatedEntry {
    const entry: Entry = {
      volume: this.#volume,
      epoch,
      index: ++this.#index as Index,
      previous: this.#hash,
      time: BigInt(this.#index),
      change
    }
    this.#out.reset()
    encodeEntry(this.#out, entry)
    const logged: LoggedEntry = { entry, hash: sha256(this.#out.view()), bodies }
    this.#hash = logged.hash
    return replicatedEntry(logged)
  }
}

/** The seal of a body that is made of `riding`, which come with it, and of `others`. */
export function sealOf(ino: Ino, riding: readonly Buffer[], others: readonly BlobId[] = []) {
  const extents = [
    ...riding.map(bytes => ({ blob: sha256Hex(bytes) as BlobId, length: bytes.length })),
    ...others.map(blob => ({ blob, length: 1 }))
  ].map(({ blob, length }, i) => ({ offset: i * 1024 * 1024, length, blob, blobOffset: 0 }))
  const change = {
    kind: 'seal' as const,
    ino,
    size: extents.length * 1024 * 1024,
    mtime: 5n,
    extents,
    riding: riding.map((_, i) => i)
  }
  return { change, bodies: riding }
}
