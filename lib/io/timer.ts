/** Waiting for time to pass. */

import { setTimeout } from 'node:timers/promises'

/** Resolves after `ms`, or at once when `signal` is aborted. */
export async function delay(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { ...(signal && { signal }) })
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }
}
