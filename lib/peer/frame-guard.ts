/**
 * Watches the lengths of the frames on a connection before anything is done with them.
 *
 * A frame is a length of three bytes, little-endian, and so many bytes. Whoever reads frames makes
 * room for one as soon as it has the length: a stranger must not make us set aside 16 MiB by
 * sending three bytes. So strangers may send short frames, and few.
 */

import { RoostError } from '../errors.ts'
import { FRAGMENT_BYTES } from './fragment.ts'

/** For the handshake, or a request to join. */
const STRANGER_FRAME_MAX = 4 * 1024
const STRANGER_BYTES_MAX = 16 * 1024
/** A piece of a message, with what encryption and channels put around it. */
const MEMBER_FRAME_MAX = FRAGMENT_BYTES + 1024

const LENGTH_BYTES = 3

export class FrameGuard {
  #isTrusted = false
  #byteCount = 0
  /** Bytes of the current frame that are still to come. */
  #missing = 0
  /** What is known of the next frame's length, and how many of its bytes those are. */
  #length = 0
  #lengthBytes = 0

  /** From now on a member's frames are taken. */
  trust(): void {
    this.#isTrusted = true
  }

  /** @throws RoostError PROTOCOL a frame is too long, or a stranger sends too much */
  inspect(bytes: Uint8Array): void {
    this.#byteCount += bytes.length
    if (!this.#isTrusted && this.#byteCount > STRANGER_BYTES_MAX) {
      throw new RoostError('PROTOCOL', 'too many bytes of a stranger')
    }
    let at = 0
    while (at < bytes.length) {
      if (this.#missing > 0) {
        const step = Math.min(this.#missing, bytes.length - at)
        this.#missing -= step
        at += step
      } else {
        this.#takeLength(bytes[at] ?? 0)
        at += 1
      }
    }
  }

  #takeLength(byte: number): void {
    this.#length += byte * 256 ** this.#lengthBytes
    this.#lengthBytes += 1
    if (this.#lengthBytes < LENGTH_BYTES) return
    const most = this.#isTrusted ? MEMBER_FRAME_MAX : STRANGER_FRAME_MAX
    if (this.#length === 0 || this.#length > most) {
      throw new RoostError(
        'PROTOCOL',
        `a frame has ${this.#length} bytes, and may have 1 to ${most}`
      )
    }
    this.#missing = this.#length
    this.#length = 0
    this.#lengthBytes = 0
  }
}
