/**
 * One replica: opens the parts in order, closes them in reverse. Read this first.
 *
 * The data directory is locked, its history recovered and a session begun before the kernel is
 * asked for a mount, so nobody ever sees a tree that is not complete. On the way out the mount
 * goes first, then everything that was answered is made durable and brought into the store.
 */

import { join, relative, resolve } from 'node:path'
import { RoostError } from './errors.ts'
import { doneOpsOf, type DoneOp } from './fuse/done-op.ts'
import type { FuseMount } from './fuse/mount.ts'
import { openMount, placeOf, takenOverMount } from './fuse/mount.ts'
import type { ServingMode } from './fuse/thread-messages.ts'
import { SessionWord } from './fuse/session-word.ts'
import { Cluster } from './host/cluster.ts'
import { ClusterReport } from './host/cluster-report.ts'
import { foundedOf } from './host/founded-of.ts'
import { Member } from './host/member.ts'
import { Serving } from './host/serving.ts'
import { collectStats } from './host/collect-stats.ts'
import type { Status } from './host/status.ts'
import { DEFAULT_TUNING, type Tuning } from './host/tuning.ts'
import { logConcerns, type Concern } from './host/verdict.ts'
import { Views } from './host/views.ts'
import { lockDataDirectory, readIdentity, type Identity } from './io/data-directory.ts'
import { isRoot } from './io/fuse-device.ts'
import type { Logger } from './io/logger.ts'
import { resolveMountpoint } from './io/mountinfo.ts'
import { Waker } from './io/waker.ts'
import { NodeDisk } from './io/node-disk.ts'
import { cpuSeconds, processFigures } from './io/process-figures.ts'
import { SystemClock } from './io/system-clock.ts'
import { Keeper } from './keeper/keeper.ts'
import type { LiveView } from './keeper/live-view.ts'
import { installCheckpoint } from './keeper/checkpoint-install.ts'
import { migrateDataDirectory } from './keeper/migrate.ts'
import { readClusterIdentity, type ClusterIdentity } from './peer/cluster-identity.ts'
import type { Stats } from './stats.ts'
import { UnsealedFile } from './fuse/unsealed-file.ts'
import { LevelStore } from './store/level-store.ts'
import { present } from './util/assert.ts'
import { Resource } from './util/resource.ts'

/** What the source of a mount begins with, before the data directory as in a URI. */
export const MOUNT_SOURCE = 'roost:'

export interface ReplicaOptions {
  readonly dataDirectory: string
  readonly mountpoint: string
  /** Unmount what an earlier run left at the mount point. */
  readonly force: boolean
  /** 'single' where this is not given; see ServingMode. */
  readonly mode?: ServingMode
  /** Serve extended attributes; false where this is not given. */
  readonly xattrs?: boolean
  /** DEFAULT_TUNING where this is not given. */
  readonly tuning?: Tuning
  /** A FUSE device that is mounted already, handed over by a parent process. */
  readonly inheritedFd?: number
  /** Present where a parent process starts another daemon when this one dies. */
  readonly supervision?: Supervision
  readonly logger: Logger
}

/** A replica's part in a cluster, as the tools see it. */
export interface Membership {
  readonly member: Member
  readonly report: ClusterReport
}

/** A mount as a daemon leaves it to the next. */
export interface TakenOver {
  /** Where it is mounted. */
  readonly place: string
  /** The number of the kernel's connection. */
  readonly connection: number
  /** What the kernel was told, and goes by: whatever the configuration says now. */
  readonly mode: ServingMode
  readonly xattrs: boolean
  readonly done: readonly DoneOp[]
}

/** The parent that keeps the FUSE device for the next daemon. */
export interface Supervision {
  readonly pid: number
  /** How often it has started the daemon again. */
  readonly restarts: number
  /** The device that the parent has opened, mounted only if `takenOver`; absent if it has none. */
  readonly deviceFd?: number
  readonly takenOver?: TakenOver
  /** The parent is to keep this mount. */
  mounted(fd: number, mount: Omit<TakenOver, 'done'>): void
  /** It works, and the next daemon is to know of what is done. */
  serving(done: readonly DoneOp[]): void
}

/** Of what daemons did last, so much is handed on: what is asked again was done by the latest. */
const DONE_MAX = 16

export class Replica extends Resource {
  readonly #options: ReplicaOptions
  readonly #directory: string
  readonly #mountpoint: string
  readonly #clock = new SystemClock()
  readonly #ended: Promise<string | undefined>
  #resolveEnded: (failure: string | undefined) => void = () => undefined
  #identity: Identity | undefined
  #keeper: Keeper | undefined
  #cluster: Cluster | undefined
  #membership: Membership | undefined
  #serving: Serving | undefined
  #servingSinceMs = 0
  /** Its end was asked for, or the mount has ended: the mount is not for another daemon. */
  #isEnding = false
  /** Processor time that was used before. */
  #cpuSecondsBefore = 0

  constructor(options: ReplicaOptions) {
    super()
    this.#options = options
    this.#directory = resolve(options.dataDirectory)
    this.#mountpoint = resolve(options.mountpoint)
    this.#ended = new Promise(resolveEnded => (this.#resolveEnded = resolveEnded))
  }

  get mountpoint(): string {
    return this.#mountpoint
  }

  /** What recovery had to say, one sentence each. */
  get recovered(): readonly string[] {
    return this.#keeper?.recovered.tornTails ?? []
  }

  /** Resolves when the mount has ended, with the reason where that was a failure. */
  untilEnded(): Promise<string | undefined> {
    return this.#ended
  }

  /** Asks for an orderly end; `untilEnded` then resolves. */
  requestStop(reason: string): void {
    this.#options.logger.info(reason)
    this.#isEnding = true
    this.#resolveEnded(undefined)
  }

  /** Undefined where there are no other replicas. */
  get membership(): Membership | undefined {
    return this.#membership
  }

  /** Views of the store for tools in other processes. */
  readonly views = new Views(this.#clock, isUsed =>
    present(this.#serving, 'serving').openView(isUsed)
  )

  async status(): Promise<Status> {
    const identity = present(this.#identity, 'identity')
    const keeper = present(this.#keeper, 'keeper')
    const serving = present(this.#serving, 'serving')
    const fuse = await serving.figures()
    const { durable, requested } = serving.progress
    const { supervision } = this.#options
    const concerns = this.#concerns(serving)
    return {
      state: 'serving',
      dataDirectory: this.#directory,
      storeId: identity.storeId,
      format: identity.format,
      ...processFigures(),
      mountpoint: this.#mountpoint,
      ...(supervision && { supervisor: { pid: supervision.pid, restarts: supervision.restarts } }),
      uptimeSeconds: (this.#clock.monotonicMs() - this.#servingSinceMs) / 1000,
      session: keeper.session,
      log: {
        appended: fuse?.appended ?? requested,
        durable,
        applied: keeper.applied,
        bytesOnDisk: keeper.logBytes
      },
      disk: new NodeDisk(this.#directory).space(),
      ...(fuse && { fuse }),
      ...(this.#membership && { cluster: await this.#membership.report.status() }),
      warnings: [...this.recovered, ...concerns.map(({ text }) => text)],
      concerns,
      damagedBodies: Array.from(keeper.blobs.damaged, ([blob, reason]) => ({ blob, reason }))
    }
  }

  /** Figures of the running daemon. @throws RoostError NOT_MOUNTED when the mount is ending */
  async stats(): Promise<Stats> {
    const { tuning = DEFAULT_TUNING } = this.#options
    const { mode } = this.#terms
    return collectStats({
      keeper: present(this.#keeper, 'keeper'),
      serving: present(this.#serving, 'serving'),
      disk: new NodeDisk(this.#directory),
      dataDirectory: this.#directory,
      mountpoint: this.#mountpoint,
      mode,
      tuning,
      uptimeSeconds: (this.#clock.monotonicMs() - this.#servingSinceMs) / 1000,
      cpuSeconds: cpuSeconds() - this.#cpuSecondsBefore
    })
  }

  protected override async _open(): Promise<void> {
    const identity = readIdentity(this.#directory)
    this.#checkPlace()
    const lock = lockDataDirectory(this.#directory)
    await this.own({ close: lock.release })
    const disk = new NodeDisk(this.#directory)
    this.#identity = await migrateDataDirectory(this.#directory, disk, identity)
    const { tuning = DEFAULT_TUNING } = this.#options
    const membership = readClusterIdentity(disk)
    const keeper = await Keeper.open({
      disk,
      openStore: () => LevelStore.open(join(this.#directory, 'store')),
      isReplicated: membership !== undefined,
      installCheckpoint: (volume, point, files) =>
        installCheckpoint(disk, files, volume, { ...point, hash: point.hash.toString('hex') }),
      onCarryNeeded: volumes => this.#cluster?.carry(volumes)
    })
    this.#keeper = await this.own(keeper)
    if (membership !== undefined) await this.#joinIn(membership, disk, keeper)
    const cluster = this.#cluster
    const mount = await this.#openMount()
    await this.own({
      close: async () => {
        mount.close()
        // It is there still when nobody came to serve it.
        await this.#unmount(mount)
      }
    })
    const { supervision } = this.#options
    const takenOver = supervision?.takenOver
    const before = takenOver?.done ?? []
    const done = [...before, ...doneOpsOf(keeper.recovered.lastChanges)].slice(-DONE_MAX)
    if (supervision === undefined) UnsealedFile.discard(disk)
    const { mode, xattrs } = this.#terms
    const waker = this.#makeWaker(mount)
    const serving = new Serving({
      keeper,
      directory: this.#directory,
      volumeDepth: this.#identity.volumeDepth,
      mode,
      xattrs,
      tuning,
      fuseFd: mount.fd,
      ...(supervision && { succession: { isTakeover: takenOver !== undefined, done } }),
      ...(cluster && { cluster }),
      ...(waker && { wake: waker.wake.bind(waker) }),
      logger: this.#options.logger,
      onEnded: (reason, isBroken) => {
        this.#options.logger.info(reason)
        this.#isEnding ||= !isBroken
        this.#resolveEnded(isBroken ? reason : undefined)
      }
    })
    this.#serving = await this.own(serving)
    await this.own({ close: () => this.#unmount(mount) })
    if (waker !== undefined) await this.own(waker)
    await serving.untilServing()
    supervision?.serving(done)
    this.#servingSinceMs = this.#clock.monotonicMs()
    this.#cpuSecondsBefore = cpuSeconds()
  }

  /** Takes part in the cluster, before anything is served. */
  async #joinIn(membership: ClusterIdentity, disk: NodeDisk, keeper: Keeper): Promise<void> {
    const { logger } = this.#options
    const { storeId, volumeDepth } = present(this.#identity, 'identity')
    const word = new SessionWord()
    const founded = await foundedOf(membership, storeId, keeper)
    const member = new Member({
      disk,
      identity: membership,
      storeId,
      volumeDepth,
      ...(founded && { founded }),
      health: () => ({ servedAt: word.servedAtMs, syncingSince: undefined }),
      clock: this.#clock,
      logger
    })
    const { lease } = this.#options.tuning ?? DEFAULT_TUNING
    const tuning = { ...lease, leaseWaitMs: lease.waitMs }
    const openView = (): Promise<LiveView> => present(this.#serving, 'serving').openView(() => true)
    const cluster = new Cluster({ member, keeper, disk, openView, word, tuning, logger })
    await this.own(cluster)
    await this.own(member)
    this.#cluster = cluster
    this.#membership = { member, report: new ClusterReport(cluster, member, keeper, volumeDepth) }
  }

  /** A daemon whose files lie in its own mount would wait for itself. */
  #checkPlace(): void {
    const place = placeOf(this.#mountpoint)
    if (relative(place, resolveMountpoint(this.#directory)).startsWith('..')) return
    const what = `${this.#mountpoint} cannot be the mount point`
    throw new RoostError('BAD_CONFIG', `${what}: ${this.#directory} would be hidden below it`)
  }

  /** What the kernel goes by: a mount that was taken over keeps what it was made with. */
  get #terms(): { mode: ServingMode; xattrs: boolean } {
    const { xattrs = false, supervision } = this.#options
    const mode = this.#cluster === undefined ? (this.#options.mode ?? 'single') : 'shared'
    return supervision?.takenOver ?? { mode, xattrs }
  }

  async #openMount(): Promise<FuseMount> {
    const { force, inheritedFd, supervision } = this.#options
    const { deviceFd, takenOver } = supervision ?? {}
    if (takenOver !== undefined) {
      const fd = present(deviceFd, 'the device of a mount that was taken over')
      return takenOverMount(fd, takenOver.place, takenOver.connection)
    }
    // Who looks at the mount can tell which store it is.
    const fsname = `${MOUNT_SOURCE}${encodeURI(this.#directory)}`
    const mount = await openMount({
      mountpoint: this.#mountpoint,
      force,
      fsname,
      ...(inheritedFd !== undefined && { inheritedFd }),
      ...(deviceFd !== undefined && { deviceFd })
    })
    const { fd, connection } = mount
    if (supervision !== undefined && connection !== undefined) {
      supervision.mounted(fd, { place: placeOf(this.#mountpoint), connection, ...this.#terms })
    }
    return mount
  }

  /** Others can change what is watched here only in a cluster; and waking takes root. */
  #makeWaker({ connection }: FuseMount): Waker | undefined {
    if (this.#cluster === undefined || connection === undefined || !isRoot()) return undefined
    const { supervision, logger } = this.#options
    const mountpoint = supervision?.takenOver?.place ?? placeOf(this.#mountpoint)
    return new Waker({ mountpoint, connection, logger })
  }

  /** Leaves the mount to the next daemon if there is to be one. */
  async #unmount(mount: FuseMount): Promise<void> {
    if (this.#options.supervision === undefined || this.#isEnding) await mount.unmount()
  }

  #concerns(serving: Serving): Concern[] {
    const isLogBroken = serving.progress.state === 'failed'
    const ofCluster = this.#membership?.report.concerns() ?? []
    return [...logConcerns(isLogBroken, serving.storeFailure), ...ofCluster]
  }
}
