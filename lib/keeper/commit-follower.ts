/**
 * The keeper's side of a replica of a cluster: what the session's log asks for and is not done yet.
 *
 * Tasks stay here until they are in the store. When the store refuses a batch, the same tasks are
 * tried again, and nothing has to be read a second time.
 */

import type { LoggedEntry } from '../feed/entry.ts'
import type { Frame } from '../feed/frame.ts'
import { firstFrameOf, segmentOf } from '../feed/segment.ts'
import { RoostError } from '../errors.ts'
import type { Index, Position, SessionId, VolumeId } from '../ids.ts'
import type { FeedMark } from '../store/records.ts'
import { assert } from '../util/assert.ts'
import type { KeeperTask, PendingLog } from './pending-log.ts'
import type { LogPoint } from './pending-volume.ts'
import { sizeOf } from './task-batch.ts'

/** Told of volumes whose pending entries keep the log from being let go. */
export type OnCarryNeeded = (volumes: readonly VolumeId[]) => void

interface Waiter {
  readonly volume: VolumeId
  readonly index: Index
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class CommitFollower {
  readonly #log: PendingLog
  readonly #onCarryNeeded: OnCarryNeeded
  readonly #session: SessionId
  #tasks: KeeperTask[] = []
  /** Ends all that comes, since the log contradicts itself. */
  #failed: Error | undefined
  /** As it was when nothing was left to do. */
  #lowest: FeedMark
  #applied: Position
  /** The segment in which carrying was asked for last. */
  #askedIn = 0
  #waiters: Waiter[] = []

  constructor(log: PendingLog, start: FeedMark, onCarryNeeded: OnCarryNeeded) {
    this.#log = log
    this.#session = start.session
    this.#onCarryNeeded = onCarryNeeded
    this.#lowest = log.lowest ?? start
    this.#applied = log.earliest ?? start.position
  }

  /** What is committed of the log before here is in the store, and the rest has been cut away. */
  get applied(): Position {
    return this.#applied
  }

  /** The log before here is not needed any more. */
  get lowest(): FeedMark {
    return this.#lowest
  }

  get hasTasks(): boolean {
    return this.#tasks.length > 0
  }

  /** Whether nothing is taken any more; trying again keeps saying why. */
  get hasFailed(): boolean {
    return this.#failed !== undefined
  }

  /** Whether somebody waits for something to be applied. */
  get isWanted(): boolean {
    return this.#waiters.length > 0
  }

  pendingOf(volume: VolumeId): LoggedEntry[] {
    return this.#log.pendingOf(volume)
  }

  /** @throws RoostError FEED_DAMAGED when the log has contradicted itself */
  mustBeSound(): void {
    if (this.#failed !== undefined) throw this.#failed
  }

  /** @throws RoostError FEED_DAMAGED when the log contradicts itself; it then does for good */
  take(frame: Frame): void {
    const { session, position, chainBefore: chain } = frame
    const place = { mark: { session, position, chain }, since: position }
    try {
      for (const item of frame.items) this.#tasks.push(...this.#log.take(item, place))
    } catch (error) {
      // Half of the frame is taken, and the reader is behind it.
      this.#failed = error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }

  /** To be called when no more is read for now. */
  keepCopies(): void {
    this.#log.keepCopies()
  }

  note(volume: VolumeId, point: LogPoint): void {
    this.#tasks.push(...this.#log.note(volume, point))
  }

  /** What to do next, in one write to the store: at most about `bytes`, or one checkpoint alone. */
  nextTasks(bytes: number): readonly KeeperTask[] {
    let [count, size] = [0, 0]
    for (const task of this.#tasks) {
      if (task.kind === 'install') return this.#tasks.slice(0, Math.max(count, 1))
      size += task.kind === 'apply' ? sizeOf(task.logged) : 0
      count++
      if (size >= bytes) break
    }
    return this.#tasks.slice(0, count)
  }

  /** How far volumes are applied by these tasks of which the log does not say that they may be. */
  unsaidIn(tasks: readonly KeeperTask[]): Map<VolumeId, LogPoint> {
    const points = new Map<VolumeId, LogPoint>()
    for (const task of tasks) {
      if (task.kind !== 'apply' || this.#log.isSaid(task.logged)) continue
      const { volume, epoch, index } = task.logged.entry
      points.set(volume, { epoch, index, hash: task.logged.hash })
    }
    return points
  }

  /** The first `count` tasks are in the store. */
  done(count: number): void {
    this.#tasks.splice(0, count)
  }

  /** Nothing is left to do of what was read, which ends at `mark`. */
  settle(mark: FeedMark): void {
    assert(!this.hasTasks, 'tasks are left')
    this.#lowest = this.#log.lowest ?? mark
    this.#applied = Math.min(this.#log.earliest ?? Infinity, mark.position) as Position
    this.#askForCarrying(mark)
  }

  /**
   * Resolves when `appliedIndex` has come to `index`, which `answer` finds out.
   *
   * @throws InvariantError when it is not known to be committed
   */
  async untilApplied(volume: VolumeId, index: Index): Promise<void> {
    const committed = this.#log.committedOf(volume) ?? 0
    assert(index <= committed, `entry ${index} of volume ${volume} is not known to be committed`)
    return new Promise((resolve, reject) => {
      this.#waiters.push({ volume, index, resolve, reject })
    })
  }

  /** Answers those who wait. */
  answer(appliedIndexOf: (volume: VolumeId) => Index): void {
    const left: Waiter[] = []
    for (const waiter of this.#waiters) {
      if (appliedIndexOf(waiter.volume) >= waiter.index) waiter.resolve()
      else left.push(waiter)
    }
    this.#waiters = left
  }

  /** Nothing will be applied any more. */
  close(): void {
    const error = new RoostError('STORE_FAILED', 'the store was closed before the entry came')
    for (const { reject } of this.#waiters) reject(error)
    this.#waiters = []
  }

  /** Once in a segment: whoever is asked needs time to do it. */
  #askForCarrying(end: FeedMark): void {
    const segment = segmentOf(end.position)
    if (segment <= this.#askedIn) return
    const { chain } = end
    const oldest = { session: this.#session, position: firstFrameOf(segment - 1), chain }
    const volumes = this.#log.waitingBefore(oldest)
    if (volumes.length === 0) return
    this.#askedIn = segment
    this.#onCarryNeeded(volumes)
  }
}
