/**
 * The loop of the serving thread: takes one input at a time, a request of the kernel, a message
 * of the main thread or the passing of time, and lets the state machine answer.
 *
 * Nothing in it waits for a disk, a lock or another thread; all waiting is the poll at its head.
 */

import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { CachedBlobs } from '../blob/cached-blobs.ts'
import { ERRNO, RoostError } from '../errors.ts'
import { FeedProgress } from '../feed/feed-progress.ts'
import type { Clock } from '../io/clock.ts'
import type { Disk } from '../io/disk.ts'
import * as libc from '../io/libc.ts'
import { WakeEvent } from '../io/wake-event.ts'
import { FileClassifier } from '../mail/file-class.ts'
import { ReplicatedJournal } from '../replication/replicated-journal.ts'
import type { Loaded } from '../vfs/ports.ts'
import { SEGMENT_WAIT } from '../vfs/recorder.ts'
import { Vfs } from '../vfs/vfs.ts'
import { INIT_FLAG, INIT_FLAG2, OPCODE } from './abi.ts'
import type { AskedFor } from './barriers.ts'
import { ClusterSide } from './cluster-side.ts'
import { decodeRequest, uniqueOf } from './decode.ts'
import { DiskSpace } from './disk-space.ts'
import { Dispatcher } from './dispatcher.ts'
import { encodeNotifyResend } from './encode.ts'
import { GatheringPort } from './gathering-port.ts'
import { IdleSpin } from './idle-spin.ts'
import { negotiateInit } from './init.ts'
import { Notifier } from './notifier.ts'
import { Parking } from './parking.ts'
import { Replies } from './replies.ts'
import type { FuseRequest, InitRequest } from './request.ts'
import { SegmentedJournal } from './segmented-journal.ts'
import {
  reviveLoaded,
  type FromFuseThread,
  type FuseThreadInput,
  type ToFuseThread
} from './thread-messages.ts'
import { restoreUnsealed } from './restore-unsealed.ts'
import { UnsealedFile } from './unsealed-file.ts'

const MIB = 1024 * 1024
/** Headers before the bytes of the largest write. */
const REQUEST_OVERHEAD = 4096
/** How often the loop looks at what it has put off for a moment. */
const LOOK_MS = 20
/** How often idle files are sealed, and the loop wakes when nothing happens. */
const IDLE_MS = 1000

/** How long the end of a mount may take to keep what was written last. */
const SEAL_REST_MS = 30_000

const WANTED_FLAGS =
  INIT_FLAG.ASYNC_READ |
  INIT_FLAG.DO_READDIRPLUS |
  INIT_FLAG.READDIRPLUS_AUTO |
  INIT_FLAG.PARALLEL_DIROPS |
  INIT_FLAG.CACHE_SYMLINKS |
  INIT_FLAG.NO_OPENDIR_SUPPORT |
  INIT_FLAG.EXPLICIT_INVAL_DATA |
  // Setuid and setgid are taken here, on a word from the kernel (where it is older, by itself).
  INIT_FLAG.HANDLE_KILLPRIV_V2

/** Taken besides by mode. In 'shared' the kernel asks for every lock, and tells of every open. */
const MODE_FLAGS = {
  single: INIT_FLAG.NO_OPEN_SUPPORT,
  shared: INIT_FLAG.POSIX_LOCKS | INIT_FLAG.FLOCK_LOCKS | INIT_FLAG.ATOMIC_O_TRUNC
} as const

const OPCODE_NAMES = new Map<number, string>(
  Object.entries(OPCODE).map(([name, code]) => [code, name])
)

export class FuseServer {
  readonly #input: FuseThreadInput
  readonly #port: MessagePort
  readonly #main: GatheringPort<FromFuseThread>
  readonly #clock: Clock
  readonly #wake: WakeEvent
  readonly #spin: IdleSpin
  readonly #progress: FeedProgress
  readonly #journal: SegmentedJournal
  readonly #space: DiskSpace
  readonly #cachedBlobs: CachedBlobs
  readonly #unsealed: UnsealedFile | undefined
  readonly #vfs: Vfs
  readonly #replies: Replies
  readonly #parking = new Parking()
  readonly #dispatcher: Dispatcher
  readonly #request = Buffer.allocUnsafeSlow(MIB + REQUEST_OVERHEAD)
  readonly #requests = new Map<number, number>()
  readonly #waits = new Map<string, number>()
  /** Keys asked for and not answered, with how new the answer has to be. */
  readonly #asked = new Map<string, AskedFor | undefined>()
  readonly #cluster: ClusterSide | undefined
  /** When the oldest entry that nobody wanted synced was made, 0 if there is none. */
  #unsyncedSinceMs = 0
  #idleAtMs = 0
  #closedAtMs = 0
  #endReason: string | undefined
  readonly #notifier: Notifier
  /** Made once, as it is needed in every step. */
  readonly #look = (): boolean => this.#wake.isTold || this.#receive()

  constructor(input: FuseThreadInput, port: MessagePort, disk: Disk, clock: Clock) {
    this.#input = input
    this.#port = port
    this.#main = new GatheringPort(port)
    this.#clock = clock
    this.#wake = new WakeEvent(input.wake)
    this.#spin = new IdleSpin(clock)
    this.#progress = new FeedProgress(input.progress)
    this.#journal = new SegmentedJournal(disk, input.session, this.#progress, segment => {
      this.#main.tell({ type: 'prepare', segment })
    })
    this.#space = new DiskSpace(disk, () => this.#journal.end)
    this.#replies = new Replies((message, length) => {
      this.#send(message, length)
    }, MIB)
    this.#cachedBlobs = new CachedBlobs(disk)
    this.#notifier = new Notifier(input.fuseFd, input.notified, message => {
      this.#main.tell({ type: 'notify', ...message })
    })
    const { succession } = input
    this.#unsealed = succession && new UnsealedFile(disk, succession.isTakeover)
    this.#cluster = this.#makeCluster()
    this.#vfs = this.#makeVfs()
    if (this.#cluster !== undefined) this.#cluster.vfs = this.#vfs
    this.#dispatcher = this.#makeDispatcher()
  }

  /** Serves until the mount has ended or the main thread says stop. */
  run(): void {
    this.#begin()
    while (this.#endReason === undefined) this.#step()
    this.#sealRest()
    this.#parking.failAll(ERRNO.EIO)
    this.#progress.request(this.#journal.end)
    this.#journal.close()
    this.#cachedBlobs.close()
    this.#unsealed?.close()
    this.#main.tell({ type: 'ended', reason: this.#endReason })
    this.#main.post()
  }

  /** The kernel waits for its first answer until there is a root. */
  #begin(): void {
    const errno = this.#complete(() => {
      this.#vfs.start(this.#input.owner, this.#input.orphans)
    })
    if (errno !== 0) {
      throw new RoostError('STORE_FAILED', `the tree cannot be begun, errno ${errno}`)
    }
    if (this.#unsealed !== undefined) this.#restore(this.#unsealed)
    if (this.#input.succession?.isTakeover === true) this.#takeOver()
  }

  /** Runs what has to be done before anything is served. @returns 0 or the errno of its failure */
  #complete(task: () => void): number {
    const outcome: { errno?: number } = {}
    this.#dispatcher.attempt(
      () => {
        task()
        outcome.errno = 0
      },
      errno => (outcome.errno = errno)
    )
    while (outcome.errno === undefined) this.#awaitMessages()
    return outcome.errno
  }

  /** In a cluster what was written in a volume waits for its lease, as whatever is asked of it. */
  #restore(unsealed: UnsealedFile): void {
    const tasks = restoreUnsealed(unsealed, this.#vfs)
    for (const { volume, run } of tasks) {
      const what = `what was written in volume ${volume} cannot be kept`
      if (this.#cluster !== undefined) {
        this.#dispatcher.attempt(run, errno => {
          this.#log('error', `${what}, errno ${errno}`)
        })
        continue
      }
      const errno = this.#complete(run)
      if (errno !== 0) throw new RoostError('STORE_FAILED', `${what}, errno ${errno}`)
    }
  }

  /** Goes on with what the kernel asked of a daemon that died. */
  #takeOver(): void {
    this.#main.tell({ type: 'serving' })
    for (const ino of this.#input.orphans) this.#notifier.probe(ino)
    // Others may have changed what the kernel believes to know, and nobody told it.
    if (this.#cluster !== undefined) this.#notifier.invalNames()
    // Before anything is read, as what is being answered would be sent again too. It is the one
    // notification that takes no lock which is held for a request.
    const message = Buffer.allocUnsafeSlow(64)
    const result = libc.write(this.#input.fuseFd, message, encodeNotifyResend(message))
    if (result === -ERRNO.ENODEV) this.#endReason ??= 'unmounted'
    else if (result < 0) {
      throw new RoostError('MOUNT_FAILED', `the kernel sends nothing again, errno ${-result}`)
    }
  }

  /** What was written last becomes history, although the kernel asks for nothing any more. */
  #sealRest(): void {
    const giveUpMs = this.#clock.monotonicMs() + SEAL_REST_MS
    this.#vfs.sealEverything()
    while (this.#vfs.hasUnsealed && this.#clock.monotonicMs() < giveUpMs) {
      this.#awaitMessages()
      this.#vfs.sealEverything()
    }
    if (this.#vfs.hasUnsealed) this.#log('error', 'what was written last could not be kept')
  }

  #awaitMessages(): void {
    this.#main.post()
    if (this.#wake.beginSleep()) {
      this.#wake.endSleep(libc.poll2(this.#wake.fd, -1, LOOK_MS) > 0)
    }
    this.#hearNews()
    this.#tickCluster(true)
  }

  /** Looks first and sleeps only when there is nothing to do: under load there always is. */
  #step(): void {
    this.#hearNews()
    // What came may have to go on before there is time to sleep.
    this.#tickCluster(false)
    if (!this.#receive()) {
      this.#tickCluster(true)
      this.#main.post()
      if (!this.#spin.spin(this.#look)) this.#sleep()
    }
    this.#tick()
    this.#main.post()
  }

  /**
   * Lets volumes know that time has passed, and does what they have wanted since.
   *
   * @param isIdle there is nothing else to do
   */
  #tickCluster(isIdle: boolean): void {
    if (this.#cluster === undefined) return
    this.#cluster.tick()
    if (this.#cluster.flush(isIdle)) this.#progress.request(this.#journal.end)
    this.#noteUnsynced()
  }

  #sleep(): void {
    if (!this.#wake.beginSleep()) return
    const { fuseFd } = this.#input
    const timeoutMs = this.#timeoutMs()
    const ready = this.#spin.sleep(() => libc.poll2(fuseFd, this.#wake.fd, timeoutMs))
    this.#wake.endSleep((ready & libc.POLL2.B_READABLE) !== 0)
    if (ready > 0 && (ready & libc.POLL2.A_TROUBLE) !== 0) this.#endReason ??= 'the mount was ended'
  }

  #timeoutMs(): number {
    if (this.#vfs.isSheddable) return 0
    const clusterMs = this.#cluster?.stepMs ?? IDLE_MS
    if (this.#unsyncedSinceMs > 0) return Math.min(this.#input.syncAfterMs, LOOK_MS, clusterMs)
    return Math.min(this.#vfs.hasUnsealed ? LOOK_MS : IDLE_MS, clusterMs)
  }

  /** Takes one request, as messages may come meanwhile. @returns whether there was one */
  #receive(): boolean {
    const length = libc.read(this.#input.fuseFd, this.#request, this.#request.length)
    if (length < 0) {
      if (length === -ERRNO.ENODEV) this.#endReason ??= 'unmounted'
      return false
    }
    const request = this.#decode(length)
    if (request === undefined) return true
    this.#requests.set(request.opcode, (this.#requests.get(request.opcode) ?? 0) + 1)
    if (request.op === 'init') this.#init(request)
    else this.#dispatcher.dispatch(request)
    this.#noteUnsynced()
    return true
  }

  #decode(length: number): FuseRequest | undefined {
    try {
      return decodeRequest(this.#request, length)
    } catch (error) {
      if (!(error instanceof RoostError)) throw error
      this.#log('error', error.message)
      const unique = uniqueOf(this.#request, length)
      if (unique !== undefined) this.#replies.error(unique, ERRNO.EIO)
      return undefined
    }
  }

  #init(request: InitRequest): void {
    const outcome = negotiateInit(request, {
      flags: WANTED_FLAGS | MODE_FLAGS[this.#input.mode],
      flags2: INIT_FLAG2.HAS_RESEND,
      maxWrite: MIB,
      maxReadahead: MIB,
      maxBackground: 64,
      congestionThreshold: 48,
      pageSize: libc.pageSize()
    })
    this.#replies.init(request.unique, outcome.reply)
    if (outcome.isSettled) this.#main.tell({ type: 'serving' })
  }

  /** A reply may find nobody, when its request was interrupted or the mount has ended. */
  #send(message: Buffer, length: number): void {
    const result = libc.write(this.#input.fuseFd, message, length)
    const isGone = result === -ERRNO.ENOENT || result === -ERRNO.ENODEV
    if (result < 0 && !isGone) this.#log('error', `the kernel refused a reply: errno ${-result}`)
  }

  #hearNews(): void {
    if (!this.#wake.take()) return
    this.#parking.durableThrough(this.#progress.durable)
    this.#cluster?.durable(this.#progress.durable)
    this.#cluster?.notified()
    if (this.#progress.state === 'failed') this.#parking.failAll(ERRNO.EIO)
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: ToFuseThread } | undefined
      if (received === undefined) break
      this.#take(received.message)
    }
    this.#noteUnsynced()
  }

  #take(message: ToFuseThread): void {
    switch (message.type) {
      case 'volumes':
        return this.#cluster?.hear(message.message)
      case 'loaded': {
        const answer = reviveLoaded(message.answer)
        const isPart = answer.kind === 'listing' && !answer.last
        if (this.#isOutdated(answer)) return
        this.#vfs.loaded(answer)
        if (isPart) return
        this.#asked.delete(answer.key)
        if (answer.kind !== 'failed' || answer.key.startsWith('stage:')) {
          this.#parking.resume(answer.key)
        } else {
          this.#parking.fail(answer.key, answer.errno)
        }
        return
      }
      case 'applied':
        this.#space.applied(message.position)
        this.#vfs.applied(message.position)
        return
      case 'prepared':
        this.#journal.prepared(message.segment, message.isThere)
        if (message.isThere) this.#parking.resume(SEGMENT_WAIT)
        else this.#parking.fail(SEGMENT_WAIT, ERRNO.ENOSPC)
        return
      case 'figures':
        return this.#tellFigures(message.id)
      case 'unknown':
        return this.#dispatcher.drop(message.ino)
      case 'stop':
        this.#endReason ??= 'stopped'
    }
  }

  /** Whether an answer shows what others have changed since; then it is asked for once more. */
  #isOutdated(answer: Loaded): boolean {
    const asked = this.#asked.get(answer.key)
    if (asked === undefined || this.#cluster?.barriers.isCurrent(asked) !== false) return false
    if (answer.kind === 'listing' && !answer.last) return true
    this.#asked.delete(answer.key)
    if (answer.kind === 'listing') this.#vfs.abortListing(answer.ino)
    this.#parking.resume(answer.key)
    return true
  }

  #noteUnsynced(): void {
    if (this.#unsyncedSinceMs > 0 || this.#journal.end <= this.#progress.requested) return
    this.#unsyncedSinceMs = this.#clock.monotonicMs()
  }

  #tick(): void {
    this.#vfs.shed()
    const now = this.#clock.monotonicMs()
    const { syncAfterMs } = this.#input
    if (this.#journal.end <= this.#progress.requested) {
      this.#unsyncedSinceMs = 0
    } else if (this.#unsyncedSinceMs > 0 && now - this.#unsyncedSinceMs >= syncAfterMs) {
      this.#progress.request(this.#journal.end)
      this.#unsyncedSinceMs = 0
    }
    if (now >= this.#closedAtMs) {
      this.#closedAtMs = now + LOOK_MS
      this.#vfs.sealClosed()
    }
    if (now >= this.#idleAtMs) {
      this.#idleAtMs = now + IDLE_MS
      this.#vfs.sealIdle()
      this.#cachedBlobs.closeIdle()
    }
    this.#noteUnsynced()
  }

  #tellFigures(id: number): void {
    const named = Array.from(this.#requests, ([code, count]) => [
      OPCODE_NAMES.get(code) ?? `OPCODE_${code}`,
      count
    ])
    this.#main.tell({
      type: 'figures',
      id,
      figures: {
        appended: this.#journal.end,
        requests: Object.fromEntries(named) as Record<string, number>,
        waits: Object.fromEntries(this.#waits),
        errors: this.#dispatcher.unknownErrors,
        vfs: { ...this.#vfs.figures(), parked: this.#parking.size }
      }
    })
  }

  #makeVfs(): Vfs {
    const cluster = this.#cluster
    return new Vfs({
      journal: cluster
        ? new ReplicatedJournal(this.#journal, () => cluster.volumes.queue)
        : this.#journal,
      ...(cluster && { leases: cluster }),
      loader: {
        load: load => {
          if (this.#asked.has(load.key)) return
          const barrier = this.#cluster?.barriers.of(load)
          this.#asked.set(load.key, barrier)
          this.#waits.set(load.kind, (this.#waits.get(load.kind) ?? 0) + 1)
          this.#cluster?.tellCommitted()
          this.#main.tell({ type: 'load', load, ...(barrier && { barrier }) })
        }
      },
      cachedBlobs: this.#cachedBlobs,
      clock: this.#clock,
      space: this.#space,
      classifier: new FileClassifier(this.#input.fileRules),
      cacheLimits: this.#input.cacheLimits,
      volumeDepth: this.#input.volumeDepth,
      tracksOpens: this.#input.mode === 'shared',
      isTakeover: this.#input.succession?.isTakeover === true,
      ...(this.#unsealed && { unsealed: this.#unsealed })
    })
  }

  #makeCluster(): ClusterSide | undefined {
    const { cluster } = this.#input
    if (cluster === undefined) return undefined
    return new ClusterSide({
      input: cluster,
      log: this.#journal,
      clock: this.#clock,
      parking: this.#parking,
      notifier: this.#notifier,
      tell: message => {
        this.#main.tell({ type: 'volumes', message })
      },
      fail: (unique, errno) => {
        this.#replies.error(unique, errno)
      },
      wake: inos => {
        this.#main.tell({ type: 'wake', inos })
      },
      sync: () => {
        this.#progress.request(this.#journal.end)
      }
    })
  }

  #makeDispatcher(): Dispatcher {
    return new Dispatcher({
      vfs: this.#vfs,
      replies: this.#replies,
      parking: this.#parking,
      progress: this.#progress,
      space: this.#space,
      mode: this.#input.mode,
      xattrs: this.#input.xattrs,
      done: this.#input.succession?.done ?? [],
      invalidator: this.#notifier,
      nowMs: () => this.#clock.monotonicMs(),
      ...(this.#cluster && { cluster: this.#cluster }),
      log: (level, message) => {
        this.#log(level, message)
      }
    })
  }

  #log(level: 'warn' | 'error', message: string): void {
    this.#main.tell({ type: 'log', level, message })
  }
}
