/**
 * Keeps store and files behind the log: applies what has become durable, and makes checkpoints.
 *
 * It waits a little before each batch, because most of what a mail server writes is written over
 * or deleted within moments, and costs nothing when both happen in one batch.
 */

import type { FeedProgress } from '../feed/feed-progress.ts'
import { SEGMENT_SIZE } from '../feed/segment.ts'
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
  /** Ends the waiting for more to gather. */
  #nap = new AbortController()
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
    this.#keeper.onWork = () => {
      this.noteNews()
      // Somebody who waits does not want to wait for more to gather.
      if (this.#keeper.isWanted) this.#nap.abort()
    }
    this.#running = this.#run()
  }

  /** The sync thread says that more is durable. */
  noteNews(): void {
    this.#news?.()
  }

  /**
   * Waits while the store is so far behind a position that the log would grow beyond bounds.
   *
   * Not while the store cannot come nearer: on a full disk, deleting has to go on.
   */
  async untilNear(position: Position): Promise<void> {
    const isFar = (): boolean => position - this.#keeper.read > this.#tuning.checkpointBytes
    const isMoving = (): boolean =>
      this.#failure === undefined && this.#progress.state === 'running'
    while (isFar() && isMoving() && !this.#isStopping()) await delay(LOOK_MS, this.#stop.signal)
  }

  /** Applies everything durable, without waiting for more to gather. */
  async catchUp(): Promise<void> {
    await this.#applyAll()
  }

  /** Ends, with everything durable applied and synced where that is possible. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#nap.abort()
    this.#news?.()
    await this.#running
    if (await this.#applyAll()) await this.#clear()
  }

  async #run(): Promise<void> {
    while (!this.#isStopping()) {
      const isQuiet = !(await this.#somethingToApply())
      if (!isQuiet) await this.#gather()
      if (this.#isStopping()) return
      const isFine = isQuiet ? await this.#clear() : await this.#applyAll()
      if (!isFine) await delay(RETRY_MS, this.#stop.signal)
    }
  }

  /** Space that was freed is there only after a checkpoint, so a full disk does not wait long. */
  #isCheckpointDue(): boolean {
    const { clearableBytes, garbage } = this.#keeper
    if (clearableBytes >= this.#tuning.checkpointBytes) return true
    if (garbage >= CHECKPOINT_GARBAGE) return true
    return garbage > 0 && this.#disk.space().freeBytes < SCARCE_BYTES
  }

  /** Whether a checkpoint would free what nobody would otherwise ask for soon. */
  #isWorthClearing(): boolean {
    const { clearableBytes, garbage } = this.#keeper
    return garbage > 0 || clearableBytes >= SEGMENT_SIZE
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted
  }

  #hasWork(): boolean {
    return this.#keeper.hasWork(this.#progress.durable)
  }

  /** @returns false when nothing came for long, and what came before waits to be cleared */
  async #somethingToApply(): Promise<boolean> {
    while (!this.#hasWork() && !this.#isStopping()) {
      const news = new Promise<void>(resolve => (this.#news = resolve))
      this.#progress.wantNews()
      // Looked at again, because the news may have come just before they were wanted.
      if (this.#hasWork()) return true
      if (!this.#isWorthClearing()) await news
      else if (await isQuietBefore(news, this.#tuning.quietMs)) return false
    }
    return true
  }

  async #gather(): Promise<void> {
    const { gatherMs, gatherBytes } = this.#tuning
    for (let waited = 0; waited < gatherMs; waited += LOOK_MS) {
      if (this.#progress.durable - this.#keeper.read >= gatherBytes) return
      if (this.#isStopping() || this.#keeper.isWanted) return
      this.#nap = new AbortController()
      await delay(Math.min(LOOK_MS, gatherMs), this.#nap.signal)
    }
  }

  /** Makes checkpoints on the way: under endless changes there may be no end to come to. */
  async #applyAll(): Promise<boolean> {
    for (;;) {
      const outcome = { isDone: false }
      const isFine = await this.#try(async () => {
        outcome.isDone = await this.#keeper.applyBatch(this.#progress.durable)
      })
      if (!isFine) return false
      this.#onApplied(this.#keeper.applied)
      if (this.#isCheckpointDue()) await this.#clear()
      if (outcome.isDone) return true
    }
  }

  #clear(): Promise<boolean> {
    return this.#try(() => this.#keeper.writeCheckpoint())
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

/** Whether a long time passes before the news. */
async function isQuietBefore(news: Promise<void>, quietMs: number): Promise<boolean> {
  const waiting = new AbortController()
  try {
    const quiet = delay(quietMs, waiting.signal).then(() => true)
    return await Promise.race([quiet, news.then(() => false)])
  } finally {
    waiting.abort()
  }
}
