/**
 * How bodies get from replica to replica: blobs that history names and that do not ride with it.
 *
 * It speaks through a pair of `send` and `hear`, each message whole and in order as far as a
 * connection lasts, and knows nothing of connections.
 */

import type { BlobId, ReplicaId } from '../ids.ts'
import { BodyAnswerer } from './body-answerer.ts'
import { BodyFetcher } from './body-fetcher.ts'
import { decodeBodyMessage } from './body-message.ts'
import type { BodyPort } from './body-port.ts'

export class BodyExchange {
  readonly #fetcher: BodyFetcher
  readonly #answerer: BodyAnswerer

  constructor(port: BodyPort) {
    this.#fetcher = new BodyFetcher(port)
    this.#answerer = new BodyAnswerer(port)
  }

  /** Fetches that are not over. */
  get fetchCount(): number {
    return this.#fetcher.count
  }

  /** As `BodyFetcher.fetch`: afterwards the blob is durable here, and the caller has a claim. */
  fetchBlob(from: readonly ReplicaId[], blob: BlobId): Promise<void> {
    return this.#fetcher.fetch(from, blob)
  }

  /**
   * Takes what a peer sent; its bytes are shared until they are staged.
   *
   * @throws RoostError PROTOCOL: whoever sends such a thing should be disconnected
   */
  hear(from: ReplicaId, bytes: Buffer): void {
    const message = decodeBodyMessage(bytes)
    if (message.kind === 'want') this.#answerer.hear(from, message.number, message.blob)
    else if (message.kind === 'body') this.#fetcher.hear(from, message.number, message.bytes)
    else this.#fetcher.hear(from, message.number, undefined)
  }

  peerDown(peer: ReplicaId): void {
    this.#fetcher.peerDown(peer)
    this.#answerer.peerDown(peer)
  }

  /** Fetches under way end with BODY_MISSING. */
  close(): void {
    this.#fetcher.close()
  }
}
