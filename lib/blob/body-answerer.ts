/** Hands out bodies to peers that ask for them. */

import type { BlobId, ReplicaId } from '../ids.ts'
import { encodeBodyMessage, type BodyMessage } from './body-message.ts'
import { readOwnBody, type BodyPort } from './body-port.ts'

/** Blobs read and sent at a time, over all peers. */
const ANSWERS_MAX = 16
/** Questions of one peer that wait; what it asks beyond that it is told to seek elsewhere. */
const WAITING_MAX = 256

interface Question {
  readonly from: ReplicaId
  readonly number: number
  readonly blob: BlobId
}

export class BodyAnswerer {
  readonly #port: BodyPort
  #waiting: Question[] = []
  #active = 0

  constructor(port: BodyPort) {
    this.#port = port
  }

  /** A peer asks. */
  hear(from: ReplicaId, number: number, blob: BlobId): void {
    const waiting = this.#waiting.filter(question => question.from === from)
    if (waiting.length >= WAITING_MAX) {
      void this.#send(from, { kind: 'none', number })
      return
    }
    this.#waiting.push({ from, number, blob })
    this.#startNext()
  }

  /** Nobody waits for what this peer asked. */
  peerDown(peer: ReplicaId): void {
    this.#waiting = this.#waiting.filter(({ from }) => from !== peer)
  }

  #startNext(): void {
    while (this.#active < ANSWERS_MAX) {
      const question = this.#waiting.shift()
      if (question === undefined) return
      this.#active++
      void this.#answer(question).finally(() => {
        this.#active--
        this.#startNext()
      })
    }
  }

  async #answer({ from, number, blob }: Question): Promise<void> {
    const bytes = await this.#read(blob)
    const message: BodyMessage =
      bytes === undefined ? { kind: 'none', number } : { kind: 'body', number, bytes }
    await this.#send(from, message)
  }

  async #read(blob: BlobId): Promise<Buffer | undefined> {
    try {
      return await readOwnBody(this.#port, blob)
    } catch {
      // What goes wrong here is no more to the peer than that it has to ask elsewhere.
      return undefined
    }
  }

  /** An answer that cannot be sent is asked for again, elsewhere. */
  async #send(to: ReplicaId, message: BodyMessage): Promise<void> {
    try {
      await this.#port.send(to, encodeBodyMessage(message))
    } catch {
      this.peerDown(to)
    }
  }
}
