/**
 * Tells the kernel what is out of date in its caches, by threads that may wait for it.
 *
 * The kernel takes a notification about a name only when nobody holds the directory, as an op does
 * that waits for a lease. So those have a thread of their own, and whoever cannot wait for it says
 * that all names are out of date, which needs no lock.
 */

import type { Ino } from '../ids.ts'
import * as libc from '../io/libc.ts'
import type { Invalidator } from '../vfs/ports.ts'
import { encodeNotifyIncEpoch, encodeNotifyInvalEntry, encodeNotifyInvalInode } from './encode.ts'
import { NotifyCount, type NotifyQueue } from './notify-count.ts'

/** For the thread of its queue. */
export interface QueuedNotification {
  readonly queue: NotifyQueue
  readonly message: Uint8Array
  /** Of a probe: the inode that it is about. */
  readonly probed?: Ino
}

export class Notifier implements Invalidator {
  readonly #fuseFd: number
  readonly #count: NotifyCount
  readonly #send: (notification: QueuedNotification) => void
  readonly #sent: Record<NotifyQueue, number> = { inodes: 0, names: 0 }

  /** @param count of the NotifyCount */
  constructor(
    fuseFd: number,
    count: SharedArrayBuffer,
    send: (notification: QueuedNotification) => void
  ) {
    this.#fuseFd = fuseFd
    this.#count = new NotifyCount(count)
    this.#send = send
  }

  /** Notifications made so far. */
  sent(queue: NotifyQueue): number {
    return this.#sent[queue]
  }

  /** Whether the kernel has taken as many. */
  hasTaken(queue: NotifyQueue, count: number): boolean {
    // Both wrap round together.
    return ((this.#count.taken(queue) - count) | 0) >= 0
  }

  invalInode(ino: Ino, offset: number, length: number): void {
    const message = Buffer.allocUnsafeSlow(64)
    this.#notify('inodes', message, encodeNotifyInvalInode(message, ino, offset, length))
  }

  invalEntry(parent: Ino, name: string): void {
    const message = Buffer.allocUnsafeSlow(64 + name.length)
    this.#notify('names', message, encodeNotifyInvalEntry(message, parent, name))
  }

  /** At once, and by this thread: the kernel takes no lock for it. */
  invalNames(): void {
    const message = Buffer.allocUnsafeSlow(64)
    libc.write(this.#fuseFd, message, encodeNotifyIncEpoch(message))
  }

  /** Has nothing invalidated but attributes: the kernel refuses that for what it does not know. */
  probe(ino: Ino): void {
    const message = Buffer.allocUnsafeSlow(64)
    const length = encodeNotifyInvalInode(message, ino, -1, 0)
    this.#notify('inodes', message, length, ino)
  }

  #notify(queue: NotifyQueue, bytes: Buffer, length: number, probed?: Ino): void {
    this.#sent[queue] = (this.#sent[queue] + 1) | 0
    const message = bytes.subarray(0, length)
    this.#send({ queue, message, ...(probed !== undefined && { probed }) })
  }
}
