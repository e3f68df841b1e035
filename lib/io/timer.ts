/** Waiting for time to pass. */

import { setTimeout as waitFor } from 'node:timers/promises'

/** Resolves after `ms`, or at once when `signal` is aborted. */
export async function delay(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await waitFor(ms, undefined, { ...(signal && { signal }) })
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }
}

/** Runs `task` again and again until the returned function is called. Keeps no process alive. */
export function every(ms: number, task: () => void): () => void {
  const timer = setInterval(task, ms)
  timer.unref()
  return () => {
    clearInterval(timer)
  }
}

/** Runs `task` once, unless the returned function is called before. Keeps no process alive. */
export function after(ms: number, task: () => void): () => void {
  const timer = setTimeout(task, ms)
  timer.unref()
  return () => {
    clearTimeout(timer)
  }
}
