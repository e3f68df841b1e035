/** Thread: serves the kernel. A bug ends it, and says so. */

import { parentPort, workerData } from 'node:worker_threads'
import { NodeDisk } from '../io/node-disk.ts'
import { SystemClock } from '../io/system-clock.ts'
import { present } from '../util/assert.ts'
import { FuseServer } from './fuse-server.ts'
import type { FromFuseThread, FuseThreadInput } from './thread-messages.ts'

const port = present(parentPort, 'parent port')
const input = workerData as FuseThreadInput

try {
  new FuseServer(input, port, new NodeDisk(input.directory), new SystemClock()).run()
} catch (error) {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  port.postMessage([{ type: 'broken', message }] satisfies FromFuseThread[])
}
