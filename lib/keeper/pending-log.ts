/**
 * Reads the log of a replica of a cluster: which of its entries are committed, in which order, and
 * what else is to be done for it.
 *
 * It decides only; whoever asks does what the tasks say, in their order, and then the store has of
 * each volume what is committed of it as far as the log was read.
 */

import type { LoggedEntry } from '../feed/entry.ts'
import type { LogItem } from '../feed/log-item.ts'
import { RoostError } from '../errors.ts'
import type { Epoch, Index, Position, VolumeId } from '../ids.ts'
import type { FeedMark } from '../store/records.ts'
import { unreachable } from '../util/assert.ts'
import { ownCopy } from './own-copy.ts'
import { PendingVolume, type LogPlace, type LogPoint, type Pending } from './pending-volume.ts'

export type KeeperTask =
  | { readonly kind: 'apply'; readonly logged: LoggedEntry }
  | { readonly kind: 'promise'; readonly volume: VolumeId; readonly epoch: Epoch }
  | { readonly kind: 'install'; readonly volume: VolumeId; readonly point: LogPoint }
  /** These will never be applied. */
  | { readonly kind: 'release'; readonly entries: readonly LoggedEntry[] }

export interface PendingEntries {
  readonly volume: VolumeId
  /** In order, each following the one before, the first following what the store has. */
  readonly entries: readonly LoggedEntry[]
}

/** Whether `a` comes before `b`. */
function isBefore(a: FeedMark, b: FeedMark): boolean {
  return a.session < b.session || (a.session === b.session && a.position < b.position)
}

export class PendingLog {
  #baseOf: (volume: VolumeId) => LogPoint
  readonly #volumes = new Map<VolumeId, PendingVolume>()
  /** Heard before anything of the volume was read. */
  readonly #noted = new Map<VolumeId, LogPoint>()
  /** Volumes with something pending. */
  readonly #waiting = new Map<VolumeId, PendingVolume>()
  /** Read since copies were made last. */
  #fresh: Pending[] = []
  #onKnown: ((logged: LoggedEntry) => void) | undefined

  /**
   * @param baseOf where the store stands in a volume, all tasks of before done
   * @param onKnown is told of entries at or below that, in logs of ended sessions
   */
  constructor(
    baseOf: (volume: VolumeId) => LogPoint,
    onKnown: ((logged: LoggedEntry) => void) | undefined
  ) {
    this.#baseOf = baseOf
    this.#onKnown = onKnown
  }

  /** @throws RoostError FEED_DAMAGED when the log contradicts itself */
  take(item: LogItem, place: LogPlace): KeeperTask[] {
    switch (item.kind) {
      case 'entry':
        return this.#takeEntry(item.logged, place)
      case 'promise':
        return [item]
      case 'commit':
        return this.#leave(item.volume, this.#volume(item.volume).commit(item.through))
      case 'cut':
        return this.#cut(item.volume, item.to)
      case 'install':
        return this.#install(item.volume, item)
      default:
        return unreachable(item)
    }
  }

  /** An entry of a log whose entries need no commit has been applied. */
  pass(logged: LoggedEntry): void {
    this.#volumes.get(logged.entry.volume)?.pass(logged)
  }

  /** A volume is committed through `point`, which may not have been read yet. */
  note(volume: VolumeId, point: LogPoint): KeeperTask[] {
    const known = this.#volumes.get(volume)
    if (known !== undefined) return this.#leave(volume, known.note(point))
    // The store is not asked here: it may be closed at this moment.
    if (point.index > (this.#noted.get(volume)?.index ?? 0)) this.#noted.set(volume, point)
    return []
  }

  /** The logs of ended sessions have been read. From here on, what does not follow is a fault. */
  endReplay(): string[] {
    this.#onKnown = undefined
    this.keepCopies()
    return [...this.#volumes.values()].flatMap(({ stray }) => stray ?? [])
  }

  /** Goes on behind the old logs. @param baseOf as in the constructor */
  follow(baseOf: (volume: VolumeId) => LogPoint): void {
    this.#baseOf = baseOf
  }

  /** Makes copies of what stays: what was read lies in the large buffers of the reader. */
  keepCopies(): void {
    for (const pending of this.#fresh) {
      if (!pending.isGone) pending.logged = ownCopy(pending.logged)
    }
    this.#fresh = []
  }

  get pending(): PendingEntries[] {
    return Array.from(this.#waiting, ([volume, { queue }]) => ({
      volume,
      entries: queue.map(({ logged }) => logged)
    }))
  }

  pendingOf(volume: VolumeId): LoggedEntry[] {
    return (this.#waiting.get(volume)?.queue ?? []).map(({ logged }) => logged)
  }

  /** Committed as far as was heard; undefined of a volume of which nothing was. */
  committedOf(volume: VolumeId): Index | undefined {
    return this.#volumes.get(volume)?.committed ?? this.#noted.get(volume)?.index
  }

  /** Whether the log that was read says itself that this is committed. */
  isSaid({ entry: { volume, index } }: LoggedEntry): boolean {
    return index <= (this.#volumes.get(volume)?.said ?? 0)
  }

  /** Where reading has to begin to come by all that is pending; undefined when nothing is. */
  get lowest(): FeedMark | undefined {
    let lowest: FeedMark | undefined
    for (const { queue } of this.#waiting.values()) {
      const mark = queue[0]?.mark
      if (mark === undefined) continue
      if (lowest === undefined || isBefore(mark, lowest)) lowest = mark
    }
    return lowest
  }

  /** Where this session's feed first had something that is still pending. */
  get earliest(): Position | undefined {
    const sinces = Array.from(this.#waiting.values(), ({ queue }) => queue[0]?.since ?? Infinity)
    return sinces.length === 0 ? undefined : (Math.min(...sinces) as Position)
  }

  /** Volumes with something pending before `mark`. */
  waitingBefore(mark: FeedMark): VolumeId[] {
    return [...this.#waiting].flatMap(([volume, { queue }]) => {
      const first = queue[0]?.mark
      return first !== undefined && isBefore(first, mark) ? [volume] : []
    })
  }

  #takeEntry(logged: LoggedEntry, place: LogPlace): KeeperTask[] {
    const { volume } = logged.entry
    const state = this.#volume(volume)
    const taken = state.take(logged, place)
    if (taken === 'known') this.#onKnown?.(logged)
    if (taken === 'stray' && this.#onKnown === undefined) {
      throw new RoostError('FEED_DAMAGED', state.stray ?? 'an entry does not follow')
    }
    const last = state.queue.at(-1)
    if (taken === 'pending' && last?.logged === logged) this.#fresh.push(last)
    return this.#leave(volume, state.takeNoted())
  }

  #cut(volume: VolumeId, to: Index): KeeperTask[] {
    const state = this.#volume(volume)
    // In an old log the store may be further than the log was there.
    if (to < state.base.index && this.#onKnown === undefined) {
      const what = `volume ${volume} is cut to entry ${to}`
      throw new RoostError('FEED_DAMAGED', `${what}, and committed through ${state.base.index}`)
    }
    return this.#release(volume, state.cut(to))
  }

  #install(volume: VolumeId, point: LogPoint): KeeperTask[] {
    const state = this.#volume(volume)
    const isNews = point.index > state.base.index
    const tasks = this.#release(volume, state.install(point))
    if (isNews) tasks.push({ kind: 'install', volume, point })
    return tasks
  }

  #leave(volume: VolumeId, committed: readonly LoggedEntry[]): KeeperTask[] {
    this.#noteWaiting(volume)
    return committed.map(logged => ({ kind: 'apply', logged }))
  }

  #release(volume: VolumeId, entries: readonly LoggedEntry[]): KeeperTask[] {
    this.#noteWaiting(volume)
    const last = entries.at(-1)
    if (last === undefined) return []
    // Accepting an entry promised its epoch, which is not taken back with it.
    return [
      { kind: 'promise', volume, epoch: last.entry.epoch },
      { kind: 'release', entries }
    ]
  }

  #noteWaiting(volume: VolumeId): void {
    const state = this.#volumes.get(volume)
    if (state !== undefined && state.queue.length > 0) this.#waiting.set(volume, state)
    else this.#waiting.delete(volume)
  }

  #volume(volume: VolumeId): PendingVolume {
    let state = this.#volumes.get(volume)
    if (state === undefined) {
      state = new PendingVolume(volume, this.#baseOf(volume))
      this.#volumes.set(volume, state)
      const noted = this.#noted.get(volume)
      this.#noted.delete(volume)
      if (noted !== undefined) state.note(noted)
    }
    return state
  }
}
