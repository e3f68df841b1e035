/**
 * What the kernel is told unasked, as messages for the thread that writes them: the kernel may hold
 * such a write until the serving thread has answered something.
 */

import type { Ino } from '../ids.ts'
import type { Invalidator } from '../vfs/ports.ts'
import { encodeNotifyIncEpoch, encodeNotifyInvalEntry, encodeNotifyInvalInode } from './encode.ts'
import type { FromFuseThread } from './thread-messages.ts'

/** A header and the fields of any notification, without the name that one may have. */
const SIZE_MAX = 64

type Tell = (message: FromFuseThread & { readonly type: 'notify' }) => void

export class Notifications implements Invalidator {
  readonly #tell: Tell

  constructor(tell: Tell) {
    this.#tell = tell
  }

  invalInode(ino: Ino, offset: number, length: number): void {
    const message = Buffer.allocUnsafeSlow(SIZE_MAX)
    this.#send(message, encodeNotifyInvalInode(message, ino, offset, length))
  }

  invalEntry(parent: Ino, name: string): void {
    const message = Buffer.allocUnsafeSlow(SIZE_MAX + name.length)
    this.#send(message, encodeNotifyInvalEntry(message, parent, name))
  }

  invalNames(): void {
    const message = Buffer.allocUnsafeSlow(SIZE_MAX)
    this.#send(message, encodeNotifyIncEpoch(message))
  }

  /** Has nothing invalidated but attributes: the kernel refuses that for what it does not know. */
  probe(ino: Ino): void {
    const message = Buffer.allocUnsafeSlow(SIZE_MAX)
    const length = encodeNotifyInvalInode(message, ino, -1, 0)
    this.#tell({ type: 'notify', message: message.subarray(0, length), probed: ino })
  }

  #send(message: Buffer, length: number): void {
    this.#tell({ type: 'notify', message: message.subarray(0, length) })
  }
}
