/** What verbs share that work on a store whether a daemon serves it or not. */

import * as os from 'node:os'
import { join } from 'node:path'
import { RemoteView } from '../admin/remote-view.ts'
import { RoostError } from '../errors.ts'
import { lockDataDirectory, readIdentity } from '../io/data-directory.ts'
import type { Disk } from '../io/disk.ts'
import { NodeDisk } from '../io/node-disk.ts'
import { delay } from '../io/timer.ts'
import { migrateDataDirectory } from '../keeper/migrate.ts'
import { LevelStore } from '../store/level-store.ts'
import type { Store } from '../store/store.ts'

/** Behind the daemon and the mail server. */
const NICENESS = 10

export interface StoreAccess {
  readonly disk: Disk
  /** Undefined while a daemon serves the store, which alone may open it. */
  readonly openStore: (() => Promise<Store>) | undefined
  /** A view through the daemon. */
  readonly openView: () => Promise<RemoteView>
}

/**
 * Takes the data directory for as long as a task takes, or has it reached through its daemon.
 *
 * @throws RoostError DATA_UNUSABLE, DATA_FORMAT; CONTROL_FAILED where whoever has the directory
 *   does not answer
 */
export async function withStore<T>(
  directory: string,
  task: (access: StoreAccess) => Promise<T>
): Promise<T> {
  const identity = readIdentity(directory)
  const disk = new NodeDisk(directory)
  const openView = (): Promise<RemoteView> => RemoteView.open(directory, yieldingPause())
  const lock = tryLock(directory)
  if (lock === undefined) {
    os.setPriority(NICENESS)
    return task({ disk, openStore: undefined, openView })
  }
  try {
    await migrateDataDirectory(directory, disk, identity)
    return await task({
      disk,
      openStore: () => LevelStore.open(join(directory, 'store')),
      openView
    })
  } finally {
    lock.release()
  }
}

function tryLock(directory: string): { release: () => void } | undefined {
  try {
    return lockDataDirectory(directory)
  } catch (error) {
    if (error instanceof RoostError && error.code === 'DATA_IN_USE') return undefined
    throw error
  }
}

/** Waits as long as what came before took, so that a daemon has at least every other moment. */
function yieldingPause(): () => Promise<void> {
  let last = performance.now()
  return async () => {
    const tookMs = performance.now() - last
    if (tookMs >= PAUSE_MS_MIN) await delay(Math.min(tookMs, PAUSE_MS_MAX))
    last = performance.now()
  }
}

const PAUSE_MS_MIN = 1
const PAUSE_MS_MAX = 20
