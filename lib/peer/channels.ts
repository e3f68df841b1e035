/**
 * The channels of a connection between members: one on which the connection itself is spoken of,
 * and one for each kind of message.
 *
 * What comes is handed over when protomux is through with the frame, and not from within: it takes
 * whatever is thrown for the fault of the stream.
 */

import type NoiseSecretStream from '@hyperswarm/secret-stream'
import Protomux from 'protomux'
import type { MuxMessage } from 'protomux'
import { RoostError } from '../errors.ts'
import { assert, present } from '../util/assert.ts'
import { Assembly, fragmentEncoding, MESSAGE_BYTES_MAX } from './fragment.ts'
import type { Fragment } from './fragment.ts'
import { InspectedStream } from './inspected-stream.ts'
import { MuxGuard } from './mux-guard.ts'
import { PEER_CHANNELS, SendQueue } from './send-queue.ts'
import type { PeerChannel } from './send-queue.ts'

/** What is said about the connection; its numbers on the wire are the places here. */
export const LINK_WORDS = ['hello', 'welcome', 'ping', 'pong', 'bye'] as const
export type LinkWord = (typeof LINK_WORDS)[number]

export interface ChannelsOwner {
  /** @throws RoostError PROTOCOL to end the connection */
  onWord(word: LinkWord, bytes: Buffer): void
  onMessage(channel: PeerChannel, message: Buffer): void
}

export class Channels {
  readonly #noise: NoiseSecretStream
  readonly #owner: ChannelsOwner
  readonly #mux: Protomux
  readonly #words: readonly MuxMessage<Uint8Array>[]
  readonly #senders = new Map<PeerChannel, MuxMessage<Fragment>>()
  readonly #queue = new SendQueue()
  /** What came in the frame that is being read. */
  #inbox: (() => void)[] = []
  /** The stream below wants no more for now. */
  #isFull = false

  /** Opens them all; the other side does the same. The stream must be connected. */
  constructor(noise: NoiseSecretStream, owner: ChannelsOwner) {
    this.#noise = noise
    this.#owner = owner
    const guard = new MuxGuard()
    this.#mux = new Protomux(
      new InspectedStream(noise, {
        before: frame => guard.inspect(frame),
        after: () => this.#deliver(),
        alloc: size => noise.alloc(size)
      })
    )
    this.#words = this.#openLink()
    for (const channel of PEER_CHANNELS) this.#senders.set(channel, this.#openChannel(channel))
    noise.on('drain', () => {
      this.#isFull = false
      this.#pump()
    })
  }

  /** Bytes of messages that are not yet handed to the stream. */
  get queuedBytes(): number {
    return this.#queue.byteCount
  }

  /** Goes before whatever is queued. */
  say(word: LinkWord, bytes: Uint8Array = NOTHING): void {
    const sender = present(this.#words[LINK_WORDS.indexOf(word)], word)
    if (!sender.send(bytes)) this.#isFull = true
  }

  /** Keeps `message` itself, which must not change any more. */
  send(channel: PeerChannel, message: Buffer): void {
    assert(message.length <= MESSAGE_BYTES_MAX, 'a message is too long to be sent')
    this.#queue.push(channel, message)
    this.#pump()
  }

  #pump(): void {
    while (!this.#isFull && !this.#noise.destroying) {
      const next = this.#queue.next()
      if (next === undefined) return
      const sender = present(this.#senders.get(next.channel), next.channel)
      if (!sender.send(next.fragment)) this.#isFull = true
    }
  }

  #openLink(): readonly MuxMessage<Uint8Array>[] {
    const channel = this.#mux.createChannel<Uint8Array, Buffer>({
      protocol: 'roost/link',
      messages: LINK_WORDS.map(word => ({
        onmessage: bytes => this.#inbox.push(() => this.#owner.onWord(word, bytes))
      })),
      onclose: () => this.#noise.destroy()
    })
    channel?.open()
    return present(channel, 'a channel of a new connection').messages
  }

  #openChannel(name: PeerChannel): MuxMessage<Fragment> {
    const assembly = new Assembly()
    const take = (fragment: Fragment): void => {
      const message = assembly.take(fragment)
      if (message !== undefined) this.#owner.onMessage(name, message)
    }
    const channel = this.#mux.createChannel<Fragment, Fragment>({
      protocol: `roost/${name}`,
      messages: [
        {
          encoding: fragmentEncoding,
          onmessage: fragment => this.#inbox.push(() => take(fragment))
        }
      ],
      onclose: () => this.#noise.destroy()
    })
    channel?.open()
    return present(channel?.messages[0], 'a channel of a new connection')
  }

  /** What is wrong with a message ends the connection; what goes wrong with us goes on up. */
  #deliver(): void {
    const tasks = this.#inbox
    this.#inbox = []
    for (const task of tasks) {
      if (this.#noise.destroying) return
      try {
        task()
      } catch (error) {
        if (!(error instanceof RoostError) || error.code !== 'PROTOCOL') throw error
        this.#noise.destroy(error)
      }
    }
  }
}

const NOTHING = Buffer.alloc(0)
