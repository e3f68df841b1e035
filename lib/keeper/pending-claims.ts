/**
 * Claims on the blobs that ended sessions have staged for entries which are still pending.
 *
 * Whoever staged them is gone; so the keeper holds them, until the entry is applied or taken away.
 */

import type { BlobStore } from '../blob/blob-store.ts'
import { blobsBeside, type LoggedEntry } from '../feed/entry.ts'
import type { BlobId } from '../ids.ts'
import type { KeeperTask, PendingEntries } from './pending-log.ts'

export class PendingClaims {
  readonly #blobs: BlobStore
  /** By the hash of the entry. */
  readonly #claimed = new Map<string, readonly BlobId[]>()

  constructor(blobs: BlobStore, pending: readonly PendingEntries[]) {
    this.#blobs = blobs
    for (const logged of pending.flatMap(({ entries }) => entries)) {
      const staged = blobsBeside(logged.entry)
      if (staged.length === 0) continue
      for (const blob of staged) blobs.reclaim(blob)
      this.#claimed.set(logged.hash.toString('hex'), staged)
    }
  }

  /** These tasks are in the store. */
  release(tasks: readonly KeeperTask[]): void {
    if (this.#claimed.size === 0) return
    for (const task of tasks) {
      if (task.kind === 'apply') this.#release(task.logged)
      else if (task.kind === 'release') for (const logged of task.entries) this.#release(logged)
    }
  }

  #release({ hash }: LoggedEntry): void {
    const key = hash.toString('hex')
    for (const blob of this.#claimed.get(key) ?? []) this.#blobs.unstage(blob)
    this.#claimed.delete(key)
  }
}
