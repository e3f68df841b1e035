/**
 * Thread: writes notifications to the kernel, those about inodes or those about names.
 *
 * The kernel may hold such a write until a request is answered that touches the same inode or
 * directory. The serving thread, which owes that answer, must therefore never write one itself.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { ERRNO } from '../errors.ts'
import type { Ino } from '../ids.ts'
import * as libc from '../io/libc.ts'
import { WakeEvent, type WakeEventParts } from '../io/wake-event.ts'
import { present } from '../util/assert.ts'
import { NotifyCount, type NotifyQueue } from './notify-count.ts'

export interface NotifyThreadInput {
  readonly fuseFd: number
  readonly queue: NotifyQueue
  /** Of the NotifyCount. */
  readonly count: SharedArrayBuffer
  /** Tells the serving thread. */
  readonly wake: WakeEventParts
}

/** A notification, and the inode that is only to be found out about with it. */
export interface Notification {
  readonly message: Uint8Array
  readonly probed?: Ino
}

/** Sent for each notification: what the kernel said, 0 or a negative errno. */
export interface NotifyOutcome {
  readonly result: number
  /** The inode was asked for, and the kernel does not know it. */
  readonly unknown?: Ino
}

const { fuseFd, queue, count, wake } = workerData as NotifyThreadInput
const counted = new NotifyCount(count)
const event = new WakeEvent(wake)
const port = present(parentPort, 'parent port')

port.on('message', ({ message, probed }: Notification) => {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length)
  const result = libc.write(fuseFd, bytes, bytes.length)
  counted.take(queue)
  event.tell()
  // What the kernel does not know, it has not cached.
  const isKnown = result !== -ERRNO.ENOENT
  port.postMessage({
    result: isKnown ? Math.min(result, 0) : 0,
    ...(!isKnown && probed !== undefined && { unknown: probed })
  } satisfies NotifyOutcome)
})
