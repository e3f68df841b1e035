/**
 * Keeps store and files behind the log: applies what has become durable, and makes checkpoints.
 *
 * It waits a little before each batch, because most of what a mail server writes is written over
 * or deleted within moments, and costs nothing when both happen in one batch.
 */

import type { FeedProgress } from '../feed/feed-progress.ts'
import type { Position } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import type { Logger } from '../io/logger.ts'
import { delay } from '../io/timer.ts'
import type { Keeper } from '../keeper/keeper.ts'
import type { Tuning } from './tuning.ts'

/** How often waiting changes are looked at meanwhile. */
const LOOK_MS = 50
/** Files to be deleted that do not wait any longer. */
const CHECKPOINT_GARBAGE = 5000
/** With less than this free, what is to be deleted is deleted at once. */
const SCARCE_BYTES = 256 * 1024 * 1024
/** How long to wait after a failure, mostly a full disk. */
const RETRY_MS = 500

export class ApplyLoop {
  readonly #disk: Disk
  readonly #keeper: Keeper
  readonly #progress: FeedProgress
  readonly #tuning: Tuning
  readonly #logger: Logger
  readonly #onApplied: (position: Position) => void
  readonly #stop = new AbortController()
  #news: (() => void) | undefined
  #running: Promise<void> | undefined
  #failure: string | undefined

  constructor(
    disk: Disk,
    keeper: Keeper,
    progress: FeedProgress,
    tuning: Tuning,
    logger: Logger,
    onApplied: (position: Position) => void
  ) {
    this.#disk = disk
    this.#keeper = keeper
    this.#progress = progress
    this.#tuning = tuning
    this.#logger = logger
    this.#onApplied = onApplied
  }

  /** Why the last try failed, until one succeeds. */
  get failure(): string | undefined {
    return this.#failure
  }

  start(): void {
    this.#running = this.#run()
  }

  /** The sync thread says that more is durable. */
  noteNews(): void {
    this.#news?.()
  }

  /** Applies everything durable, without waiting for more to gather. */
  async catchUp(): Promise<void> {
    await this.#applyAll()
  }

  /** Ends, with everything durable applied and synced where that is possible. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#news?.()
    await this.#running
    if (await this.#applyAll()) await this.#try(() => this.#keeper.writeCheckpoint())
  }

  async #run(): Promise<void> {
    while (!this.#isStopping()) {
      await this.#somethingToApply()
      await this.#gather()
      if (this.#isStopping()) return
      const isFine = await this.#applyAll()
      if (isFine && this.#isCheckpointDue()) await this.#try(() => this.#keeper.writeCheckpoint())
      if (!isFine) await delay(RETRY_MS, this.#stop.signal)
    }
  }

  /** Space that was freed is there only after a checkpoint, so a full disk does not wait long. */
  #isCheckpointDue(): boolean {
    const { applied, checkpointed, garbage } = this.#keeper
    if (applied - checkpointed >= this.#tuning.checkpointBytes) return true
    if (garbage >= CHECKPOINT_GARBAGE) return true
    return garbage > 0 && this.#disk.space().freeBytes < SCARCE_BYTES
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted
  }

  #hasWork(): boolean {
    return this.#progress.durable > this.#keeper.applied
  }

  async #somethingToApply(): Promise<void> {
    while (!this.#hasWork() && !this.#isStopping()) {
      const news = new Promise<void>(resolve => (this.#news = resolve))
      this.#progress.wantNews()
      // Looked at again, because the news may have come just before they were wanted.
      if (!this.#hasWork()) await news
    }
  }

  async #gather(): Promise<void> {
    const { gatherMs, gatherBytes } = this.#tuning
    for (let waited = 0; waited < gatherMs; waited += LOOK_MS) {
      if (this.#progress.durable - this.#keeper.applied >= gatherBytes) return
      if (this.#isStopping()) return
      await delay(Math.min(LOOK_MS, gatherMs), this.#stop.signal)
    }
  }

  async #applyAll(): Promise<boolean> {
    for (;;) {
      const outcome = { isDone: false }
      const isFine = await this.#try(async () => {
        outcome.isDone = await this.#keeper.applyBatch(this.#progress.durable)
      })
      if (!isFine) return false
      this.#onApplied(this.#keeper.applied)
      if (outcome.isDone) return true
    }
  }

  async #try(task: () => Promise<void>): Promise<boolean> {
    try {
      await task()
      this.#failure = undefined
      return true
    } catch (error) {
      const cause =
        error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
      const failure = `${String(error)} ${cause}`.trim()
      if (failure !== this.#failure) this.#logger.error(`the store is behind: ${failure}`)
      this.#failure = failure
      return false
    }
  }
}
