/**
 * The main thread's part in a cluster: connections, the council, bodies and checkpoints from other
 * replicas, and the talk with the serving thread, where the volumes are.
 */

import { BodyExchange } from '../blob/body-exchange.ts'
import type { CouncilAnswer } from '../council/command.ts'
import type { HistoryPoint } from '../council/lease-record.ts'
import { RoostError } from '../errors.ts'
import type {
  ClusterThreadInput,
  EntryBodies,
  FromVolumes,
  ToVolumes,
  VolumeFigures
} from '../fuse/cluster-messages.ts'
import type { SessionWord } from '../fuse/session-word.ts'
import type { BlobId, Index, ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { bootMs } from '../io/boot-clock.ts'
import type { Disk } from '../io/disk.ts'
import type { Logger } from '../io/logger.ts'
import { after, delay, every } from '../io/timer.ts'
import {
  checkpointsOn,
  clearPartCheckpoints,
  removeCheckpoint
} from '../keeper/checkpoint-files.ts'
import type { Keeper } from '../keeper/keeper.ts'
import type { LiveView } from '../keeper/live-view.ts'
import { offsetText } from '../peer/clock-verdict.ts'
import { volumeKey } from '../store/keys.ts'
import { decodeVolume } from '../store/records.ts'
import { Resource } from '../util/resource.ts'
import { proposedCommand } from '../volume/proposed-command.ts'
import type { VolumeProposal } from '../volume/volume-io.ts'
import { encodeVolumeBatch } from '../volume/volume-wire.ts'
import { replicatedEntry } from '../volume/replicated-entry.ts'
import { CheckpointTransfer } from './checkpoint-transfer.ts'
import type { Member } from './member.ts'

/** How often it is looked for volumes that nobody holds, and for who should vote. */
const SWEEP_MS = 500
/** Volumes taken at once that nobody holds. */
const SWEEP_MAX = 64
/** How long the volumes may take to be given back at the end. */
const GIVE_BACK_MS = 3000

/** Bytes of bodies that wait for one peer before more are sent, and how often that is looked at. */
const BUFFERED_MAX = 8 * 1024 * 1024
const ROOM_MS = 5

/** What stands in front of a message on the channel for bodies. */
const BODY = 0
const CHECKPOINT = 1

export interface ClusterOptions {
  readonly member: Member
  readonly keeper: Keeper
  readonly disk: Disk
  /** A view of all that was asked to be durable by now. */
  readonly openView: () => Promise<LiveView>
  /** Shared with the serving thread. */
  readonly word: SessionWord
  readonly tuning: Omit<ClusterThreadInput, 'replica' | 'word'>
  readonly logger: Logger
}

export class Cluster extends Resource {
  readonly #options: ClusterOptions
  readonly #word: SessionWord
  readonly #bodies: BodyExchange
  readonly #checkpoints: CheckpointTransfer
  /** Volumes that the serving thread has looked up. */
  readonly #known = new Set<VolumeId>()
  /** Volumes of which a checkpoint is on its way. */
  readonly #fetching = new Set<VolumeId>()
  /** What was fetched for entries that the store does not have yet, and how to let go of it. */
  readonly #fetched: { volume: VolumeId; index: Index; release: () => Promise<void> }[] = []
  /** Proposals that the council has not answered, by the number of the request. */
  readonly #proposals = new Map<number, { volume: VolumeId; number: number }>()
  readonly #described = new Map<number, (volumes: readonly VolumeFigures[]) => void>()
  #descriptions = 0
  /** The clock is wrong here: others are to hold the volumes. */
  #isClockOff = false
  #tell: (message: ToVolumes) => void = () => undefined
  #onGaveBack: (() => void) | undefined

  constructor(options: ClusterOptions) {
    super()
    this.#options = options
    this.#word = options.word
    const { keeper } = options
    this.#bodies = new BodyExchange({
      blobs: keeper.blobs,
      send: (to, bytes) => this.#sendBody(to, tagged(BODY, bytes)),
      after
    })
    this.#checkpoints = new CheckpointTransfer({
      disk: options.disk,
      blobs: keeper.blobs,
      bodies: this.#bodies,
      openView: options.openView,
      send: (to, bytes) => this.#sendBody(to, tagged(CHECKPOINT, bytes)),
      after
    })
  }

  /** Whether this replica may answer alone now. */
  get isValid(): boolean {
    return bootMs() < this.#word.validUntilMs
  }

  /** What the serving thread begins with. */
  get threadInput(): ClusterThreadInput {
    const { member, tuning } = this.#options
    return { replica: member.self, word: this.#word.shared, ...tuning }
  }

  /** The serving thread is there, and is told things by `tell` from now on. */
  attach(tell: (message: ToVolumes) => void): void {
    this.#tell = tell
    const { member } = this.#options
    if (this.#isClockOff) tell({ kind: 'clock', isOff: true })
    const { session } = member.council
    if (session !== 0) tell({ kind: 'opened', session })
    this.#tellPeers()
  }

  /** The serving thread wants something. */
  hear(message: FromVolumes): void {
    const { member } = this.#options
    switch (message.kind) {
      case 'batch':
        member.send(message.to, 'volume', bufferOf(message.bytes))
        return
      case 'propose':
        return this.#propose(message.volume, message.number, message.proposal)
      case 'readLease':
        return member.council.read(message.volume)
      case 'load':
        return this.#load(message.volume)
      case 'committed':
        return this.#committed(message.volume, message.point)
      case 'bodies':
        for (const wanted of message.wanted) {
          void this.#fetchBodies(message.volume, message.from, wanted)
        }
        return
      case 'checkpoint':
        void this.#fetchCheckpoint(message.volume, message.from, message.point)
        return
      case 'distrust':
        return member.distrust(message.replica, message.why)
      case 'gaveBack':
        this.#onGaveBack?.()
        return
      case 'described':
        this.#described.get(message.id)?.(message.volumes)
        this.#described.delete(message.id)
    }
  }

  /** What the serving thread knows of one volume, or of all. */
  async describe(volume?: VolumeId): Promise<readonly VolumeFigures[]> {
    const id = ++this.#descriptions
    return new Promise(resolve => {
      this.#described.set(id, resolve)
      this.#tell({ kind: 'describe', id, volume })
    })
  }

  /** Gives a volume back, so that whoever wants it next need not ask. */
  move(volume: VolumeId): void {
    this.#tell({ kind: 'move', volume })
  }

  /** These hold the log back: they are to be written anew at its end. */
  carry(volumes: readonly VolumeId[]): void {
    this.#tell({ kind: 'carry', volumes })
  }

  /** Gives everything back, as this run ends. */
  async giveBack(): Promise<void> {
    const gaveBack = new Promise<void>(resolve => (this.#onGaveBack = resolve))
    this.#tell({ kind: 'giveBack' })
    await Promise.race([gaveBack, delay(GIVE_BACK_MS)])
  }

  protected override async _open(): Promise<void> {
    const { member } = this.#options
    member.follow({
      lease: (volume, view) => this.#tell({ kind: 'lease', volume, view }),
      leasesChanged: () => this.#tellLeases(),
      opened: session => this.#opened(session),
      ended: () => this.#tell({ kind: 'ended' }),
      answered: (number, answer) => this.#answered(number, answer),
      valid: untilMs => this.#noteValid(untilMs),
      changed: () => this.#tellPeers(),
      message: (from, channel, bytes) => {
        if (channel === 'volume') this.#tell({ kind: 'batch', from, bytes })
        else this.#hearBody(from, bytes)
      },
      down: replica => {
        this.#bodies.peerDown(replica)
        this.#checkpoints.peerDown(replica)
      }
    })
    this.#clearCheckpoints()
    const stop = every(SWEEP_MS, () => {
      this.#lookAtClock()
      this.#sweep()
    })
    await this.own({ close: stop })
  }

  /** Those that an earlier run has installed, or never got whole. */
  #clearCheckpoints(): void {
    const { disk, keeper } = this.#options
    clearPartCheckpoints(disk)
    for (const { volume, index } of checkpointsOn(disk)) {
      if (index <= keeper.appliedIndexOf(volume)) removeCheckpoint(disk, volume, index)
    }
  }

  #opened(session: SessionId): void {
    this.#tell({ kind: 'opened', session })
    this.#tellPeers()
  }

  /** There may be a hundred thousand; what matters is those that the serving thread knows. */
  #tellLeases(): void {
    const { council } = this.#options.member
    for (const volume of this.#known) {
      const view = council.leaseView(volume)
      if (view !== undefined) this.#tell({ kind: 'lease', volume, view })
    }
  }

  #noteValid(untilMs: number): void {
    const before = this.#word.validUntilMs
    this.#word.validUntilMs = untilMs
    const now = bootMs()
    if (before <= now && now < untilMs) this.#tell({ kind: 'valid' })
  }

  /** @returns when there is room for more */
  async #sendBody(to: ReplicaId, bytes: Buffer): Promise<void> {
    const { member } = this.#options
    if (!member.send(to, 'blob', bytes)) {
      throw new RoostError('PEER_FAILED', `replica ${to} is not connected`)
    }
    while (member.bufferedBytes(to) > BUFFERED_MAX && member.isUp(to)) await delay(ROOM_MS)
  }

  #hearBody(from: ReplicaId, bytes: Buffer): void {
    const rest = bytes.subarray(1)
    if (bytes[0] === BODY) this.#bodies.hear(from, rest)
    else if (bytes[0] === CHECKPOINT) this.#checkpoints.hear(from, rest)
  }

  #tellPeers(): void {
    const { member } = this.#options
    const { members, copies } = member.council.state
    const others = [...members.values()].filter(({ role }) => role !== 'witness')
    const stores = others.filter(({ role }) => role === 'store')
    this.#tell({
      kind: 'peers',
      peers: others.map(({ replica }) => replica).filter(replica => member.isUp(replica)),
      stores: {
        stores: stores.map(({ replica }) => replica),
        alive: stores.filter(({ isAlive }) => isAlive).map(({ replica }) => replica),
        copies
      }
    })
  }

  #propose(volume: VolumeId, number: number, proposal: VolumeProposal): void {
    const { council } = this.#options.member
    this.#proposals.set(council.request(proposedCommand(volume, proposal)), { volume, number })
  }

  #answered(request: number, answer: CouncilAnswer): void {
    const proposal = this.#proposals.get(request)
    this.#proposals.delete(request)
    if (proposal === undefined) return
    const isDone = answer.kind === 'done' && answer.refused.length === 0
    this.#tell({ kind: 'outcome', volume: proposal.volume, proposal: proposal.number, isDone })
  }

  #load(volume: VolumeId): void {
    this.#known.add(volume)
    const { keeper, member } = this.#options
    const { record, promised, pending } = keeper.volumeStateOf(volume)
    const stored = keeper.store.get(volumeKey(volume))
    const time = stored === undefined ? 0n : decodeVolume(stored).time
    const message = {
      kind: 'fetched',
      through: record,
      previous: record,
      entries: pending.map(replicatedEntry)
    } as const
    this.#tell({
      kind: 'start',
      volume,
      start: {
        point: record,
        time,
        promised,
        pending: pending.length === 0 ? undefined : encodeVolumeBatch([{ volume, message }]),
        lease: member.council.leaseView(volume)
      }
    })
  }

  async #fetchBodies(
    volume: VolumeId,
    from: ReplicaId,
    { point, blobs }: EntryBodies
  ): Promise<void> {
    const { keeper, logger } = this.#options
    const sources = [from, ...this.#others(from)]
    const fetches = blobs.map(blob => this.#bodies.fetchBlob(sources, blob))
    const outcomes = await Promise.allSettled(fetches)
    const failure = outcomes.find(({ status }) => status === 'rejected')
    if (failure?.status === 'rejected') {
      // They will be asked for again, and claimed again.
      for (const [at, { status }] of outcomes.entries()) {
        if (status === 'fulfilled') keeper.blobs.unstage(blobs[at] as BlobId)
      }
      logger.warn(`bodies of volume ${volume}: ${String(failure.reason)}`)
      this.#tell({ kind: 'unheld', volume })
      return
    }
    const release = async (): Promise<void> => {
      await keeper.applyThrough(volume, point.index)
      for (const blob of blobs) keeper.blobs.unstage(blob)
    }
    this.#fetched.push({ volume, index: point.index, release })
    this.#tell({ kind: 'held', volume, point })
  }

  async #fetchCheckpoint(volume: VolumeId, from: ReplicaId, point: HistoryPoint): Promise<void> {
    if (this.#fetching.has(volume)) return
    this.#fetching.add(volume)
    const { keeper, disk, logger } = this.#options
    try {
      const others = this.#others(from)
      const fetched = await this.#checkpoints.fetchCheckpoint(from, volume, point, { others })
      const { index } = fetched.point
      const release = async (): Promise<void> => {
        await keeper.applyThrough(volume, index)
        fetched.release()
        // The log may still ask for it until then.
        await keeper.writeCheckpoint()
        removeCheckpoint(disk, volume, index)
      }
      this.#fetched.push({ volume, index, release })
      this.#tell({ kind: 'installed', volume, point: fetched.point })
    } catch (error) {
      if (!(error instanceof RoostError)) throw error
      logger.warn(`checkpoint of volume ${volume}: ${error.message}`)
    } finally {
      this.#fetching.delete(volume)
    }
  }

  /** Other members that may have what `from` cannot give. */
  #others(from: ReplicaId): ReplicaId[] {
    const { council, self } = this.#options.member
    return [...council.state.members.values()]
      .filter(({ replica, role }) => role === 'store' && replica !== from && replica !== self)
      .map(({ replica }) => replica)
  }

  /** The volume is acknowledged through `point`: what was fetched for that is soon in use. */
  #committed(volume: VolumeId, point: HistoryPoint): void {
    const { keeper, logger } = this.#options
    keeper.noteCommitted(volume, point)
    for (let at = this.#fetched.length - 1; at >= 0; at--) {
      const fetched = this.#fetched[at]
      if (fetched?.volume !== volume || fetched.index > point.index) continue
      this.#fetched.splice(at, 1)
      fetched.release().catch((error: unknown) => {
        logger.warn(`what was fetched for volume ${volume}: ${String(error)}`)
      })
    }
  }

  /**
   * Whose clock is wrong gives its volumes to those who have the right time, and takes none. As
   * long as three can be compared, that is: before nobody writes, a wrong time is better.
   */
  #lookAtClock(): void {
    const { member, logger } = this.#options
    const offsetMs = member.clockOffsetMs
    const isOff = offsetMs !== undefined
    if (isOff === this.#isClockOff) return
    this.#isClockOff = isOff
    if (isOff) logger.warn(`the clock here is ${offsetText(offsetMs)}: others hold the volumes`)
    else logger.info('the clock here is right again')
    this.#tell({ kind: 'clock', isOff })
  }

  /** Volumes that nobody holds are taken, so that all members get them and have enough copies. */
  #sweep(): void {
    const { council, self } = this.#options.member
    if (council.session === 0 || !this.isValid || this.#isClockOff) return
    const { members, leases } = council.state
    const isAlive = (replica: ReplicaId): boolean => members.get(replica)?.isAlive === true
    const free: VolumeId[] = []
    for (const [volume, { dataSet }] of leases) {
      if (free.length >= SWEEP_MAX) break
      if (council.leaseView(volume)?.holder !== undefined) continue
      if (dataSet.find(isAlive) === self) free.push(volume)
    }
    if (free.length > 0) this.#tell({ kind: 'want', volumes: free })
  }
}

function tagged(tag: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), bytes])
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, length)
}
