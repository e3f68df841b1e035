import { CachedBlobs } from '../../lib/blob/cached-blobs.ts'
import { ERRNO, FsError, type ErrnoName } from '../../lib/errors.ts'
import type { Appendable } from '../../lib/feed/feed-writer.ts'
import { FeedSyncer } from '../../lib/feed/feed-syncer.ts'
import { FeedWriter } from '../../lib/feed/feed-writer.ts'
import { segmentPathOf } from '../../lib/feed/segment.ts'
import { reviveLoaded } from '../../lib/fuse/thread-messages.ts'
import { LoadAnswerer } from '../../lib/host/load-answerer.ts'
import type { Ino, Position, SessionId } from '../../lib/ids.ts'
import type { Disk } from '../../lib/io/disk.ts'
import { Keeper } from '../../lib/keeper/keeper.ts'
import { FileClassifier } from '../../lib/mail/file-class.ts'
import type { Store } from '../../lib/store/store.ts'
import { assert } from '../../lib/util/assert.ts'
import type { Journal, Load, Loaded, Space } from '../../lib/vfs/ports.ts'
import { DEFAULT_CACHE_LIMITS } from '../../lib/vfs/live-tree.ts'
import { SEGMENT_WAIT } from '../../lib/vfs/recorder.ts'
import { Vfs } from '../../lib/vfs/vfs.ts'
import { Wait } from '../../lib/vfs/wait.ts'
import { PowerCut } from './sim-disk.ts'

/** How often an op may have to wait before it is taken for one that never ends. */
const TRIES_MAX = 5000

/** A frame has been appended. */
export type OnAppend = (
  items: readonly Appendable[],
  hashes: readonly Buffer[],
  place: { session: SessionId; from: Position; end: Position }
) => void

export interface SimReplicaOptions {
  /** A simulated disk, or one without power cuts. */
  readonly disk: Disk & { readonly isOff?: boolean }
  readonly store: { open(): Promise<Store> }
  readonly onAppend?: OnAppend
  /** Bytes are to become a blob that does not ride in the log. */
  readonly onStage?: (bytes: Uint8Array) => void
  /** Bytes that a write may still take; unlimited by default. */
  readonly space?: Space
  readonly volumeDepth?: number
  /** Whether the kernel tells of opens and closes, or only of what it forgets. */
  readonly tracksOpens?: boolean
  /** Memory for names and attributes, see CacheLimits. */
  readonly metadataBytesMax?: number
  /** Recovery is over, and nothing new has begun. */
  readonly onRecovered?: (keeper: Keeper) => void
}

type Message =
  | { readonly kind: 'applied'; readonly position: Position }
  | { readonly kind: 'loaded'; readonly answer: Loaded }

/**
 * A whole replica without threads, kernel and clock: whoever drives it says when the feed is
 * synced, when the store catches up, and when an answer arrives at the serving side.
 */
export class SimReplica {
  readonly vfs: Vfs
  readonly keeper: Keeper
  readonly #disk: SimReplicaOptions['disk']
  readonly #writer: FeedWriter
  readonly #syncer: FeedSyncer
  readonly #answerer: LoadAnswerer
  readonly #cachedBlobs: CachedBlobs
  /** What the serving side asked for and the main side has not looked at. */
  #loads: Load[] = []
  readonly #asked = new Set<string>()
  /** What the main side said and the serving side has not heard. */
  #messages: Message[] = []
  /** What the main side had to complain about. */
  readonly warnings: string[] = []
  readonly tracksOpens: boolean

  private constructor(options: SimReplicaOptions, keeper: Keeper) {
    const { disk } = options
    this.keeper = keeper
    this.#cachedBlobs = new CachedBlobs(options.disk)
    this.tracksOpens = options.tracksOpens ?? true
    this.#disk = disk
    this.#writer = new FeedWriter(disk, keeper.session)
    this.#syncer = new FeedSyncer(disk, keeper.session)
    const note = (message: string): void => void this.warnings.push(message)
    const logger = { debug: note, info: note, warn: note, error: note }
    this.#answerer = new LoadAnswerer(keeper, logger, answer => {
      this.#messages.push({ kind: 'loaded', answer: structuredClone(answer) })
    })
    this.vfs = new Vfs({
      journal: this.#journal(options.onAppend),
      loader: {
        load: load => {
          if (this.#asked.has(load.key)) return
          this.#asked.add(load.key)
          if (load.kind === 'stage') options.onStage?.(load.bytes)
          this.#loads.push(structuredClone(load))
        }
      },
      cachedBlobs: this.#cachedBlobs,
      clock: simClock(),
      space: options.space ?? { reserve: () => true, totals: () => disk.space() },
      classifier: new FileClassifier(),
      volumeDepth: options.volumeDepth ?? 1,
      tracksOpens: this.tracksOpens,
      ...(options.metadataBytesMax !== undefined && {
        cacheLimits: { ...DEFAULT_CACHE_LIMITS, metadataBytes: options.metadataBytesMax }
      })
    })
  }

  /** Recovers what is on the disk and begins to serve. */
  static async start(options: SimReplicaOptions): Promise<SimReplica> {
    const { disk, store } = options
    const keeper = await Keeper.open({ disk, openStore: () => store.open() })
    options.onRecovered?.(keeper)
    const replica = new SimReplica(options, keeper)
    const orphans = await keeper.orphans()
    await replica.run(() => {
      replica.vfs.start({ uid: 0, gid: 0 }, orphans)
    })
    return replica
  }

  /** Everything below is durable. */
  get durable(): Position {
    return this.#syncer.durable
  }

  get end(): Position {
    return this.#writer.end
  }

  get roomInSegment(): number {
    return this.#writer.roomInSegment
  }

  get loadCount(): number {
    return this.#loads.length
  }

  /**
   * Runs an op to its end, as often as it has to wait.
   *
   * @throws FsError as the kernel would get it; PowerCut when that came first
   */
  async run<T>(op: () => T): Promise<T> {
    this.vfs.shed()
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      try {
        return op()
      } catch (error) {
        this.#mustHavePower()
        if (!(error instanceof Wait)) throw error
        await this.#bring(error.key)
      }
    }
    throw new Error('an op waits without end')
  }

  /** As fsync(2) on a file or directory. */
  async fsync(ino: Ino): Promise<void> {
    await this.syncThrough(await this.run(() => this.vfs.data.fsync(ino)))
  }

  async syncThrough(position = this.#writer.end): Promise<void> {
    await this.#syncer.syncThrough(position)
  }

  /** The store takes a batch of what is durable, and says so. @returns whether that was all */
  async applyBatch(): Promise<boolean> {
    const isAll = await this.keeper.applyBatch(this.#syncer.durable)
    this.#messages.push({ kind: 'applied', position: this.keeper.applied })
    return isAll
  }

  /** Syncs, and lets the store and the serving side catch up with it. */
  async catchUp(): Promise<void> {
    await this.syncThrough()
    while (!(await this.applyBatch()));
    await this.answerLoads()
    this.deliver()
  }

  /** The main side looks at what it was asked, at most `count` of it. */
  async answerLoads(count = Infinity): Promise<void> {
    for (let i = 0; i < count; i++) {
      const load = this.#loads.shift()
      if (load === undefined) return
      await this.#answer(load)
    }
  }

  /** The serving side hears what it was told, at most `count` messages of it. */
  deliver(count = Infinity): void {
    for (let i = 0; i < count; i++) {
      const message = this.#messages.shift()
      if (message === undefined) return
      if (message.kind === 'applied') {
        this.#cachedBlobs.closeIdle()
        this.vfs.applied(message.position)
      } else this.#take(message.answer)
    }
  }

  /** As an orderly end: all is sealed, synced, applied and checkpointed. */
  async close(): Promise<void> {
    while (this.vfs.hasUnsealed) {
      // Without it nothing is sealed any more, and sealing complains to nobody.
      this.#mustHavePower()
      this.vfs.sealEverything()
      await this.catchUp()
    }
    await this.catchUp()
    await this.keeper.writeCheckpoint()
    this.#cachedBlobs.close()
    this.#syncer.close()
    this.#writer.close()
    await this.keeper.close()
  }

  /** Makes what is waited for happen. */
  async #bring(key: string): Promise<void> {
    if (key === SEGMENT_WAIT) return this.#prepareSegment()
    const at = this.#loads.findIndex(load => load.key === key)
    const [load] = at < 0 ? [] : this.#loads.splice(at, 1)
    if (load !== undefined) await this.#answer(load)
    const isKey = (message: Message): boolean =>
      message.kind === 'loaded' && message.answer.key === key
    assert(this.#messages.some(isKey), `${key} was never asked for`)
    const last = this.#messages.findLast(isKey)
    this.deliver(this.#messages.findLastIndex(isKey) + 1)
    if (last?.kind !== 'loaded' || last.answer.kind !== 'failed') return
    // A body that could not be kept is reported by the op that runs again.
    if (!key.startsWith('stage:')) throw errorOf(last.answer.errno)
  }

  async #prepareSegment(): Promise<void> {
    try {
      await this.keeper.prepareSegment(this.#writer.nextSegment)
    } catch {
      this.#mustHavePower()
      throw new FsError('ENOSPC')
    }
  }

  async #answer(load: Load): Promise<void> {
    await this.#answerer.answer(load)
    this.#mustHavePower()
  }

  #take(answer: Loaded): void {
    this.vfs.loaded(reviveLoaded(answer))
    if (answer.kind !== 'listing' || answer.last) this.#asked.delete(answer.key)
  }

  #mustHavePower(): void {
    if (this.#disk.isOff === true) throw new PowerCut('the power is off')
  }

  #journal(onAppend: OnAppend | undefined): Journal {
    const [writer, syncer] = [this.#writer, this.#syncer]
    const isPrepared = (): boolean =>
      this.#disk.exists(segmentPathOf(writer.session, writer.nextSegment))
    return {
      session: writer.session,
      get end() {
        return writer.end
      },
      hasRoomFor: bytes => writer.roomInSegment >= bytes || isPrepared(),
      append: items => {
        const from = writer.end
        const hashes = writer.append(items, syncer.durable)
        onAppend?.(items, hashes, { session: writer.session, from, end: writer.end })
        return hashes
      }
    }
  }
}

/** A clock that is a millisecond later each time it is looked at. */
function simClock() {
  let now = 1_700_000_000_000_000_000n
  return {
    nowNs: () => (now += 1_000_000n),
    monotonicMs: () => Number(now / 1_000_000n)
  }
}

function errorOf(errno: number): FsError {
  const [name = 'EIO'] = Object.entries(ERRNO).find(([, number]) => number === errno) ?? []
  return new FsError(name as ErrnoName)
}
