/**
 * A view of a store that goes on changing.
 *
 * It begins between two batches. As long as it is open no blob file is deleted, and containers are
 * copied before they change, so its cost is what is written and deleted meanwhile. The daemon
 * comes first: where the store has to be opened anew, or the disk is nearly full, the view is
 * lost, and every later question says so.
 */

import { RoostError } from '../errors.ts'
import type { Ino } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import type { ContainerCopies } from '../store/container-copies.ts'
import type { FeedMark } from '../store/records.ts'
import type { StoreReader } from '../store/store.ts'
import type { TreeView } from './tree-view.ts'

export interface LiveViewParts {
  readonly applied: FeedMark
  readonly checkpoint: FeedMark
  readonly disk: Disk
  readonly store: StoreReader
  readonly copies: ContainerCopies
  readonly onClose: (view: LiveView) => void
}

export class LiveView implements TreeView {
  readonly #parts: LiveViewParts
  #lost: string | undefined
  #isClosed = false
  /** The log from the checkpoint on is kept as well. */
  holdsLog = true

  constructor(parts: LiveViewParts) {
    this.#parts = parts
  }

  get applied(): FeedMark {
    return this.#parts.applied
  }

  get checkpoint(): FeedMark {
    return this.#parts.checkpoint
  }

  get disk(): Disk {
    return this.#parts.disk
  }

  async get(key: string): Promise<Buffer | undefined> {
    await this.confirm()
    return this.#parts.store.get(key)
  }

  async getAll(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    await this.confirm()
    return keys.map(key => this.#parts.store.get(key))
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    await this.confirm()
    return this.#parts.store.range(from, to, limit)
  }

  async containerSizes(inos: readonly Ino[]): Promise<(number | undefined)[]> {
    await this.confirm()
    return inos.map(ino => this.#parts.copies.size(ino))
  }

  async readContainer(ino: Ino, offset: number, length: number): Promise<Buffer> {
    await this.confirm()
    return this.#parts.copies.read(ino, offset, length)
  }

  async confirm(): Promise<void> {
    await Promise.resolve()
    if (this.#lost === undefined) return
    throw new RoostError('VIEW_LOST', `the view of the running store was given up: ${this.#lost}`)
  }

  /** Gives it up; whoever looks at it is told why. */
  async lose(why: string): Promise<void> {
    this.#lost ??= why
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#lost ??= 'it was closed'
    this.#parts.onClose(this)
    this.#parts.copies.close()
    await this.#parts.store.close()
  }
}
