/** Thread: a FuseServer whose clock is a word of shared memory; see stepped-server.ts. */

import { parentPort, workerData } from 'node:worker_threads'
import { FuseServer } from '../../lib/fuse/fuse-server.ts'
import type { FuseThreadInput } from '../../lib/fuse/thread-messages.ts'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { present } from '../../lib/util/assert.ts'

export interface SteppedThreadInput {
  readonly input: FuseThreadInput
  /** One i32: what time it is, in ms. */
  readonly time: SharedArrayBuffer
}

const { input, time } = workerData as SteppedThreadInput
const words = new Int32Array(time)
const nowMs = (): number => Atomics.load(words, 0)
const clock = { monotonicMs: nowMs, nowNs: () => BigInt(nowMs()) * 1_000_000n }

new FuseServer(
  input,
  present(parentPort, 'parent port'),
  new NodeDisk(input.directory),
  clock
).run()
