/**
 * How a checkpoint of a volume gets from one replica to another that lacks what leads there.
 *
 * It speaks through a pair of `send` and `hear`, each message whole and in order as far as a
 * connection lasts, and knows nothing of connections. Bodies go over a channel of their own.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import type { ReplicaId, VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import {
  CheckpointFetcher,
  type FetchedCheckpoint,
  type FetchOptions
} from './checkpoint-fetcher.ts'
import { decodeCheckpointMessage } from './checkpoint-message.ts'
import type { CheckpointPort } from './checkpoint-port.ts'
import { CheckpointSender } from './checkpoint-sender.ts'

export class CheckpointTransfer {
  readonly #sender: CheckpointSender
  readonly #fetcher: CheckpointFetcher

  constructor(port: CheckpointPort) {
    this.#sender = new CheckpointSender(port)
    this.#fetcher = new CheckpointFetcher(port)
  }

  /** Checkpoints that are being sent from here. */
  get sendCount(): number {
    return this.#sender.count
  }

  /**
   * Fetches a checkpoint that goes to `point` at least, with its bodies; it is in `checkpoints/`
   * then and can be installed.
   *
   * @throws RoostError CHECKPOINT_FAILED; nothing is left then
   */
  fetchCheckpoint(
    from: ReplicaId,
    volume: VolumeId,
    point: HistoryPoint,
    options: FetchOptions = {}
  ): Promise<FetchedCheckpoint> {
    return this.#fetcher.fetch(from, volume, point, options)
  }

  /** @throws RoostError PROTOCOL: whoever sends such a thing should be disconnected */
  hear(from: ReplicaId, bytes: Buffer): void {
    const message = decodeCheckpointMessage(bytes)
    const { number } = message
    switch (message.kind) {
      case 'want':
        return this.#sender.want(from, number, message.volume, message.index)
      case 'taken':
        return this.#sender.taken(from, number, message.size)
      case 'done':
        return this.#sender.done(from, number)
      case 'chunk':
      case 'end':
      case 'none':
        return this.#fetcher.hear(from, message)
      default:
        unreachable(message)
    }
  }

  peerDown(peer: ReplicaId): void {
    this.#sender.peerDown(peer)
    this.#fetcher.peerDown(peer)
  }

  close(): void {
    this.#sender.close()
    this.#fetcher.close()
  }
}
