/**
 * What is still to be sent to one peer, piece by piece and channel by channel in turn.
 *
 * The messages of one channel keep their order; between channels none is promised. `byteCount` is
 * what the bound of a queue is held against.
 */

import { FRAGMENT_BYTES } from './fragment.ts'
import type { Fragment } from './fragment.ts'

/** Each has its own order, and its turn: a long blob does not hold up the council. */
export type PeerChannel = 'control' | 'council' | 'volume' | 'blob'

export const PEER_CHANNELS: readonly PeerChannel[] = ['control', 'council', 'volume', 'blob']

/** The messages of one channel that are not sent, the first of them from `offset` on. */
interface Lane {
  readonly channel: PeerChannel
  messages: Buffer[]
  /** Messages before this one are sent; they are dropped now and then, many at a time. */
  first: number
  /** Byte of the first message that is to be sent next. */
  offset: number
}

const SENT_MAX = 1024

export class SendQueue {
  #byteCount = 0
  readonly #lanes: Lane[] = PEER_CHANNELS.map(channel => ({
    channel,
    messages: [],
    first: 0,
    offset: 0
  }))
  /** Whose turn it is. */
  #turn = 0

  /** Bytes of messages that wait. */
  get byteCount(): number {
    return this.#byteCount
  }

  /** Keeps `message` itself and not a copy. */
  push(channel: PeerChannel, message: Buffer): void {
    this.#lanes[PEER_CHANNELS.indexOf(channel)]?.messages.push(message)
    this.#byteCount += message.length
  }

  /** Takes out the piece that is to be sent next; undefined when nothing waits. */
  next(): { channel: PeerChannel; fragment: Fragment } | undefined {
    for (let step = 0; step < this.#lanes.length; step++) {
      const lane = this.#lanes[(this.#turn + step) % this.#lanes.length]
      const message = lane?.messages[lane.first]
      if (lane === undefined || message === undefined) continue
      this.#turn += step + 1
      return { channel: lane.channel, fragment: this.#cut(lane, message) }
    }
    return undefined
  }

  #cut(lane: Lane, message: Buffer): Fragment {
    const end = Math.min(lane.offset + FRAGMENT_BYTES, message.length)
    const bytes = message.subarray(lane.offset, end)
    const isLast = end === message.length
    this.#byteCount -= bytes.length
    lane.offset = isLast ? 0 : end
    if (isLast) this.#advance(lane)
    return { isLast, bytes }
  }

  #advance(lane: Lane): void {
    lane.first += 1
    if (lane.first < lane.messages.length && lane.first < SENT_MAX) return
    lane.messages = lane.messages.slice(lane.first)
    lane.first = 0
  }
}
