/**
 * The log as the serving side of a replica in a cluster writes it: what the volumes have wanted
 * before goes first.
 */

import type { Appendable } from '../feed/feed-writer.ts'
import type { FrameItem } from '../feed/frame.ts'
import type { Position, SessionId } from '../ids.ts'
import type { Journal } from '../vfs/ports.ts'
import type { LogQueue } from './log-queue.ts'

/** The log below. */
export interface ItemJournal {
  readonly session: SessionId
  readonly end: Position
  hasRoomFor(bytes: number): boolean
  appendItems(items: readonly FrameItem[]): readonly Buffer[]
}

export class ReplicatedJournal implements Journal {
  readonly #log: ItemJournal
  readonly #queue: () => LogQueue

  constructor(log: ItemJournal, queue: () => LogQueue) {
    this.#log = log
    this.#queue = queue
  }

  get session(): SessionId {
    return this.#log.session
  }

  get end(): Position {
    return this.#log.end
  }

  hasRoomFor(bytes: number): boolean {
    const queue = this.#queue()
    queue.flushAll()
    return queue.isEmpty && this.#log.hasRoomFor(bytes)
  }

  append(items: readonly Appendable[]): readonly Buffer[] {
    return this.#log.appendItems(items)
  }
}
