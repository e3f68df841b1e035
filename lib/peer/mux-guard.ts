/**
 * Refuses the frames of protomux that we never send and that would cost us: batches, which may
 * lie in each other without end, and more channels than there are.
 */

import { RoostError } from '../errors.ts'

/** First byte of what is about channels themselves; theirs are numbered from 1. */
const ABOUT_CHANNELS = 0
const OPEN = 1
const REJECT = 2
const CLOSE = 3

/** From here on a number is longer than its first byte. */
const LONG_NUMBER = 0xfd
/** Room for channels that a later version may offer, and we then decline. */
const OPENS_MAX = 32

export class MuxGuard {
  #openCount = 0

  /** @throws RoostError PROTOCOL */
  inspect(frame: Uint8Array): void {
    const [channel = LONG_NUMBER, kind = LONG_NUMBER] = frame
    if (channel >= LONG_NUMBER || kind >= LONG_NUMBER) {
      throw new RoostError('PROTOCOL', 'a frame is for no channel')
    }
    if (channel !== ABOUT_CHANNELS) return
    if (kind !== OPEN && kind !== REJECT && kind !== CLOSE) {
      throw new RoostError('PROTOCOL', `a frame is of unknown kind ${kind}`)
    }
    if (kind === OPEN) this.#openCount += 1
    if (this.#openCount > OPENS_MAX)
      throw new RoostError('PROTOCOL', 'too many channels are opened')
  }
}
