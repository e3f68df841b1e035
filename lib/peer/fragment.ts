/**
 * The pieces that messages are sent in, so that a small message need not wait for a large one of
 * another channel.
 *
 *     u8 flag: 0 the message ends with this piece, 1 it goes on; then the bytes
 */

import type { MuxEncodingState } from 'protomux'
import { RoostError } from '../errors.ts'
import { joinBytes } from '../util/join-bytes.ts'

export interface Fragment {
  readonly isLast: boolean
  readonly bytes: Uint8Array
}

/** Bytes of a message in one piece: with what goes around, one read of a socket takes it. */
export const FRAGMENT_BYTES = 63 * 1024
/** The largest message that is sent or taken. */
export const MESSAGE_BYTES_MAX = 32 * 1024 * 1024

/** As protomux wants it; what was decoded is still in the memory of the frame that came. */
export const fragmentEncoding = {
  preencode(state: MuxEncodingState, { bytes }: Fragment): void {
    state.end += 1 + bytes.length
  },
  encode(state: MuxEncodingState, { isLast, bytes }: Fragment): void {
    state.buffer[state.start] = isLast ? LAST : MORE
    state.buffer.set(bytes, state.start + 1)
    state.start += 1 + bytes.length
  },
  decode(state: MuxEncodingState): Fragment {
    const flag = state.start < state.end ? state.buffer[state.start] : undefined
    if (flag !== LAST && flag !== MORE) {
      throw new RoostError('PROTOCOL', 'a piece of a message does not say whether it is the last')
    }
    const bytes = state.buffer.subarray(state.start + 1, state.end)
    state.start = state.end
    return { isLast: flag === LAST, bytes }
  }
}

const LAST = 0
const MORE = 1

/**
 * A frame lies in what was read from the socket at once, 64 KiB or so, which stays in memory for as
 * long as any part of it does. What is small is therefore taken out.
 */
function ownedPart(bytes: Uint8Array): Buffer {
  if (bytes.length < COPIED_BYTES_MAX) return Buffer.from(bytes)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const COPIED_BYTES_MAX = 16 * 1024

/** Puts the messages of one channel together again. */
export class Assembly {
  #parts: Buffer[] = []
  #byteCount = 0

  /**
   * Returns the message that ends with `fragment`, if it ends one.
   *
   * @throws RoostError PROTOCOL it becomes longer than any message may be
   */
  take({ isLast, bytes }: Fragment): Buffer | undefined {
    const part = ownedPart(bytes)
    if (isLast && this.#parts.length === 0) return part
    this.#byteCount += part.length
    if (this.#byteCount > MESSAGE_BYTES_MAX) {
      throw new RoostError('PROTOCOL', `a message is longer than ${MESSAGE_BYTES_MAX} bytes`)
    }
    if (part.length === 0 && !isLast) {
      throw new RoostError('PROTOCOL', 'a piece of a message is empty')
    }
    this.#parts.push(part)
    if (!isLast) return undefined
    const message = joinBytes(this.#parts)
    this.#parts = []
    this.#byteCount = 0
    return message
  }
}
