/**
 * Makes history of what was written into bodies.
 *
 * A body is outside history while it is being written. Sealing names its new bytes by hash: few
 * enough ride along in the log, more are first made durable as blob files, for which the op that
 * wanted the seal waits. An op that gives the file a name, syncs it or closes it for the last
 * time seals it first.
 */

import { ERRNO, FsError, RoostError } from '../errors.ts'
import type { Extent } from '../feed/entry.ts'
import { volumeOf, type BlobId, type VolumeId } from '../ids.ts'
import { sha256Hex } from '../util/hash.ts'
import type { Source } from './body.ts'
import type { Node } from './node.ts'
import type { VfsParts } from './parts.ts'
import type { Loaded } from './ports.ts'
import { Wait } from './wait.ts'

/** Bytes that ride in the log; more are cheaper to write where they belong. */
export const RIDING_BYTES_MAX = 64 * 1024
/** Bytes on their way into blob files before writers have to wait. */
const STAGING_BYTES_MAX = 32 * 1024 * 1024

/** Pieces of a body before they are sealed unasked: an entry that names twice as many is small. */
const FRAGMENTS_MAX = 2048

interface Staging {
  readonly source: Source
  readonly node: Node
}

export class Sealer {
  readonly #parts: VfsParts
  /** Nodes whose bodies history does not know whole, in the order of their first write. */
  readonly #dirty = new Set<Node>()
  readonly #staging = new Map<string, Staging>()
  /** Blobs that were staged for a node and are not sealed in the store yet. */
  readonly #claims = new Map<Node, BlobId[]>()
  #stagingBytes = 0
  #stagings = 0
  #unstagings = 0
  /** What was not sealed at the last call of `sealIdle`. */
  #idle: Node[] = []
  /** What had no handle and was not sealed at the last call of `sealClosed`. */
  #closed: Node[] = []

  constructor(parts: VfsParts) {
    this.#parts = parts
  }

  get dirtyCount(): number {
    return this.#dirty.size
  }

  get stagingBytes(): number {
    return this.#stagingBytes
  }

  noteWritten(node: Node): void {
    this.#dirty.add(node)
  }

  /** Forgets what was written, because nothing can read it any more. */
  discard(node: Node): void {
    this.#dirty.delete(node)
    this.#parts.unsealed?.settled(node.attr.ino)
    this.#releaseClaims(node)
  }

  /**
   * Sees to it that the node may be written to.
   *
   * @throws Wait when too much is under way; FsError EIO, ENOSPC what was written cannot be kept
   */
  makeRoom(node: Node): void {
    if ((node.body?.fragments ?? 0) >= FRAGMENTS_MAX) this.seal(node)
    if (this.#parts.unsealed?.isFull === true) for (const dirty of this.#dirty) this.trySeal(dirty)
    if (this.#stagingBytes < STAGING_BYTES_MAX) return
    const [key] = this.#staging.keys()
    if (key !== undefined) throw new Wait(key)
  }

  /** Starts making full sources durable while their file is still being written. */
  stage(node: Node, sources: readonly Source[]): void {
    for (const source of sources) if (source.state === 'open') this.#stage(node, source)
  }

  /**
   * Makes an entry of what was written into the body since the last one, if anything was.
   *
   * @throws Wait bytes are on their way to the disk; FsError EIO, ENOSPC they could not be kept
   */
  seal(node: Node): void {
    const { body } = node
    if (body?.dirty !== true || node.gone) {
      this.discard(node)
      return
    }
    if (node.sealErrno !== 0) {
      const errno = node.sealErrno
      node.sealErrno = 0
      throw new FsError(errno === ERRNO.ENOSPC ? 'ENOSPC' : 'EIO')
    }
    this.#stageUnlessRiding(node)
    this.#record(node)
    this.discard(node)
  }

  /** As `seal`; what could not be kept stays written but not sealed. @throws Wait */
  trySeal(node: Node): void {
    try {
      this.seal(node)
    } catch (error) {
      if (!(error instanceof FsError)) throw error
    }
  }

  /** Seals what has been waiting since the call before the last, where that needs no op. */
  sealIdle(): void {
    const idle = this.#idle.filter(node => this.#dirty.has(node))
    this.#idle = [...this.#dirty]
    this.#sealAll(idle)
  }

  /** Seals everything, as far as that needs no waiting; what does is on its way then. */
  sealEverything(): void {
    this.#sealAll([...this.#dirty])
  }

  /** As `sealIdle`, for what has no open handle that would be closed one day. */
  sealClosed(): void {
    const idle = this.#closed.filter(node => this.#dirty.has(node))
    this.#closed = [...this.#dirty].filter(node => node.handles === 0)
    this.#sealAll(idle)
  }

  /** Seals what was written in a volume, as far as that needs no waiting. */
  sealVolume(volume: VolumeId): void {
    for (const node of this.#dirty) {
      if (volumeOf(node.attr.ino) === volume && this.#canRide(node)) this.seal(node)
    }
  }

  /**
   * Seals all of a volume, before it is given away.
   *
   * @returns whether nothing is left; else it is on its way, or cannot be kept
   */
  sealWhole(volume: VolumeId): boolean {
    const isOf = ({ attr }: Node): boolean => volumeOf(attr.ino) === volume
    this.#sealAll([...this.#dirty].filter(isOf))
    return ![...this.#dirty].some(isOf)
  }

  /** What was written in a volume and not sealed is lost with the lease. */
  discardVolume(volume: VolumeId): void {
    for (const node of [...this.#dirty]) {
      if (volumeOf(node.attr.ino) !== volume) continue
      node.body = undefined
      this.discard(node)
      this.#parts.tree.outdate(node.attr.ino)
    }
  }

  /** Whether anything in the volume was written and not sealed. */
  isDirty(volume: VolumeId): boolean {
    for (const { attr } of this.#dirty) if (volumeOf(attr.ino) === volume) return true
    return false
  }

  /** A staged source became a blob, or could not. */
  staged(answer: Loaded): void {
    const staging = this.#staging.get(answer.key)
    if (staging === undefined) return
    const { source, node } = staging
    this.#staging.delete(answer.key)
    this.#stagingBytes -= source.used
    if (answer.kind === 'stage') {
      source.becomeStored(answer.blob)
      this.#claims.set(node, [...(this.#claims.get(node) ?? []), answer.blob])
      // If nobody needs it any more, the next look at idle nodes finds that out.
      if (node.body === undefined) this.discard(node)
      else this.#dirty.add(node)
    } else if (answer.kind === 'failed') {
      source.state = 'open'
      node.sealErrno = answer.errno
    }
  }

  #sealAll(nodes: readonly Node[]): void {
    for (const node of nodes) {
      try {
        this.trySeal(node)
      } catch (error) {
        // A log that failed refuses every op; here there is nobody to be told.
        if (!(error instanceof Wait || error instanceof RoostError)) throw error
      }
    }
  }

  #canRide(node: Node): boolean {
    let bytes = 0
    for (const piece of node.body?.dirtyPieces() ?? []) {
      if (piece.source.state === 'staging') return false
      if (piece.source.state === 'open') bytes += piece.length
    }
    return bytes <= RIDING_BYTES_MAX && node.sealErrno === 0
  }

  #stageUnlessRiding(node: Node): void {
    if (this.#canRide(node)) return
    const sources = new Set(node.body?.dirtyPieces().map(piece => piece.source))
    for (const source of sources) if (source.state === 'open') this.#stage(node, source)
    for (const [key, staging] of this.#staging) if (sources.has(staging.source)) throw new Wait(key)
  }

  #stage(node: Node, source: Source): void {
    const key = `stage:${++this.#stagings}`
    source.state = 'staging'
    this.#staging.set(key, { source, node })
    this.#stagingBytes += source.used
    const { ino } = node.attr
    this.#parts.loader.load({ kind: 'stage', key, ino, bytes: source.bytes })
  }

  /** What was staged for the node is sealed by now, or nothing shows it any more. */
  #releaseClaims(node: Node): void {
    const blobs = this.#claims.get(node)
    if (blobs === undefined) return
    this.#claims.delete(node)
    this.#parts.tree.releaseWhenApplied(() => {
      for (const blob of blobs) {
        const key = `unstage:${++this.#unstagings}`
        this.#parts.loader.load({ kind: 'unstage', key, blob })
      }
    })
  }

  #record(node: Node): void {
    const { ino, size, mtime } = node.attr
    const extents: Extent[] = []
    const riding: number[] = []
    const bodies: Buffer[] = []
    for (const piece of node.body?.dirtyPieces() ?? []) {
      const { offset, length, source, sourceOffset } = piece
      if (source.blob !== undefined) {
        extents.push({ offset, length, blob: source.blob, blobOffset: sourceOffset })
        continue
      }
      const bytes = source.bytes.subarray(sourceOffset, sourceOffset + length)
      riding.push(extents.length)
      bodies.push(bytes)
      extents.push({ offset, length, blob: sha256Hex(bytes) as BlobId, blobOffset: 0 })
    }
    const change = { kind: 'seal', ino, size, mtime, extents, riding } as const
    this.#parts.recorder.record([{ volume: volumeOf(ino), change, bodies }])
  }
}
