/**
 * A view of a data directory that nobody serves, as the next start would find it: recovery runs,
 * but what it writes stays in memory, and nothing on the disk is changed.
 */

import { BlobStore } from '../blob/blob-store.ts'
import type { Ino } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { containerPathOf, Containers } from '../store/containers.ts'
import { OverlayStore } from '../store/overlay-store.ts'
import type { FeedMark } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { OverlayDisk } from './overlay-disk.ts'
import { readMark, recover, type RecoveryReport } from './recovery.ts'
import type { TreeView } from './tree-view.ts'

export class RecoveredView implements TreeView {
  readonly disk: Disk
  readonly applied: FeedMark
  readonly checkpoint: FeedMark
  readonly #store: Store
  /** What recovery said, or why it could not come to its end; the view then lacks the rest. */
  readonly outcome: RecoveryReport | Error

  /** A view without the end of the log: of a store that recovery has been done for. */
  constructor(disk: Disk, store: Store, outcome: RecoveryReport | Error = NOTHING_DONE) {
    this.disk = disk
    this.#store = store
    this.outcome = outcome
    this.applied = readMark(store, 'applied')
    this.checkpoint = readMark(store, 'checkpoint')
  }

  /** @param store is closed by whoever opened it, after the view */
  static async open(disk: Disk, store: Store): Promise<RecoveredView> {
    const [overlayDisk, overlayStore] = [new OverlayDisk(disk), new OverlayStore(store)]
    const containers = new Containers(overlayDisk)
    const files = { store: overlayStore, blobs: new BlobStore(overlayDisk), containers }
    // Damage to the store shows as anything at all here, and this copy of it is thrown away.
    const outcome = await recover(overlayDisk, files).then(
      ({ report }) => report,
      (error: unknown) => (error instanceof Error ? error : new Error(String(error)))
    )
    containers.close()
    return new RecoveredView(overlayDisk, overlayStore, outcome)
  }

  async get(key: string): Promise<Buffer | undefined> {
    await Promise.resolve()
    return this.#store.get(key)
  }

  async getAll(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    await Promise.resolve()
    return keys.map(key => this.#store.get(key))
  }

  range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    return this.#store.range(from, to, limit)
  }

  async containerSizes(inos: readonly Ino[]): Promise<(number | undefined)[]> {
    await Promise.resolve()
    return inos.map(ino => this.#onContainer(ino, file => file.size()))
  }

  async readContainer(ino: Ino, offset: number, length: number): Promise<Buffer> {
    await Promise.resolve()
    const bytes = Buffer.allocUnsafeSlow(length)
    return bytes.subarray(0, this.#onContainer(ino, file => file.read(bytes, offset)) ?? 0)
  }

  confirm(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #onContainer<T>(ino: Ino, task: (file: ReturnType<Disk['openRead']>) => T): T | undefined {
    const path = containerPathOf(ino)
    if (!this.disk.exists(path)) return undefined
    const file = this.disk.openRead(path)
    try {
      return task(file)
    } finally {
      file.close()
    }
  }
}

const NOTHING_DONE: RecoveryReport = {
  entriesApplied: 0,
  tornTails: [],
  lastChanges: [],
  strays: [],
  pending: []
}
