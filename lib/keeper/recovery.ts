/**
 * What happens between opening a data directory and serving it.
 *
 * The feeds of ended sessions are read from the checkpoint on, in the order of the sessions: what
 * the store already has is redone for its files, the rest is applied. A torn tail is cut, which
 * nobody was promised; damage to what was durable ends the start. Then everything is synced and a
 * checkpoint lets the old feeds go, so that the new session begins with a feed of its own.
 *
 * Of a replica of a cluster only what is committed is applied. What is left then stays in the old
 * feeds, which go when the new session's feed has it as well, or when it is decided.
 */

import { feedDirectoryOf, FEEDS_DIRECTORY, firstFrameOf, segmentPathOf } from '../feed/segment.ts'
import { scanFeed, segmentsOf, type FeedTail } from '../feed/feed-scan.ts'
import type { Frame } from '../feed/frame.ts'
import { NO_HASH, type Change } from '../feed/entry.ts'
import type { Position, SessionId, VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { COMMIT_RANGE, markKey, volumeOfKey } from '../store/keys.ts'
import {
  decodeCount,
  decodeMark,
  decodePoint,
  encodeCount,
  type FeedMark
} from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { applyEntry } from '../tree/apply.ts'
import { writeBatch, type KeeperFiles } from './batch-writer.ts'
import { DurableTree } from './durable-tree.ts'
import { KnownEntries } from './known-entries.ts'
import { PendingLog, type KeeperTask, type PendingEntries } from './pending-log.ts'
import type { LogPoint } from './pending-volume.ts'
import { Redo } from './redo.ts'
import { runInstall, runTask, sizeOf, type InstallCheckpoint } from './task-batch.ts'

/** Bytes of log applied in one write to the store. */
const BATCH_BYTES = 4 * 1024 * 1024

export interface RecoveryReport {
  /** Entries that the store did not have yet. */
  readonly entriesApplied: number
  /** One sentence for each feed whose end was torn. */
  readonly tornTails: readonly string[]
  /** What the last frame with something made here holds, if there was one behind the checkpoint. */
  readonly lastChanges: readonly Change[]
  /** What is in no history although it was read, a sentence for each volume. */
  readonly strays: readonly string[]
  /** What is not committed, and may still be: it has to be appended to the new session's feed. */
  readonly pending: readonly PendingEntries[]
}

export interface Recovery {
  readonly report: RecoveryReport
  /** Goes on with the new session's feed. */
  readonly log: PendingLog
}

/** Where a feed begins. */
export function feedStart(session: SessionId): FeedMark {
  return { session, position: firstFrameOf(0), chain: NO_HASH }
}

export function readMark(store: Store, mark: 'applied' | 'checkpoint'): FeedMark {
  const stored = store.get(markKey(mark))
  return stored === undefined ? feedStart(0 as SessionId) : decodeMark(stored)
}

/** Sessions that left a feed, ascending. */
export function sessionsOf(disk: Disk): SessionId[] {
  if (!disk.exists(FEEDS_DIRECTORY)) return []
  return disk
    .list(FEEDS_DIRECTORY)
    .filter(name => /^\d{10}$/.test(name))
    .map(name => Number(name) as SessionId)
    .sort((a, b) => a - b)
}

/** Numbers the new session, durably, before anything is done in its name. */
export async function nextSession(disk: Disk, store: Store): Promise<SessionId> {
  const stored = store.get(markKey('session'))
  const last = stored === undefined ? 0 : decodeCount(stored)
  const newest = sessionsOf(disk).at(-1) ?? 0
  const session = Math.max(last, newest) + 1
  await store.write([[markKey('session'), encodeCount(session)]])
  return session as SessionId
}

/**
 * Brings store and files to the end of history.
 *
 * @throws RoostError FEED_DAMAGED, STORE_FAILED; the data directory is then as it was, or further
 *   along the same way
 */
export async function recover(
  disk: Disk,
  files: KeeperFiles,
  installCheckpoint?: InstallCheckpoint
): Promise<Recovery> {
  const checkpoint = readMark(files.store, 'checkpoint')
  const applied = readMark(files.store, 'applied')
  const replay = new Replay(disk, files, applied, installCheckpoint)
  for (const [key, value] of await files.store.range(...COMMIT_RANGE, Infinity)) {
    replay.log.note(volumeOfKey(key), decodePoint(value))
  }
  const tornTails: string[] = []
  for (const session of sessionsOf(disk)) {
    if (session < checkpoint.session) continue
    await syncFeed(disk, session)
    const from = session === checkpoint.session ? checkpoint : feedStart(session)
    const attested = session === applied.session ? applied.position : (0 as Position)
    const tail = await replay.run(session, scanFeed(disk, session, from, attested))
    if (tail.torn !== undefined) {
      const { position, reason } = tail.torn
      tornTails.push(`feed ${session} was cut at ${position}: ${reason}`)
    }
  }
  const strays = await replay.finish()
  const { entriesApplied, lastChanges, log } = replay
  const { pending } = log
  return { report: { entriesApplied, tornTails, lastChanges, strays, pending }, log }
}

/**
 * Makes what is read now what a power cut leaves: after a mere kill the end of a feed is in the
 * page cache only, and the store must not get ahead of it.
 */
async function syncFeed(disk: Disk, session: SessionId): Promise<void> {
  for (const segment of segmentsOf(disk, session)) {
    const file = disk.open(segmentPathOf(session, segment), 'existing')
    try {
      await file.sync()
    } finally {
      file.close()
    }
  }
  await disk.syncDirectory(feedDirectoryOf(session))
}

class Replay {
  readonly #disk: Disk
  readonly #files: KeeperFiles
  readonly #applied: FeedMark
  readonly #installCheckpoint: InstallCheckpoint | undefined
  readonly #known = new KnownEntries()
  readonly log: PendingLog
  readonly #redo: Redo
  #tree: DurableTree
  #unwritten = 0
  #mark: FeedMark
  entriesApplied = 0
  lastChanges: readonly Change[] = []

  constructor(
    disk: Disk,
    files: KeeperFiles,
    applied: FeedMark,
    installCheckpoint: InstallCheckpoint | undefined
  ) {
    this.#disk = disk
    this.#files = files
    this.#applied = applied
    this.#installCheckpoint = installCheckpoint
    this.#mark = applied
    this.#tree = new DurableTree(files.store)
    this.#redo = new Redo(() => this.#tree, files)
    const baseOf = (volume: VolumeId): LogPoint => ({ ...this.#tree.volume(volume) })
    this.log = new PendingLog(baseOf, logged => {
      this.#known.note(logged)
    })
  }

  async run(session: SessionId, frames: Generator<Frame, FeedTail>): Promise<FeedTail> {
    for (;;) {
      const next = frames.next()
      if (next.done === true) return next.value
      const { hasOwn, entries } = next.value
      if (hasOwn) this.lastChanges = entries.map(({ entry }) => entry.change)
      if (next.value.isReplicated) await this.#takeItems(session, next.value)
      else this.#takeEntries(session, next.value)
      if (this.#unwritten >= BATCH_BYTES) await this.#write()
    }
  }

  /** @returns what was read and is in no history */
  async finish(): Promise<string[]> {
    for (const volume of this.#known.volumes) this.#redoVolume(volume)
    this.#redo.finish()
    if (this.#unwritten > 0) await this.#write()
    return this.log.endReplay()
  }

  #takeEntries(session: SessionId, frame: Frame): void {
    const { session: appliedSession, position } = this.#applied
    const known =
      session < appliedSession || (session === appliedSession && frame.position < position)
    if (known) {
      for (const logged of frame.entries) this.#redo.redo(logged)
      return
    }
    // The store's own state ends the redoing: from here on the tree moves.
    this.#redo.finish()
    for (const logged of frame.entries) {
      applyEntry(this.#tree, logged)
      this.log.pass(logged)
    }
    this.entriesApplied += frame.entries.length
    this.#unwritten += frame.length
    this.#mark = endOf(session, frame)
  }

  async #takeItems(session: SessionId, frame: Frame): Promise<void> {
    this.#tree.isUncertain = true
    const { position, chainBefore: chain } = frame
    const place = { mark: { session, position, chain }, since: firstFrameOf(0) }
    for (const item of frame.items) {
      for (const task of this.log.take(item, place)) await this.#run(task)
    }
    // So that a promise alone is written as well.
    this.#unwritten++
    this.#mark = endOf(session, frame)
  }

  async #run(task: KeeperTask): Promise<void> {
    if (task.kind === 'install') {
      this.#redoVolume(task.volume)
      await this.#write()
      await runInstall(this.#disk, this.#files, task, this.#installCheckpoint)
      this.#tree = new DurableTree(this.#files.store)
      this.#tree.isUncertain = true
      return
    }
    if (task.kind === 'apply') {
      this.#redoVolume(task.logged.entry.volume)
      this.entriesApplied++
      this.#unwritten += sizeOf(task.logged)
    }
    runTask(this.#tree, task)
    if (this.#unwritten >= BATCH_BYTES) await this.#write()
  }

  /** Before anything moves in a volume, its files get what the store says that they have. */
  #redoVolume(volume: VolumeId): void {
    if (this.#known.has(volume)) {
      const row = this.#known.takeRow(volume, this.#tree.volume(volume))
      for (const logged of row) this.#redo.redo(logged)
    }
    this.#redo.finish()
  }

  async #write(): Promise<void> {
    await writeBatch(this.#files, this.#tree.takeChanges(), this.#mark)
    this.#unwritten = 0
  }
}

function endOf(session: SessionId, { position, length, chain }: Frame): FeedMark {
  return { session, position: (position + length) as Position, chain }
}

/** Removes a feed that a checkpoint has made superfluous. */
export function removeFeed(disk: Disk, session: SessionId): void {
  const directory = feedDirectoryOf(session)
  for (const name of disk.list(directory)) disk.remove(`${directory}/${name}`)
  disk.removeDirectory(directory)
}

/** Removes the segments of a feed in use that lie wholly before `segment`. */
export function removeSegmentsBefore(disk: Disk, session: SessionId, segment: number): void {
  for (const number of segmentsOf(disk, session)) {
    if (number < segment) {
      disk.remove(segmentPathOf(session, number))
    }
  }
}
