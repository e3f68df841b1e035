/**
 * Turns changes into entries: numbers them, dates them, hands them to the log and applies them.
 *
 * The log comes first: an entry is handed to the disk before anything in memory changes, and so
 * before any answer that tells of it. A volume's first change in a session begins a new epoch.
 */

import { FsError, RoostError } from '../errors.ts'
import { NO_HASH, withPrevious, type Change, type LoggedEntry } from '../feed/entry.ts'
import { entrySizeOf } from '../feed/entry-size.ts'
import type { Appendable } from '../feed/feed-writer.ts'
import type { Epoch, Index, Position, VolumeId } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import { applyEntry } from '../tree/apply.ts'
import { nextTime } from '../tree/next-time.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'
import { present } from '../util/assert.ts'
import type { LiveTree } from './live-tree.ts'
import type { Journal, Leases } from './ports.ts'
import { Wait } from './wait.ts'

/** A change that is to become an entry of `volume`. */
export interface NewChange {
  readonly volume: VolumeId
  readonly change: Change
  /** Of a seal: the riding blobs' bytes. */
  readonly bodies?: readonly Buffer[]
}

/** What an op waits for when the log has no prepared segment. */
export const SEGMENT_WAIT = 'segment'

export class Recorder {
  readonly #journal: Journal
  readonly #tree: LiveTree
  readonly #clock: Clock
  readonly #leases: Leases
  readonly #begun = new Map<VolumeId, Epoch>()
  /** Where the log ends with each volume's last entry of this session. */
  readonly #ends = new Map<VolumeId, Position>()
  #entries = 0

  constructor(journal: Journal, tree: LiveTree, clock: Clock, leases: Leases) {
    this.#journal = journal
    this.#tree = tree
    this.#clock = clock
    this.#leases = leases
  }

  /** Entries made in this session. */
  get entries(): number {
    return this.#entries
  }

  /** How far the log has to be durable for all that happened in `volume`. */
  endOf(volume: VolumeId): Position {
    return this.#ends.get(volume) ?? (0 as Position)
  }

  /**
   * Makes entries of all the changes, or of none, and applies them.
   *
   * @throws Wait before anything happened; FsError ENOSPC the log has no room, EIO it failed
   */
  record(changes: readonly NewChange[]): void {
    const items = this.#entriesOf(changes)
    const hashes = this.#append(items)
    this.#tree.position = this.#journal.end
    const logged = items.map((item, i) => this.#apply(item, present(hashes[i], 'hash')))
    this.#entries += items.length
    if (this.#leases.isShared) this.#tellLeases(logged)
  }

  /** The time of a change that becomes an entry only later; ns since 1970. */
  touch(volume: VolumeId): bigint {
    this.#leases.require(volume)
    const record = this.#tree.volume(volume)
    record.time = nextTime(this.#clock.nowNs(), record.time)
    return record.time
  }

  #apply({ entry, bodies }: Appendable, hash: Buffer): LoggedEntry {
    // Entries of one volume in one frame follow each other; only the first knew its predecessor.
    const previous = this.#tree.volume(entry.volume).hash
    const follows = entry.previous === previous
    const logged: LoggedEntry = {
      entry: follows ? entry : withPrevious(entry, previous),
      hash,
      bodies: bodies as Buffer[]
    }
    applyEntry(this.#tree, logged)
    this.#begun.set(entry.volume, entry.epoch)
    this.#ends.set(entry.volume, this.#journal.end)
    return logged
  }

  #tellLeases(logged: readonly LoggedEntry[]): void {
    for (const volume of new Set(logged.map(({ entry }) => entry.volume))) {
      this.#leases.appended(
        volume,
        logged.filter(({ entry }) => entry.volume === volume)
      )
    }
  }

  #entriesOf(changes: readonly NewChange[]): Appendable[] {
    const heads = new Map<VolumeId, Pick<VolumeRecord, 'epoch' | 'index' | 'time' | 'hash'>>()
    const items: Appendable[] = []
    const push = (volume: VolumeId, change: Change, bodies: readonly Buffer[]): void => {
      const head = present(heads.get(volume), 'head')
      head.index = (head.index + 1) as Index
      head.time = nextTime(this.#clock.nowNs(), head.time)
      const { epoch, index, time, hash: previous } = head
      items.push({ entry: { volume, epoch, index, previous, time, change }, bodies })
      head.hash = NO_HASH
    }
    for (const { volume, change, bodies = [] } of changes) {
      if (!heads.has(volume)) {
        const { epoch, index, time, hash } = this.#tree.volume(volume)
        const begun = this.#leases.epochOf(volume) ?? this.#begun.get(volume)
        heads.set(volume, { epoch: begun ?? ((epoch + 1) as Epoch), index, time, hash })
        if (begun === undefined) {
          push(volume, { kind: 'begin', session: this.#journal.session, skip: 0 }, [])
        }
      }
      push(volume, change, bodies)
    }
    return items
  }

  #append(items: readonly Appendable[]): readonly Buffer[] {
    const bytes = items.reduce((sum, item) => sum + entrySizeOf(item), 0)
    if (!this.#journal.hasRoomFor(bytes)) throw new Wait(SEGMENT_WAIT)
    try {
      return this.#journal.append(items)
    } catch (error) {
      if (error instanceof RoostError && error.code === 'DISK_FULL') throw new FsError('ENOSPC')
      throw error
    }
  }
}
