/**
 * The serving thread's part in a cluster: leases for ops, other replicas' entries for the tables
 * and the kernel, and what the main thread is to carry to and from other replicas.
 *
 * Who waits for whom: an op without a lease is parked, and waits for another replica and the
 * council, with a bound. Nothing here waits for an op, except that a volume is given away only when
 * the local owners of its locks are done, with a bound as well.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import { blobsBeside, type LoggedEntry } from '../feed/entry.ts'
import { ERRNO, RoostError } from '../errors.ts'
import { type Epoch, type Ino, type ReplicaId, type VolumeId } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import { bootMs } from '../io/boot-clock.ts'
import { betterRule, type StoreView } from '../replication/copy-policy.ts'
import type { ItemLog } from '../replication/log-queue.ts'
import { ReplicatedVolumes } from '../replication/replicated-volumes.ts'
import type { ReplicationPorts } from '../replication/replication-ports.ts'
import { present } from '../util/assert.ts'
import type { Leases } from '../vfs/ports.ts'
import type { Vfs } from '../vfs/vfs.ts'
import { Wait } from '../vfs/wait.ts'
import { headOf } from '../volume/history.ts'
import type { ReplicatedEntry } from '../volume/replicated-entry.ts'
import type { LeaseView } from '../volume/volume-io.ts'
import { decodeVolumeBatch } from '../volume/volume-wire.ts'
import { AcknowledgedWaits } from './acknowledged-waits.ts'
import { Barriers, NOTIFIED_KEY } from './barriers.ts'
import type {
  ClusterThreadInput,
  FromVolumes,
  ToVolumes,
  VolumeFigures
} from './cluster-messages.ts'
import type { Notifier } from './notifier.ts'
import { COMPANY_MS, Outbox } from './outbox.ts'
import type { Parking } from './parking.ts'
import { SessionWord } from './session-word.ts'
import { volumeFiguresOf } from './volume-figures-of.ts'
import { volumeStartOf } from './volume-start-of.ts'
import { WakeUps } from './wake-ups.ts'

const TICK_MS = 10
/** How long the loop may sleep while something depends on time passing. */
const BUSY_STEP_MS = 5
/** How often it is looked whether other replicas should keep a volume. */
const POLICY_MS = 200

interface Draining {
  readonly untilMs: number
}

export interface ClusterSideOptions {
  readonly input: ClusterThreadInput
  readonly log: ItemLog
  readonly clock: Clock
  readonly parking: Parking
  readonly notifier: Notifier
  readonly tell: (message: FromVolumes) => void
  readonly fail: (unique: number, errno: number) => void
  /** These inodes were changed by others, and the kernel knows. */
  readonly wake: (inos: readonly Ino[]) => void
  /** Asks for the log to be synced as it is now. */
  readonly sync: () => void
}

export class ClusterSide implements Leases {
  readonly isShared = true
  readonly volumes: ReplicatedVolumes
  readonly #options: ClusterSideOptions
  readonly #word: SessionWord
  readonly barriers: Barriers
  readonly #outbox: Outbox
  readonly #wakeUps: WakeUps
  readonly #draining = new Map<VolumeId, Draining>()
  /** Volumes whose lease ops wait for. */
  readonly #wanted = new Set<VolumeId>()
  /** Through where volumes are acknowledged, which the main thread was not told yet. */
  readonly #committed = new Map<VolumeId, HistoryPoint>()
  #committedAt = 0
  readonly #acknowledging = new AcknowledgedWaits()
  #stores: StoreView = { stores: [], alive: [], copies: 1 }
  #vfs: Vfs | undefined
  #tickedAt = 0
  #policyAt = 0
  #isGivingBack = false
  /** The clock is wrong here: volumes are given back, and none is taken. */
  #isClockOff = false

  constructor(options: ClusterSideOptions) {
    this.#options = options
    this.#outbox = new Outbox(options.clock, (to, bytes) => {
      options.tell({ kind: 'batch', to, bytes })
    })
    this.#word = new SessionWord(options.input.word)
    this.barriers = new Barriers(options.notifier)
    this.#wakeUps = new WakeUps(options.notifier, options.clock, options.wake)
    const holdTicksMin = Math.ceil(options.input.minHoldMs / TICK_MS)
    this.volumes = new ReplicatedVolumes(this.#ports(), options.log, options.clock, holdTicksMin)
  }

  set vfs(vfs: Vfs) {
    this.#vfs = vfs
  }

  get leaseWaitMs(): number {
    return this.#options.input.leaseWaitMs
  }

  get renameWaitMs(): number {
    return this.#options.input.renameWaitMs
  }

  /** How long the loop may sleep until it calls `tick` again. */
  get stepMs(): number {
    const isWaitedFor =
      this.#options.parking.size + this.#wanted.size + this.#acknowledging.size > 0
    const isMoving = this.#draining.size > 0 || this.#isGivingBack || this.#isClockOff
    const isGathering = !this.#outbox.isEmpty || this.#wakeUps.isWaiting
    if (isGathering || this.#committed.size > 0) return COMPANY_MS
    return isWaitedFor || isMoving || this.volumes.needsTime ? BUSY_STEP_MS : POLICY_MS
  }

  // Leases

  require(volume: VolumeId): void {
    this.epochOf(volume)
  }

  epochOf(volume: VolumeId): Epoch {
    const epoch = this.volumes.epochOf(volume)
    if (epoch !== undefined && this.#isValid()) return epoch
    this.#awaitLease(volume)
  }

  appended(volume: VolumeId, entries: readonly LoggedEntry[]): void {
    this.volumes.appended(volume, entries, this.#options.log.end)
  }

  requireAcknowledged(volume: VolumeId): void {
    const head = this.volumes.headOf(volume)
    if (head === undefined || this.volumes.isAcknowledged(volume, head.index)) return
    this.#hurry()
    throw new Wait(acknowledgedKey(volume))
  }

  awaitMore(volume: VolumeId): void {
    this.volumes.know(volume)
    throw new Wait(moreKey(volume))
  }

  /** The kernel may have taken notifications. */
  notified(): void {
    this.#options.parking.resume(NOTIFIED_KEY)
  }

  /**
   * A lock is asked for. Where the volume is being given away, it waits for the next time here;
   * but who holds a lock may need another to be done with it.
   */
  requireForLock(volume: VolumeId, pid: number): void {
    const isLate = this.#draining.has(volume) && this.#vfs?.locks.isOwner(volume, pid) !== true
    if (isLate) this.#awaitLease(volume)
    this.require(volume)
  }

  /** Runs `done` when enough replicas have all of the volume, as it is now. */
  whenAcknowledged(volume: VolumeId, done: () => void, fail: (errno: number) => void): void {
    const state = this.volumes.stateOf(volume)
    const isHolder = state?.phase.kind === 'holding' || state?.phase.kind === 'handing'
    // What a follower shows is acknowledged.
    if (state === undefined || !isHolder) return done()
    const { index } = headOf(state.history)
    if (state.commit.index >= index) return done()
    this.#hurry()
    const untilMs = this.#now() + this.leaseWaitMs
    this.#acknowledging.add({ volume, index, untilMs, done, fail })
  }

  // What comes from the main thread

  hear(message: ToVolumes): void {
    const { volumes } = this
    switch (message.kind) {
      case 'batch':
        return this.#hearBatch(message.from, message.bytes)
      case 'start':
        return volumes.loaded(message.volume, volumeStartOf(message.start))
      case 'lease':
        return this.#hearLease(message.volume, message.view)
      case 'outcome': {
        const { volume, proposal, isDone } = message
        return volumes.input(volume, { kind: 'outcome', proposal, isDone })
      }
      case 'opened':
        return volumes.opened(message.session)
      case 'ended':
        return volumes.ended()
      case 'valid':
        return this.#resumeLeases()
      case 'peers':
        this.#stores = message.stores
        this.#policyAt = 0
        return volumes.setPeers(message.peers)
      case 'held':
        return volumes.input(message.volume, { kind: 'held', point: message.point })
      case 'unheld':
        return volumes.input(message.volume, { kind: 'unheld' })
      case 'installed':
        return volumes.input(message.volume, { kind: 'installed', point: message.point })
      case 'want':
        for (const volume of message.volumes) volumes.want(volume)
        return
      case 'carry':
        return volumes.carry(message.volumes)
      case 'clock':
        this.#isClockOff = message.isOff
        for (const volume of this.#wanted)
          volumes.input(volume, { kind: 'want', isWanted: !message.isOff })
        return
      case 'giveBack':
        this.#isGivingBack = true
        return
      case 'move':
        return volumes.input(message.volume, { kind: 'giveBack' })
      case 'describe':
        return this.#describe(message.id, message.volume)
    }
  }

  /** The log is durable through here. */
  durable(position: Parameters<ReplicatedVolumes['durable']>[0]): void {
    this.volumes.durable(position)
  }

  /**
   * To be called when all that has come is dealt with.
   *
   * @param isIdle nothing is there to be dealt with next
   * @returns whether a sync is wanted
   */
  flush(isIdle: boolean): boolean {
    let isUrgent = this.volumes.flush()
    if (this.#draining.size > 0) {
      this.#drain(this.#now())
      if (this.volumes.flush()) isUrgent = true
    }
    if (this.#outbox.flush(isIdle) || this.#isCommitDue()) this.tellCommitted()
    return isUrgent
  }

  /** Before the main thread is asked for what has to be as new as these. */
  tellCommitted(): void {
    for (const [volume, point] of this.#committed) {
      this.#options.tell({ kind: 'committed', volume, point })
    }
    this.#committed.clear()
  }

  /** Time has passed. */
  tick(): void {
    this.#wakeUps.tick()
    const now = this.#now()
    if (now - this.#tickedAt < TICK_MS) return
    this.#tickedAt = now
    this.#word.servedAtMs = bootMs()
    this.volumes.tick()
    this.#drain(now)
    this.#expire(now)
    if (now - this.#policyAt >= POLICY_MS) {
      this.#policyAt = now
      this.#followPolicy()
    }
    if (this.#isClockOff) this.volumes.giveBackAll()
    if (this.#isGivingBack && this.volumes.giveBackAll() === 0) {
      this.#isGivingBack = false
      this.#options.tell({ kind: 'gaveBack' })
    }
  }

  /** Whoever waits wants it, also while it is on its way to somebody else. */
  #awaitLease(volume: VolumeId): never {
    this.#wanted.add(volume)
    if (!this.#isClockOff) this.volumes.want(volume)
    throw new Wait(leaseKey(volume))
  }

  /** Somebody waits until enough replicas have what was written. */
  #hurry(): void {
    this.#options.sync()
    this.#outbox.hurry()
  }

  #isCommitDue(): boolean {
    return this.#committed.size > 0 && this.#now() - this.#committedAt >= COMPANY_MS
  }

  #isValid(): boolean {
    return bootMs() < this.#word.validUntilMs
  }

  #now(): number {
    return this.#options.clock.monotonicMs()
  }

  #hearBatch(from: ReplicaId, bytes: Uint8Array): void {
    const { buffer, byteOffset, length } = bytes
    try {
      for (const { volume, message } of decodeVolumeBatch(Buffer.from(buffer, byteOffset, length)))
        this.volumes.hear(from, volume, message)
    } catch (error) {
      if (!(error instanceof RoostError) || error.code !== 'PROTOCOL') throw error
      this.#ports().distrust(from, `sends what makes no sense: ${error.plainMessage}`)
    }
  }

  /** A volume that was only wanted because nobody had it is left to whoever has it now. */
  #hearLease(volume: VolumeId, view: LeaseView): void {
    this.volumes.heardLease(volume, view)
    const { holder } = view
    const isElsewhere = holder !== undefined && holder !== this.#options.input.replica
    if (!isElsewhere || this.#wanted.has(volume)) return
    if (this.volumes.stateOf(volume)?.want === undefined) return
    this.volumes.input(volume, { kind: 'want', isWanted: false })
  }

  #resumeLeases(): void {
    for (const volume of this.volumes.held) this.#options.parking.resume(leaseKey(volume))
  }

  /** Gives a volume away when no local lock is left, or says that it cannot yet. */
  #drain(now: number): void {
    const vfs = present(this.#vfs, 'vfs')
    for (const [volume, { untilMs }] of this.#draining) {
      const isUsed = vfs.locks.isLocked(volume) || this.#options.parking.isBusyWith(volume)
      const isFree = !isUsed && vfs.sealWhole(volume)
      if (!isFree && now < untilMs) continue
      this.#draining.delete(volume)
      this.volumes.parked(volume, isFree)
      if (!isFree) this.#options.parking.resume(leaseKey(volume))
    }
  }

  #expire(now: number): void {
    this.#acknowledging.expire(now)
    this.#options.parking.expire(now)
    for (const volume of this.#wanted) {
      if (this.#options.parking.isWaitedFor(leaseKey(volume))) continue
      this.#wanted.delete(volume)
      this.volumes.input(volume, { kind: 'want', isWanted: false })
    }
  }

  /** Also where nothing is acknowledged yet: it may need another data set for that. */
  #followPolicy(): void {
    for (const volume of this.volumes.begun) {
      const phase = this.volumes.stateOf(volume)?.phase
      if (phase?.kind !== 'holding' || phase.resize !== undefined) continue
      const better = betterRule(volume, phase.rule, this.#stores)
      if (better !== undefined) this.volumes.resize(volume, better)
    }
  }

  #describe(id: number, only: VolumeId | undefined): void {
    const { locks } = present(this.#vfs, 'vfs')
    const described: VolumeFigures[] = []
    for (const volume of only === undefined ? this.volumes.all : [only]) {
      const state = this.volumes.stateOf(volume)
      if (state !== undefined) described.push(volumeFiguresOf(volume, state, locks.countOf(volume)))
    }
    this.#options.tell({ kind: 'described', id, volumes: described })
  }

  #ports(): ReplicationPorts {
    const { input, tell } = this.#options
    return {
      self: input.replica,
      send: (to, volume, message) => {
        this.#outbox.push(to, volume, message)
      },
      propose: (volume, number, proposal) => tell({ kind: 'propose', volume, number, proposal }),
      readLease: volume => tell({ kind: 'readLease', volume }),
      load: volume => tell({ kind: 'load', volume }),
      fetchBodies: (volume, from, entries) => this.#fetchBodies(volume, from, entries),
      fetchCheckpoint: (volume, from, point) => tell({ kind: 'checkpoint', volume, from, point }),
      distrust: (replica, why) => tell({ kind: 'distrust', replica, why }),
      committed: (volume, point) => {
        if (this.#committed.size === 0) this.#committedAt = this.#now()
        this.#committed.set(volume, point)
      },
      ...this.#tables()
    }
  }

  #tables(): Pick<
    ReplicationPorts,
    | 'acknowledged'
    | 'ready'
    | 'fenced'
    | 'began'
    | 'shown'
    | 'replaced'
    | 'undone'
    | 'poison'
    | 'park'
    | 'unpark'
  > {
    const vfs = (): Vfs => present(this.#vfs, 'vfs')
    const { parking, fail, input } = this.#options
    const invalidator = this.#wakeUps
    return {
      acknowledged: volume => this.#acknowledged(volume),
      ready: volume => {
        this.volumes.input(volume, { kind: 'want', isWanted: false })
        this.#wanted.delete(volume)
        parking.resume(leaseKey(volume))
      },
      fenced: volume => {
        this.#draining.delete(volume)
        for (const unique of vfs().fenced(volume)) fail(unique, ERRNO.ENOLCK)
        this.#failAcknowledging(volume)
      },
      began: (volume, begin) => vfs().began(volume, begin),
      shown: (volume, entries) => {
        this.barriers.raise(volume, this.volumes.toldOf(volume))
        vfs().shown(volume, entries, invalidator)
        this.#noteNotified(volume)
      },
      replaced: volume => {
        this.barriers.raise(volume, this.volumes.toldOf(volume))
        vfs().replaced(volume, invalidator)
        this.#noteNotified(volume)
      },
      undone: volume => {
        this.barriers.raise(volume, this.volumes.toldOf(volume))
        vfs().replaced(volume, invalidator)
        this.#noteNotified(volume)
      },
      poison: (volume, since, through) => vfs().poison(volume, since, through),
      park: volume => {
        this.#draining.set(volume, { untilMs: this.#now() + input.lockGraceMs })
      },
      unpark: volume => {
        this.#draining.delete(volume)
        parking.resume(leaseKey(volume))
      }
    }
  }

  #fetchBodies(volume: VolumeId, from: ReplicaId, entries: readonly ReplicatedEntry[]): void {
    const wanted = entries.map(({ epoch, index, hash, logged }) => {
      return { point: { epoch, index, hash }, blobs: blobsBeside(logged.entry) }
    })
    this.#options.tell({ kind: 'bodies', volume, from, wanted })
  }

  /** What was shown is on its way to the kernel. */
  #noteNotified(volume: VolumeId): void {
    this.barriers.noteNotified(volume)
    this.#options.parking.resume(moreKey(volume))
  }

  #acknowledged(volume: VolumeId): void {
    const { parking } = this.#options
    this.#acknowledging.acknowledged(volume, this.volumes.acknowledgedOf(volume))
    const head = this.volumes.headOf(volume)
    if (head !== undefined && this.volumes.isAcknowledged(volume, head.index)) {
      parking.resume(acknowledgedKey(volume))
    }
  }

  #failAcknowledging(volume: VolumeId): void {
    this.#acknowledging.lost(volume)
    this.#options.parking.fail(acknowledgedKey(volume), ERRNO.EIO)
  }
}

/** What ops wait for that need the lease of a volume. */
export function leaseKey(volume: VolumeId): string {
  return `lease:${volume}`
}

function moreKey(volume: VolumeId): string {
  return `more:${volume}`
}

function acknowledgedKey(volume: VolumeId): string {
  return `acknowledged:${volume}`
}
