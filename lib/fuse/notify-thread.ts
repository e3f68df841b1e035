/**
 * Thread: writes notifications to the kernel.
 *
 * The kernel may hold such a write until a request is answered that touches the same inode or
 * directory. The serving thread, which owes that answer, must therefore never write one itself.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { ERRNO } from '../errors.ts'
import type { Ino } from '../ids.ts'
import * as libc from '../io/libc.ts'
import { present } from '../util/assert.ts'

export interface NotifyThreadInput {
  readonly fuseFd: number
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

const { fuseFd } = workerData as NotifyThreadInput
const port = present(parentPort, 'parent port')

port.on('message', ({ message, probed }: Notification) => {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length)
  const result = libc.write(fuseFd, bytes, bytes.length)
  // What the kernel does not know, it has not cached.
  const isKnown = result !== -ERRNO.ENOENT
  port.postMessage({
    result: isKnown ? Math.min(result, 0) : 0,
    ...(!isKnown && probed !== undefined && { unknown: probed })
  } satisfies NotifyOutcome)
})
