/**
 * The durable side of a replica: store, containers and blobs, kept behind the log.
 *
 * It follows the feed of the session that serves, applies what is durable there in large
 * batches, and answers what the serving side does not have in memory. The serving side keeps in
 * memory whatever is not applied yet, so an answer from here is never newer or older than that.
 *
 * When the disk is full a batch fails as a whole; the store is then opened anew and the same
 * batch tried again later. Nothing is lost, because the log keeps it.
 */

import { BlobStore } from '../blob/blob-store.ts'
import { FeedReader } from '../feed/feed-reader.ts'
import { feedDirectoryOf, SEGMENT_SIZE, segmentOf, segmentPathOf } from '../feed/segment.ts'
import { segmentsOf } from '../feed/feed-scan.ts'
import { RoostError } from '../errors.ts'
import type { Ino, Position, SessionId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { Containers } from '../store/containers.ts'
import * as keys from '../store/keys.ts'
import { decodeCount, encodeCount, encodeMark, type FeedMark } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { applyEntry } from '../tree/apply.ts'
import { writeBatch, type KeeperFiles } from './batch-writer.ts'
import { DurableTree } from './durable-tree.ts'
import { LiveView } from './live-view.ts'
import * as recovery from './recovery.ts'

/** Bytes of log applied in one write to the store. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024
/** Bytes of zeros written at once when a segment is prepared. */
const FILL_BYTES = 1024 * 1024
/** Below this the store is not opened anew: it could fail, and then nothing could be read. */
const REOPEN_BYTES_MIN = 24 * 1024 * 1024
/** Keys of files to be deleted that are handled at once. */
const GARBAGE_MAX = 10_000
/** With less than this free, views are given up for what they keep from being deleted. */
const VIEW_BYTES_MIN = 256 * 1024 * 1024

export interface KeeperOptions {
  readonly disk: Disk
  /** Opens the store; called again when it has refused a write. */
  readonly openStore: () => Promise<Store>
}

export class Keeper {
  readonly #disk: Disk
  readonly #openStore: () => Promise<Store>
  readonly blobs: BlobStore
  readonly containers: Containers
  #store: Store
  #tree: DurableTree
  #reader: FeedReader
  #applied: FeedMark
  #checkpoint: FeedMark
  /** Set between a refused write and the next try. */
  #broken = false
  #reopening: Promise<void> | undefined
  readonly #preparing = new Map<number, Promise<void>>()
  /** A checkpoint, a batch and the reopening of the store exclude each other. */
  #busy: Promise<unknown> = Promise.resolve()
  #garbage = 0
  /** Open views, and whether each is still of use to somebody. */
  readonly #views = new Map<LiveView, () => boolean>()
  readonly recovered: recovery.RecoveryReport

  private constructor(
    options: KeeperOptions,
    files: KeeperFiles,
    start: FeedMark,
    recovered: recovery.RecoveryReport
  ) {
    this.#disk = options.disk
    this.#openStore = options.openStore
    this.#store = files.store
    this.blobs = files.blobs
    this.containers = files.containers
    this.#tree = new DurableTree(files.store)
    this.#applied = this.#checkpoint = start
    this.#reader = new FeedReader(options.disk, start.session, start.position, start.chain)
    this.recovered = recovered
  }

  /**
   * Recovers what earlier sessions left and begins a new one.
   *
   * @throws RoostError FEED_DAMAGED, STORE_FAILED
   */
  static async open(options: KeeperOptions): Promise<Keeper> {
    const store = await options.openStore()
    try {
      return await Keeper.#start(options, store)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  static async #start(options: KeeperOptions, store: Store): Promise<Keeper> {
    const { disk } = options
    const session = await nextSession(disk, store)
    const blobs = new BlobStore(disk)
    const files = { store, blobs, containers: new Containers(disk) }
    files.blobs.prepare()
    files.containers.prepare()
    const recovered = await recovery.recover(disk, files)
    files.blobs.clearStaged()
    const start = recovery.feedStart(session)
    const keeper = new Keeper(options, files, start, recovered)
    disk.makeDirectory(feedDirectoryOf(session))
    // Syncs everything, so the directories made here are durable before anything relies on them.
    await keeper.#writeCheckpoint(start)
    for (const old of recovery.sessionsOf(disk)) {
      if (old < session) recovery.removeFeed(disk, old)
    }
    await keeper.prepareSegment(0)
    return keeper
  }

  get session(): SessionId {
    return this.#applied.session
  }

  /** Entries before this position of the session's feed are in store and files. */
  get applied(): Position {
    return this.#applied.position
  }

  get checkpointed(): Position {
    return this.#checkpoint.position
  }

  get store(): Store {
    return this.#store
  }

  /** While the store is being opened anew it cannot be read; settles when that is over. */
  get reopening(): Promise<void> | undefined {
    return this.#reopening
  }

  /** Inodes that nothing names and that an ended session still had open. */
  async orphans(): Promise<Ino[]> {
    const [from, to] = keys.ORPHAN_RANGE
    const found = await this.#store.range(from, to, Infinity)
    return found.map(([key]) => keys.inoOfKey(key))
  }

  /** Files that wait for the next checkpoint to be deleted. */
  get garbage(): number {
    return this.#garbage
  }

  /**
   * Applies what lies below `durable`, one batch at the most.
   *
   * @returns whether that was all
   * @throws RoostError STORE_FAILED, DISK_FULL or what the disk throws; a later call tries again
   */
  applyBatch(durable: Position): Promise<boolean> {
    return this.#exclusively(() => this.#onWholeStore(() => this.#applyBatch(durable)))
  }

  /**
   * Syncs everything applied, and lets the log before it go.
   *
   * @throws RoostError STORE_FAILED or what the disk throws; nothing is lost then
   */
  writeCheckpoint(): Promise<void> {
    const task = (): Promise<void> => this.#writeCheckpoint(this.#applied)
    return this.#exclusively(() => this.#onWholeStore(task))
  }

  /**
   * A view of what is applied, as it is between two batches. Whoever asks closes it.
   *
   * @param isUsed asked now and then; when it is not, the view is given up
   * @throws RoostError STORE_FAILED while the store refuses writes
   */
  openView(isUsed: () => boolean): Promise<LiveView> {
    return this.#exclusively(async () => {
      await Promise.resolve()
      if (this.#broken) throw new RoostError('STORE_FAILED', 'the store is behind its files')
      const view = new LiveView({
        applied: this.#applied,
        checkpoint: this.#checkpoint,
        disk: this.#disk,
        store: this.#store.snapshot(),
        copies: this.containers.freeze(),
        onClose: closed => {
          this.#views.delete(closed)
          // What could not be deleted meanwhile is not forgotten.
          this.#garbage++
        }
      })
      this.#views.set(view, isUsed)
      return view
    })
  }

  /**
   * Makes a segment of the session's feed, filled with zeros, if it is not there.
   *
   * @throws what the disk throws; a later call tries again
   */
  prepareSegment(segment: number): Promise<void> {
    // Two that fill the same file would write zeros over what the first one's user has written.
    let preparing = this.#preparing.get(segment)
    if (preparing === undefined) {
      preparing = this.#prepareSegment(segment).finally(() => this.#preparing.delete(segment))
      this.#preparing.set(segment, preparing)
    }
    return preparing
  }

  async #prepareSegment(segment: number): Promise<void> {
    const path = segmentPathOf(this.session, segment)
    if (this.#disk.exists(path)) return
    const temporary = `${path}.new`
    const file = this.#disk.open(temporary, 'create')
    try {
      const zeros = Buffer.alloc(FILL_BYTES)
      for (let at = 0; at < SEGMENT_SIZE; at += FILL_BYTES) file.write(zeros, at)
      await file.sync()
    } catch (error) {
      file.close()
      this.#disk.remove(temporary)
      throw error
    }
    file.close()
    this.#disk.rename(temporary, path)
    await this.#disk.syncDirectory(feedDirectoryOf(this.session))
  }

  /** Bytes of the log that are on disk. */
  get logBytes(): number {
    return segmentsOf(this.#disk, this.session).length * SEGMENT_SIZE
  }

  /** Views that are open. */
  get viewCount(): number {
    return this.#views.size
  }

  async close(): Promise<void> {
    await this.#busy.catch(() => undefined)
    await this.#loseViews(() => 'the daemon ends')
    this.#reader.close()
    this.containers.close()
    await this.#store.close()
  }

  async #applyBatch(durable: Position): Promise<boolean> {
    let bytes = 0
    while (bytes < BATCH_BYTES_MAX) {
      const frame = this.#reader.nextBelow(durable)
      if (frame === undefined) break
      for (const logged of frame.entries) applyEntry(this.#tree, logged)
      bytes += frame.length
    }
    if (bytes > 0) {
      const { position, chain } = this.#reader
      const mark = { session: this.session, position, chain }
      const changes = this.#tree.takeChanges()
      await writeBatch(this.#files(), changes, mark)
      this.#garbage += keys.garbageIn(changes.keys)
      this.#applied = mark
    }
    return this.#reader.position >= durable
  }

  async #writeCheckpoint(mark: FeedMark): Promise<void> {
    while ((await this.#writeOneCheckpoint(mark)) >= GARBAGE_MAX) {
      // There was more to be deleted than is handled at once.
    }
    this.#garbage = 0
  }

  /** @returns how many files were deleted */
  async #writeOneCheckpoint(mark: FeedMark): Promise<number> {
    await this.#loseViews(isUsed => {
      if (!isUsed) return 'nobody asked for a while'
      return this.#disk.space().freeBytes < VIEW_BYTES_MIN ? 'the disk is nearly full' : undefined
    })
    const garbage = this.#views.size > 0 ? [] : await this.#removeGarbage()
    await this.#disk.syncAll()
    const bytes = encodeMark(mark)
    await this.#store.write([
      ...garbage.map(key => [key, undefined] as const),
      [keys.markKey('applied'), bytes],
      [keys.markKey('checkpoint'), bytes]
    ])
    this.#checkpoint = mark
    if (![...this.#views.keys()].some(({ holdsLog }) => holdsLog)) {
      recovery.removeSegmentsBefore(this.#disk, mark.session, segmentOf(mark.position))
    }
    return garbage.length
  }

  async #loseViews(reasonOf: (isUsed: boolean) => string | undefined): Promise<void> {
    for (const [view, isUsed] of this.#views) {
      const reason = reasonOf(isUsed())
      if (reason !== undefined) await view.lose(reason)
    }
  }

  /** Deletes files that nothing names any more. @returns the keys that can go when synced */
  async #removeGarbage(): Promise<string[]> {
    const blobs = (await this.#store.range(...keys.BLOB_GARBAGE_RANGE, GARBAGE_MAX))
      .map(([key]) => key)
      .filter(key => !this.blobs.isStaged(keys.blobOfKey(key)))
    for (const key of blobs) this.blobs.remove(keys.blobOfKey(key))
    const containers = await this.#store.range(...keys.CONTAINER_GARBAGE_RANGE, GARBAGE_MAX)
    for (const [key] of containers) this.containers.remove(keys.inoOfKey(key))
    return [...blobs, ...containers.map(([key]) => key)]
  }

  /** Runs a task that writes to the store, which is opened anew if it refused the last write. */
  async #onWholeStore<T>(task: () => Promise<T>): Promise<T> {
    if (this.#broken) {
      this.#reopening = this.#reopen().finally(() => (this.#reopening = undefined))
      await this.#reopening
    }
    try {
      return await task()
    } catch (error) {
      this.#broken = true
      throw error
    }
  }

  async #reopen(): Promise<void> {
    if (this.#disk.space().freeBytes < REOPEN_BYTES_MIN) {
      throw new RoostError('DISK_FULL', 'the store cannot be opened anew')
    }
    await this.#loseViews(() => 'the store had to be opened anew')
    await this.#store.close()
    this.#store = await this.#openStore()
    this.#tree = new DurableTree(this.#store)
    this.#applied = recovery.readMark(this.#store, 'applied')
    this.#reader.close()
    const { session, position, chain } = this.#applied
    this.#reader = new FeedReader(this.#disk, session, position, chain)
    this.#broken = false
  }

  #files(): KeeperFiles {
    return { store: this.#store, blobs: this.blobs, containers: this.containers }
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#busy.then(task, task)
    this.#busy = run.catch(() => undefined)
    return run
  }
}

/** Numbers the new session, durably, before anything is done in its name. */
async function nextSession(disk: Disk, store: Store): Promise<SessionId> {
  const stored = store.get(keys.markKey('session'))
  const last = stored === undefined ? 0 : decodeCount(stored)
  const newest = recovery.sessionsOf(disk).at(-1) ?? 0
  const session = Math.max(last, newest) + 1
  await store.write([[keys.markKey('session'), encodeCount(session)]])
  return session as SessionId
}
