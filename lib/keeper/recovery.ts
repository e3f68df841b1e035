/**
 * What happens between opening a data directory and serving it.
 *
 * The feeds of ended sessions are read from the checkpoint on, in the order of the sessions: what
 * the store already has is redone for its files, the rest is applied. A torn tail is cut, which
 * nobody was promised; damage to what was durable ends the start. Then everything is synced and a
 * checkpoint lets the old feeds go, so that the new session begins with a feed of its own.
 */

import { feedDirectoryOf, FEEDS_DIRECTORY, firstFrameOf, segmentPathOf } from '../feed/segment.ts'
import { scanFeed, segmentsOf, type FeedTail } from '../feed/feed-scan.ts'
import type { Frame } from '../feed/frame.ts'
import { NO_HASH, type Change } from '../feed/entry.ts'
import type { Position, SessionId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { markKey } from '../store/keys.ts'
import { decodeMark, type FeedMark } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { applyEntry } from '../tree/apply.ts'
import { writeBatch, type KeeperFiles } from './batch-writer.ts'
import { DurableTree } from './durable-tree.ts'
import { Redo } from './redo.ts'

/** Bytes of log applied in one write to the store. */
const BATCH_BYTES = 4 * 1024 * 1024

export interface RecoveryReport {
  /** Entries that the store did not have yet. */
  readonly entriesApplied: number
  /** One sentence for each feed whose end was torn. */
  readonly tornTails: readonly string[]
  /** What the last frame of the log holds, if there was one behind the checkpoint. */
  readonly lastChanges: readonly Change[]
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

/**
 * Brings store and files to the end of history.
 *
 * @throws RoostError FEED_DAMAGED, STORE_FAILED; the data directory is then as it was, or further
 *   along the same way
 */
export async function recover(disk: Disk, files: KeeperFiles): Promise<RecoveryReport> {
  const checkpoint = readMark(files.store, 'checkpoint')
  const applied = readMark(files.store, 'applied')
  const tree = new DurableTree(files.store)
  const redo = new Redo(tree, files)
  const replay = new Replay(tree, redo, files, applied)
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
  await replay.finish()
  const { entriesApplied, lastChanges } = replay
  return { entriesApplied, tornTails, lastChanges }
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
  readonly #tree: DurableTree
  readonly #redo: Redo
  readonly #files: KeeperFiles
  readonly #applied: FeedMark
  #redoing = true
  #unwritten = 0
  #mark: FeedMark
  entriesApplied = 0
  lastChanges: readonly Change[] = []

  constructor(tree: DurableTree, redo: Redo, files: KeeperFiles, applied: FeedMark) {
    this.#tree = tree
    this.#redo = redo
    this.#files = files
    this.#applied = applied
    this.#mark = applied
  }

  async run(session: SessionId, frames: Generator<Frame, FeedTail>): Promise<FeedTail> {
    for (;;) {
      const next = frames.next()
      if (next.done === true) return next.value
      this.#take(session, next.value)
      if (this.#unwritten >= BATCH_BYTES) await this.#write()
    }
  }

  async finish(): Promise<void> {
    if (this.#redoing) this.#redo.finish()
    if (this.#unwritten > 0) await this.#write()
  }

  #take(session: SessionId, frame: Frame): void {
    this.lastChanges = frame.entries.map(({ entry }) => entry.change)
    const { session: appliedSession, position } = this.#applied
    const known =
      session < appliedSession || (session === appliedSession && frame.position < position)
    if (known) {
      for (const logged of frame.entries) this.#redo.redo(logged)
      return
    }
    // The store's own state ends the redoing: from here on the tree moves.
    if (this.#redoing) this.#redo.finish()
    this.#redoing = false
    for (const logged of frame.entries) applyEntry(this.#tree, logged)
    this.entriesApplied += frame.entries.length
    this.#unwritten += frame.length
    this.#mark = {
      session,
      position: (frame.position + frame.length) as Position,
      chain: frame.chain
    }
  }

  async #write(): Promise<void> {
    await writeBatch(this.#files, this.#tree.takeChanges(), this.#mark)
    this.#unwritten = 0
  }
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
