/**
 * The threads that serve a mount, and the main thread's side of their talk.
 *
 * Three threads: one answers the kernel, one syncs the feed, one writes notifications. The main
 * thread keeps store and files behind them and answers what is not in memory.
 */

import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ERRNO, RoostError } from '../errors.ts'
import { FeedProgress } from '../feed/feed-progress.ts'
import { firstFrameOf } from '../feed/segment.ts'
import type { Ino } from '../ids.ts'
import { NotifyCount, type NotifyQueue } from '../fuse/notify-count.ts'
import type { Notification, NotifyOutcome, NotifyThreadInput } from '../fuse/notify-thread.ts'
import type {
  FromFuseThread,
  FuseFigures,
  FuseThreadInput,
  ServingMode,
  Succession,
  ToFuseThread
} from '../fuse/thread-messages.ts'
import { transferablesOf } from '../fuse/thread-messages.ts'
import { WakeEvent } from '../io/wake-event.ts'
import { ownIds } from '../io/fuse-device.ts'
import type { Logger } from '../io/logger.ts'
import { NodeDisk } from '../io/node-disk.ts'
import { delay } from '../io/timer.ts'
import type { Keeper } from '../keeper/keeper.ts'
import type { LiveView } from '../keeper/live-view.ts'
import { present } from '../util/assert.ts'
import { Resource } from '../util/resource.ts'
import { ApplyLoop } from './apply-loop.ts'
import type { Cluster } from './cluster.ts'
import { LoadAnswerer } from './load-answerer.ts'
import type { Tuning } from './tuning.ts'
import type { SyncThreadInput, SyncThreadMessage } from './sync-thread.ts'

/**
 * Of each thread. Far more than any needs; but V8 lets a heap grow to the double only, and not to
 * fourfold, before it clears it up, if it may not become larger than this.
 */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 2000, maxYoungGenerationSizeMb: 24 }

export interface ServingOptions {
  readonly keeper: Keeper
  readonly directory: string
  readonly volumeDepth: number
  readonly mode: ServingMode
  readonly xattrs: boolean
  readonly tuning: Tuning
  readonly fuseFd: number
  readonly succession?: Succession
  readonly logger: Logger
  /** Where other replicas serve the tree as well. */
  readonly cluster?: Cluster
  /** Wakes whoever watches these inodes here. */
  readonly wake?: (inos: readonly Ino[]) => void
  /** The mount has ended: it was unmounted, aborted, or a bug was found. */
  readonly onEnded: (reason: string, isBroken: boolean) => void
}

export class Serving extends Resource {
  readonly #options: ServingOptions
  readonly #progress = new FeedProgress()
  readonly #applyLoop: ApplyLoop
  readonly #answerer: LoadAnswerer
  readonly #figures = new Map<number, (figures: FuseFigures | undefined) => void>()
  #wake: WakeEvent | undefined
  #fuse: Worker | undefined
  readonly #notify = new Map<NotifyQueue, Worker>()
  #sync: Worker | undefined
  #lastId = 0
  #hasEnded = false
  #onServing: (() => void) | undefined
  #onStopped: (() => void) | undefined

  constructor(options: ServingOptions) {
    super()
    this.#options = options
    const { keeper, tuning, logger } = options
    const disk = new NodeDisk(options.directory)
    this.#applyLoop = new ApplyLoop(disk, keeper, this.#progress, tuning, logger, position => {
      this.#tell({ type: 'applied', position })
    })
    this.#answerer = new LoadAnswerer(keeper, logger, answer => {
      this.#tell({ type: 'loaded', answer }, transferablesOf(answer))
    })
  }

  /** Why the store is behind the log, if it is. */
  get storeFailure(): string | undefined {
    return this.#applyLoop.failure
  }

  get progress(): FeedProgress {
    return this.#progress
  }

  /** Resolves when the kernel has taken up the connection. */
  async untilServing(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#onServing = resolve
      this.#onStopped = () => {
        reject(new RoostError('MOUNT_FAILED', 'the kernel ended the connection'))
      }
    })
  }

  /** @returns undefined when the serving thread has ended */
  async figures(): Promise<FuseFigures | undefined> {
    if (this.#hasEnded) return undefined
    const id = ++this.#lastId
    return new Promise(resolve => {
      this.#figures.set(id, resolve)
      this.#tell({ type: 'figures', id })
    })
  }

  /** A view of everything that was asked to be durable by now. @throws RoostError STORE_FAILED */
  async openView(isUsed: () => boolean): Promise<LiveView> {
    await this.#untilDurable()
    await this.#applyLoop.catchUp()
    return this.#options.keeper.openView(isUsed)
  }

  protected override async _open(): Promise<void> {
    const { keeper, directory, volumeDepth, mode, xattrs, tuning, fuseFd } = this.#options
    const { succession, cluster } = this.#options
    const orphans = await keeper.orphans()
    this.#wake = WakeEvent.open()
    const { parts: wake } = this.#wake
    const [session, progress] = [keeper.session, this.#progress.shared]
    const syncInput: SyncThreadInput = { directory, session, progress, wake }
    this.#sync = startThread('./sync-thread', syncInput)
    this.#sync.on('message', (message: SyncThreadMessage) => {
      this.#hearSync(message)
    })
    const { shared: count } = new NotifyCount()
    for (const queue of ['inodes', 'names'] as const) {
      const notifyInput: NotifyThreadInput = { fuseFd, queue, count, wake }
      const notify = startThread('../fuse/notify-thread', notifyInput)
      notify.on('message', ({ result, unknown }: NotifyOutcome) => {
        this.#hearNotify(result)
        if (unknown !== undefined) this.#tell({ type: 'unknown', ino: unknown })
      })
      this.#notify.set(queue, notify)
    }
    const input: FuseThreadInput = {
      fuseFd,
      wake,
      notified: count,
      directory,
      session,
      progress,
      volumeDepth,
      mode,
      xattrs,
      fileRules: tuning.fileRules,
      cacheLimits: {
        metadataBytes: tuning.metadataBytes,
        contentBytes: tuning.contentBytes,
        blobBytes: tuning.bodyBytes
      },
      syncAfterMs: tuning.syncAfterMs,
      owner: ownIds(),
      orphans,
      ...(succession && { succession }),
      ...(cluster && { cluster: cluster.threadInput })
    }
    this.#fuse = startThread('../fuse/fuse-thread', input)
    this.#fuse.on('message', (messages: readonly FromFuseThread[]) => {
      for (const message of messages) this.#hear(message)
    })
    for (const thread of [this.#fuse, this.#sync, ...this.#notify.values()]) {
      thread.on('error', error => {
        this.#end(`a thread failed: ${error.stack ?? error.message}`, true)
      })
    }
    this.#applyLoop.start()
    cluster?.attach(message => {
      this.#tell({ type: 'volumes', message })
    })
  }

  /** Answers nothing more, makes durable what was answered, and brings the store up to it. */
  protected override async _close(): Promise<void> {
    if (!this.#hasEnded) await this.#options.cluster?.giveBack()
    await this.#stopServing()
    await this.#untilDurable()
    this.#progress.end('stopped')
    await this.#sync?.terminate()
    await this.#applyLoop.stop()
    await this.#fuse?.terminate()
    for (const notify of this.#notify.values()) await notify.terminate()
    this.#wake?.close()
  }

  async #stopServing(): Promise<void> {
    if (!this.#hasEnded) {
      const stopped = new Promise<void>(resolve => (this.#onStopped = resolve))
      this.#tell({ type: 'stop' })
      await stopped
    }
  }

  /** The serving thread's last act is to ask for a sync of all that it appended. */
  async #untilDurable(): Promise<void> {
    const progress = this.#progress
    while (progress.state === 'running' && progress.durable < progress.requested) await delay(1)
  }

  #tell(message: ToFuseThread, handedOver: readonly ArrayBuffer[] = []): void {
    if (this.#hasEnded) return
    this.#fuse?.postMessage(message, handedOver)
    this.#wake?.tell()
  }

  #hear(message: FromFuseThread): void {
    switch (message.type) {
      case 'load':
        void this.#answerer.answer(message.load, message.barrier)
        return
      case 'volumes':
        this.#options.cluster?.hear(message.message)
        return
      case 'prepare':
        void this.#prepare(message.segment)
        return
      case 'notify':
        this.#notify.get(message.queue)?.postMessage({
          message: message.message,
          ...(message.probed !== undefined && { probed: message.probed })
        } satisfies Notification)
        return
      case 'serving':
        this.#onServing?.()
        return
      case 'figures':
        this.#figures.get(message.id)?.(message.figures)
        this.#figures.delete(message.id)
        return
      case 'wake':
        this.#options.wake?.(message.inos)
        return
      case 'log':
        this.#options.logger[message.level](message.message)
        return
      case 'ended':
        this.#end(message.reason, false)
        return
      case 'broken':
        this.#end(message.message, true)
    }
  }

  #hearSync(message: SyncThreadMessage): void {
    if (message === 'news') this.#applyLoop.noteNews()
    else this.#options.logger.error(`the log cannot be synced: ${message.failed}`)
  }

  /** A mount that has ended has nothing cached. */
  #hearNotify(result: number): void {
    if (result === 0 || result === -ERRNO.ENODEV) return
    this.#options.logger.error(`the kernel refused a notification: errno ${-result}`)
  }

  async #prepare(segment: number): Promise<void> {
    try {
      await this.#applyLoop.untilNear(firstFrameOf(segment))
      await this.#options.keeper.prepareSegment(segment)
      this.#tell({ type: 'prepared', segment, isThere: true })
    } catch (error) {
      this.#options.logger.warn(`segment ${segment} cannot be prepared: ${String(error)}`)
      this.#tell({ type: 'prepared', segment, isThere: false })
    }
  }

  #end(reason: string, isBroken: boolean): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#onStopped?.()
    for (const resolve of this.#figures.values()) resolve(undefined)
    this.#options.onEnded(reason, isBroken)
  }
}

/** Starts the thread whose module lies at `path`, which has the ending that this one has. */
function startThread(path: string, input: object): Worker {
  const url = new URL(`${path}${extname(import.meta.url)}`, import.meta.url)
  return new Worker(present(url, 'thread'), {
    workerData: input,
    resourceLimits: HEAP_LIMITS,
    // Some of what a thread opens it opens without Node.js, which would be surprised.
    trackUnmanagedFds: false
  })
}
