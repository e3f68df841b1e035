/**
 * The durable side of a replica: store, containers and blobs, kept behind the log.
 *
 * It follows the feed of the session that serves, applies what is durable there in large
 * batches, and answers what the serving side does not have in memory. The serving side keeps in
 * memory whatever is not applied yet, so an answer from here is never newer or older than that.
 *
 * In a cluster an entry of the log is history only when it is committed. The rest waits, and the
 * log is kept from there on. Where nobody replicates, every durable entry is applied as it is read.
 *
 * When the disk is full a batch fails as a whole; the store is then opened anew and the same
 * batch tried again later. Nothing is lost, because the log keeps it.
 */

import { BlobStore } from '../blob/blob-store.ts'
import { FeedReader } from '../feed/feed-reader.ts'
import { feedDirectoryOf, firstFrameOf, SEGMENT_SIZE, segmentOf } from '../feed/segment.ts'
import { segmentsOf } from '../feed/feed-scan.ts'
import { RoostError } from '../errors.ts'
import type { HistoryPoint } from '../council/lease-record.ts'
import type { Index, Ino, Position, SessionId, VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { Containers } from '../store/containers.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import type { FeedMark } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { applyEntry } from '../tree/apply.ts'
import { present } from '../util/assert.ts'
import { writeBatch, writeCommits, type KeeperFiles } from './batch-writer.ts'
import { CommitFollower, type OnCarryNeeded } from './commit-follower.ts'
import { DurableTree } from './durable-tree.ts'
import { removeGarbage } from './garbage.ts'
import { headsIn, type VolumeHead } from './heads.ts'
import { LiveView } from './live-view.ts'
import { PendingClaims } from './pending-claims.ts'
import type { KeeperTask } from './pending-log.ts'
import * as recovery from './recovery.ts'
import { SegmentMaker } from './segment-maker.ts'
import { runInstall, runTask, type InstallCheckpoint } from './task-batch.ts'
import { recordIn, volumeStateIn, type VolumeState } from './volume-state.ts'

/** Bytes of log applied in one write to the store. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024
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
  /** Of a replica of a cluster: what is appended to the log waits until it is committed. */
  readonly isReplicated?: boolean
  readonly installCheckpoint?: InstallCheckpoint
  readonly onCarryNeeded?: OnCarryNeeded
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
  readonly #segments: SegmentMaker
  /** Of a replica of a cluster. */
  readonly #follower: CommitFollower | undefined
  readonly #claims: PendingClaims
  readonly #installCheckpoint: InstallCheckpoint | undefined
  #hasOldFeeds = false
  #onWork: () => void = () => undefined
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
    { report, log }: recovery.Recovery,
    claims: PendingClaims
  ) {
    this.#disk = options.disk
    this.#openStore = options.openStore
    this.#store = files.store
    this.blobs = files.blobs
    this.containers = files.containers
    this.#tree = new DurableTree(files.store)
    this.#applied = this.#checkpoint = start
    this.#reader = new FeedReader(options.disk, start.session, start.position, start.chain)
    this.recovered = report
    this.#segments = new SegmentMaker(options.disk, start.session)
    this.#installCheckpoint = options.installCheckpoint
    this.#claims = claims
    if (options.isReplicated === true) {
      log.follow(volume => recordIn(this.#store, volume))
      this.#follower = new CommitFollower(log, start, options.onCarryNeeded ?? (() => undefined))
    }
  }

  /**
   * Recovers what earlier sessions left and begins a new one.
   *
   * What is pending stays in the old feeds until the new one has it, see `recovered.pending`.
   *
   * @throws RoostError FEED_DAMAGED, STORE_FAILED; DATA_UNUSABLE where something is pending, and
   *   the replica is in no cluster
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
    const session = await recovery.nextSession(disk, store)
    const blobs = new BlobStore(disk)
    const files = { store, blobs, containers: new Containers(disk) }
    files.blobs.prepare()
    files.containers.prepare()
    const recovered = await recovery.recover(disk, files, options.installCheckpoint)
    const { pending } = recovered.report
    if (pending.length > 0 && options.isReplicated !== true) {
      const what = `${pending.length} volumes have changes that wait for other replicas`
      throw new RoostError('DATA_UNUSABLE', `${what}: this store has to be mounted as a member`)
    }
    const claims = new PendingClaims(blobs, pending)
    files.blobs.clearStaged()
    const start = recovery.feedStart(session)
    const keeper = new Keeper(options, files, start, recovered, claims)
    disk.makeDirectory(feedDirectoryOf(session))
    keeper.#hasOldFeeds = recovery.sessionsOf(disk).some(old => old < session)
    // Syncs everything, so the directories made here are durable before anything relies on them.
    await keeper.#writeCheckpoint(start)
    await keeper.prepareSegment(0)
    return keeper
  }

  get session(): SessionId {
    return this.#applied.session
  }

  /**
   * Entries before this position of the session's feed are in store and files, or will never be.
   *
   * One that is pending counts where it was first appended in this session.
   */
  get applied(): Position {
    return this.#follower?.applied ?? this.#applied.position
  }

  /** How far the log was read. In no cluster everything read is applied. */
  get read(): Position {
    return this.#follower === undefined ? this.#applied.position : this.#reader.position
  }

  get checkpointed(): Position {
    const { session, position } = this.#checkpoint
    return session === this.session ? position : firstFrameOf(0)
  }

  /** Bytes of log that a checkpoint would let go; Infinity for whole feeds of ended sessions. */
  get clearableBytes(): number {
    const lowest = this.#lowest
    if (lowest.session !== this.#checkpoint.session) return Infinity
    return lowest.position - this.#checkpoint.position
  }

  /** Whether there is something to apply, the log being durable through `durable`. */
  hasWork(durable: Position): boolean {
    if (durable > this.read) return true
    return this.#follower !== undefined && (this.#follower.hasTasks || this.#follower.hasFailed)
  }

  /** Whether somebody waits for what there is to apply. */
  get isWanted(): boolean {
    return this.#follower?.isWanted === true
  }

  /** `listener` is told when there is more to do, or somebody begins to wait for it. */
  set onWork(listener: () => void) {
    this.#onWork = listener
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

  /** Where each volume stands in the store. */
  heads(): Promise<VolumeHead[]> {
    return headsIn(this.#store)
  }

  /** As the start has found it; not to be asked after the session has appended anything. */
  volumeStateOf(volume: VolumeId): VolumeState {
    return volumeStateIn(this.#store, volume, this.#follower?.pendingOf(volume) ?? [])
  }

  /** The last entry of a volume that the store has; not while it is `reopening`. */
  appliedIndexOf(volume: VolumeId): Index {
    return recordIn(this.#store, volume).index
  }

  /** The volume is acknowledged through `point`, so that it may be applied when it is durable. */
  noteCommitted(volume: VolumeId, point: HistoryPoint): void {
    const { epoch, index, hash } = point
    const follower = present(this.#follower, 'cluster')
    follower.note(volume, { epoch, index, hash: Buffer.from(hash, 'hex') })
    if (follower.hasTasks) this.#onWork()
  }

  /**
   * Resolves when the store has a volume through `index`, which has to be noted as committed; soon
   * after the entries are durable here.
   *
   * @throws RoostError STORE_FAILED when the keeper is closed before
   */
  async applyThrough(volume: VolumeId, index: Index): Promise<void> {
    const follower = present(this.#follower, 'cluster')
    if (this.#reopening !== undefined) await this.#reopening.catch(() => undefined)
    if (recordIn(this.#store, volume).index >= index) return
    const applied = follower.untilApplied(volume, index)
    this.#onWork()
    return applied
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
    return this.#segments.prepare(segment)
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
    this.#follower?.close()
    await this.#loseViews(() => 'the daemon ends')
    this.#reader.close()
    this.containers.close()
    await this.#store.close()
  }

  async #applyBatch(durable: Position): Promise<boolean> {
    if (this.#follower !== undefined) return this.#applyCommitted(this.#follower, durable)
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

  async #applyCommitted(follower: CommitFollower, durable: Position): Promise<boolean> {
    follower.mustBeSound()
    // What a refused write has left comes first; reading on meanwhile would fill the memory.
    let bytes = follower.hasTasks ? BATCH_BYTES_MAX : 0
    while (bytes < BATCH_BYTES_MAX) {
      const frame = this.#reader.nextBelow(durable)
      if (frame === undefined) break
      follower.take(frame)
      bytes += frame.length
    }
    follower.keepCopies()
    const { position, chain } = this.#reader
    const mark = { session: this.session, position, chain }
    while (follower.hasTasks) {
      const tasks = follower.nextTasks(BATCH_BYTES_MAX)
      await this.#runTasks(follower, tasks, mark)
      follower.done(tasks.length)
      this.#claims.release(tasks)
      follower.answer(volume => recordIn(this.#store, volume).index)
    }
    follower.settle(mark)
    this.#applied = mark
    return position >= durable
  }

  async #runTasks(
    follower: CommitFollower,
    tasks: readonly KeeperTask[],
    mark: FeedMark
  ): Promise<void> {
    for (const task of tasks) {
      if (task.kind === 'install') {
        await runInstall(this.#disk, this.#files(), task, this.#installCheckpoint)
        this.#tree = new DurableTree(this.#store)
        // What it took away is deleted like all else.
        this.#garbage++
        return
      }
      runTask(this.#tree, task)
    }
    const changes = this.#tree.takeChanges()
    await writeCommits(this.#files(), changes, follower.unsaidIn(tasks))
    await writeBatch(this.#files(), changes, mark)
    this.#garbage += keys.garbageIn(changes.keys)
  }

  /** Where reading would have to begin after a crash. */
  get #lowest(): FeedMark {
    return this.#follower?.lowest ?? this.#applied
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
    const garbage = this.#views.size > 0 ? [] : await removeGarbage(this.#files(), GARBAGE_MAX)
    await this.#disk.syncAll()
    const lowest = this.#lowest
    await this.#store.write([
      ...garbage.map(key => [key, undefined] as const),
      [keys.markKey('applied'), records.encodeMark(mark)],
      [keys.markKey('checkpoint'), records.encodeMark(lowest)]
    ])
    this.#checkpoint = lowest
    if (![...this.#views.keys()].some(({ holdsLog }) => holdsLog)) this.#removeLogBefore(lowest)
    return garbage.length
  }

  #removeLogBefore({ session, position }: FeedMark): void {
    recovery.removeSegmentsBefore(this.#disk, session, segmentOf(position))
    if (!this.#hasOldFeeds) return
    for (const old of recovery.sessionsOf(this.#disk)) {
      if (old < session) recovery.removeFeed(this.#disk, old)
    }
    this.#hasOldFeeds = session < this.session
  }

  async #loseViews(reasonOf: (isUsed: boolean) => string | undefined): Promise<void> {
    for (const [view, isUsed] of this.#views) {
      const reason = reasonOf(isUsed())
      if (reason !== undefined) await view.lose(reason)
    }
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
    if (this.#follower === undefined) {
      this.#applied = recovery.readMark(this.#store, 'applied')
      this.#reader.close()
      const { session, position, chain } = this.#applied
      this.#reader = new FeedReader(this.#disk, session, position, chain)
    }
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
