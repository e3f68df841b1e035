/**
 * Thread: makes the feed durable whenever that is asked for.
 *
 * It does nothing else, so a sync takes what the disk takes: no event loop and no pool of threads
 * lies between the question and the answer. Whatever was appended while a sync ran goes into the
 * next one, for all who wait.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { FeedProgress } from '../feed/feed-progress.ts'
import { FeedSyncer } from '../feed/feed-syncer.ts'
import type { SessionId } from '../ids.ts'
import { NodeDisk } from '../io/node-disk.ts'
import { WakeEvent, type WakeEventParts } from '../io/wake-event.ts'
import { present } from '../util/assert.ts'

export interface SyncThreadInput {
  readonly directory: string
  readonly session: SessionId
  readonly progress: SharedArrayBuffer
  /** Tells the serving thread. */
  readonly wake: WakeEventParts
}

/** 'news': more is durable, and it was asked to be told. Else why syncing failed. */
export type SyncThreadMessage = 'news' | { readonly failed: string }

async function run(): Promise<void> {
  const port = present(parentPort, 'parent port')
  const input = workerData as SyncThreadInput
  const progress = new FeedProgress(input.progress)
  const wake = new WakeEvent(input.wake)
  const syncer = new FeedSyncer(new NodeDisk(input.directory), input.session)
  try {
    while (progress.await() === 'running') {
      await syncer.syncThrough(progress.requested)
      if (progress.report(syncer.durable)) port.postMessage('news' satisfies SyncThreadMessage)
      wake.tell()
    }
  } catch (error) {
    progress.end('failed')
    port.postMessage({ failed: String(error) } satisfies SyncThreadMessage)
    wake.tell()
  } finally {
    syncer.close()
  }
}

void run()
