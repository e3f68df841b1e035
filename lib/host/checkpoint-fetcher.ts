/**
 * Fetches checkpoints from peers, with the bodies that they name, until they can be installed.
 */

import { RoostError } from '../errors.ts'
import type { HistoryPoint } from '../council/lease-record.ts'
import type { BlobId, ReplicaId, VolumeId } from '../ids.ts'
import type { CheckpointContent } from '../keeper/checkpoint-content.ts'
import { CheckpointReceiver, removeCheckpoint } from '../keeper/checkpoint-files.ts'
import { encodeCheckpointMessage, type CheckpointMessage } from './checkpoint-message.ts'
import type { CheckpointPort } from './checkpoint-port.ts'

/** Transfers at a time. */
export const TRANSFERS_MAX = 2
/** Bodies of a checkpoint fetched at a time. */
const BODIES_AT_ONCE = 16
/** A peer that sent nothing for so long is not waited for. */
const SILENCE_MS = 30_000

export interface CheckpointProgress {
  /** Of the checkpoint itself. */
  readonly bytes: number
  /** Bodies that are here, and how many it names; 0 of 0 until that is known. */
  readonly blobs: number
  readonly blobsAll: number
}

export interface FetchOptions {
  /** Who else may have bodies that `from` can no longer give. */
  readonly others?: readonly ReplicaId[]
  readonly onProgress?: (progress: CheckpointProgress) => void
}

/** A checkpoint that is durable here, as are its bodies. */
export interface FetchedCheckpoint {
  readonly volume: VolumeId
  readonly point: HistoryPoint
  /** Gives the claims on its bodies back: once it is installed, or is not going to be. */
  release(): void
}

interface Transfer {
  readonly from: ReplicaId
  readonly number: number
  readonly receiver: CheckpointReceiver
  readonly options: FetchOptions
  cancelTimer: () => void
  /** All bytes have come, or in words why they do not. */
  readonly settle: (failure?: unknown) => void
}

export class CheckpointFetcher {
  readonly #port: CheckpointPort
  readonly #volumes = new Set<VolumeId>()
  readonly #transfers = new Map<number, Transfer>()
  #last = 0
  #active = 0
  #queue: (() => void)[] = []
  #isClosed = false

  constructor(port: CheckpointPort) {
    this.#port = port
  }

  /**
   * Fetches a checkpoint of a volume that goes to `point` at least.
   *
   * @throws RoostError CHECKPOINT_FAILED with the reason as its cause or in words; nothing is left
   *   then
   */
  async fetch(
    from: ReplicaId,
    volume: VolumeId,
    point: HistoryPoint,
    options: FetchOptions
  ): Promise<FetchedCheckpoint> {
    if (this.#volumes.has(volume)) throw failed(volume, 'one is being fetched already')
    this.#volumes.add(volume)
    try {
      await this.#enter()
      try {
        return await this.#fetch(from, volume, point, options)
      } finally {
        this.#leave()
      }
    } catch (error) {
      throw failed(volume, error)
    } finally {
      this.#volumes.delete(volume)
    }
  }

  /** A peer sent something of a transfer; what belongs to none is nothing. */
  hear(from: ReplicaId, message: CheckpointMessage): void {
    const transfer = this.#transfers.get(message.number)
    if (transfer?.from !== from) return
    this.#watch(transfer)
    if (message.kind === 'chunk') this.#take(transfer, message.bytes)
    if (message.kind === 'end') transfer.settle()
    if (message.kind === 'none') transfer.settle(`replica ${from} sends none: ${message.why}`)
  }

  peerDown(peer: ReplicaId): void {
    for (const transfer of this.#transfers.values()) {
      if (transfer.from === peer) transfer.settle(`replica ${peer} is not connected`)
    }
  }

  close(): void {
    this.#isClosed = true
    for (const transfer of this.#transfers.values()) transfer.settle('this replica stops')
    for (const go of this.#queue) go()
    this.#queue = []
  }

  async #fetch(
    from: ReplicaId,
    volume: VolumeId,
    point: HistoryPoint,
    options: FetchOptions
  ): Promise<FetchedCheckpoint> {
    if (this.#isClosed) throw failed(volume, 'this replica stops')
    const number = ++this.#last
    try {
      const receiver = new CheckpointReceiver(this.#port.disk, volume)
      await this.#receive(from, number, volume, point, receiver, options)
      const content = await receiver.finish()
      this.#mustCover(content, point)
      return await this.#withBodies(from, number, content, receiver.size, options)
    } finally {
      this.#say(from, { kind: 'done', number })
    }
  }

  /** Resolves when all chunks are in the receiver's file. */
  async #receive(
    from: ReplicaId,
    number: number,
    volume: VolumeId,
    { index }: HistoryPoint,
    receiver: CheckpointReceiver,
    options: FetchOptions
  ): Promise<void> {
    const failure = await new Promise<unknown>(resolve => {
      const [settle, cancelTimer] = [resolve, (): void => undefined]
      const transfer = { from, number, receiver, options, cancelTimer, settle }
      this.#transfers.set(number, transfer)
      this.#watch(transfer)
      this.#say(from, { kind: 'want', number, volume, index }, () => {
        settle(`replica ${from} is not connected`)
      })
    })
    this.#transfers.get(number)?.cancelTimer()
    this.#transfers.delete(number)
    if (failure === undefined) return
    receiver.discard()
    throw failed(volume, failure)
  }

  #take({ from, number, receiver, options, settle }: Transfer, bytes: Buffer): void {
    try {
      receiver.write(bytes)
    } catch (error) {
      settle(error)
      return
    }
    this.#say(from, { kind: 'taken', number, size: receiver.size })
    options.onProgress?.({ bytes: receiver.size, blobs: 0, blobsAll: 0 })
  }

  async #withBodies(
    from: ReplicaId,
    number: number,
    { volume, point, blobs }: CheckpointContent,
    bytes: number,
    { others = [], onProgress }: FetchOptions
  ): Promise<FetchedCheckpoint> {
    const claimed: BlobId[] = []
    const release = (): void => {
      for (const blob of claimed.splice(0)) this.#port.blobs.unstage(blob)
    }
    const waiting = blobs.keys()
    const work = async (): Promise<void> => {
      // All workers take from one iterator, so each blob is fetched once.
      for (const blob of waiting) {
        await this.#port.bodies.fetchBlob([from, ...others], blob)
        claimed.push(blob)
        this.#say(from, { kind: 'taken', number, size: bytes })
        onProgress?.({ bytes, blobs: claimed.length, blobsAll: blobs.size })
      }
    }
    const workers = Array.from({ length: BODIES_AT_ONCE }, work)
    const outcomes = await Promise.allSettled(workers)
    const refused = outcomes.find(outcome => outcome.status === 'rejected')
    if (refused === undefined) return { volume, point, release }
    release()
    removeCheckpoint(this.#port.disk, volume, point.index)
    throw refused.reason
  }

  #mustCover({ volume, point }: CheckpointContent, wanted: HistoryPoint): void {
    const covers =
      point.index > wanted.index || (point.index === wanted.index && point.hash === wanted.hash)
    if (covers) return
    removeCheckpoint(this.#port.disk, volume, point.index)
    const what = `one of ${point.index} came that does not go through the ${wanted.index} asked for`
    throw failed(volume, what)
  }

  /** Says something that need not arrive, unless somebody wants to know. */
  #say(to: ReplicaId, message: CheckpointMessage, onFailure?: () => void): void {
    const sending = async (): Promise<void> => {
      await this.#port.send(to, encodeCheckpointMessage(message))
    }
    sending().catch(() => onFailure?.())
  }

  #watch(transfer: Transfer): void {
    transfer.cancelTimer()
    transfer.cancelTimer = this.#port.after(SILENCE_MS, () => {
      transfer.settle(`replica ${transfer.from} did not answer`)
    })
  }

  async #enter(): Promise<void> {
    if (this.#active >= TRANSFERS_MAX) {
      await new Promise<void>(resolve => this.#queue.push(resolve))
      return
    }
    this.#active++
  }

  /** Hands the place to the next one. */
  #leave(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#active--
    else next()
  }
}

function failed(volume: VolumeId, why: unknown): RoostError {
  if (why instanceof RoostError && why.code === 'CHECKPOINT_FAILED') return why
  const words = why instanceof Error ? why.message : String(why)
  const options = why instanceof Error ? { cause: why } : {}
  const what = `no checkpoint of volume ${volume} has come`
  return new RoostError('CHECKPOINT_FAILED', `${what}: ${words}`, options)
}
