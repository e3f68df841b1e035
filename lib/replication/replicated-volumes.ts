/**
 * All volumes at a replica of a cluster: their state machines, joined to the one log, to the other
 * replicas and to the tables that answer the kernel.
 *
 * It runs on the serving thread, so whether a volume is held here is known in the moment in which
 * an op asks. It does nothing by itself: whoever has something for it calls, and then `flush`.
 *
 * Invariants: writes reach the log in the order in which a volume wants them; nothing is told to
 * the tables in the middle of a step, as what they do may be the next step of the same volume.
 */

import { NO_HASH, type Entry, type LoggedEntry } from '../feed/entry.ts'
import type { HistoryPoint } from '../council/lease-record.ts'
import type { LogItem } from '../feed/log-item.ts'
import type { Epoch, Index, Position, ReplicaId, SessionId, VolumeId } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import { nextTime } from '../tree/next-time.ts'
import { assert, present } from '../util/assert.ts'
import { entriesFrom, headOf, pointAt } from '../volume/history.ts'
import { replicatedEntry, type ReplicatedEntry } from '../volume/replicated-entry.ts'
import type { LeaseView, VolumeInput, VolumeOutput } from '../volume/volume-io.ts'
import { stepVolume } from '../volume/volume-machine.ts'
import type { VolumeMessage } from '../volume/volume-message.ts'
import { HOLD_TICKS_MIN } from '../volume/hand-over.ts'
import { VOLUME_RULES, type CopyRule } from '../volume/volume-rules.ts'
import { heldThrough, startVolume, type VolumeState } from '../volume/volume-state.ts'
import type { VolumeSetup } from '../volume/volume-turn.ts'
import { hashOfEntry } from './entry-hash.ts'
import { LogQueue, type ItemLog } from './log-queue.ts'
import type { ReplicationPorts, VolumeStart } from './replication-ports.ts'

type Input = VolumeInput<ReplicatedEntry>
type Output = VolumeOutput<ReplicatedEntry>

/** Entries sent in one message; a batch of them is bounded by their bytes elsewhere. */
const ENTRIES_PER_MESSAGE = 64
/** Inode numbers that are skipped where a predecessor may have given out some nobody knows. */
const COUNTER_SKIP = 2 ** 14
/** Entries that are kept for whoever was away for a moment. */
const ENTRIES_KEPT = 64
/** Entries kept for a peer that is here and lags; then it gets a checkpoint. */
const ENTRIES_KEPT_MAX = 8192

interface Hosted {
  readonly volume: VolumeId
  readonly setup: VolumeSetup<ReplicatedEntry>
  readonly state: VolumeState<ReplicatedEntry>
  /** This replica holds the volume, and the tables have its history. */
  isReady: boolean
  /** First entry of the epoch that is held. */
  begin: Index
  /** The tables and the kernel know history through here. */
  shown: Index
  /** The durable side was told that history through here is acknowledged. */
  told: Index
  /** The log says that history through here is acknowledged. */
  logged: Index
  /** Of the last entry, ns since 1970. */
  time: bigint
  /** Ops here must not make entries: the volume is being given away. */
  isParked: boolean
}

export class ReplicatedVolumes {
  readonly #ports: ReplicationPorts
  readonly #clock: Clock
  readonly #holdTicksMin: number
  readonly #hosted = new Map<VolumeId, Hosted>()
  /** What came for volumes that are being looked up. */
  readonly #coming = new Map<VolumeId, Input[]>()
  /** Those for which time matters now. */
  readonly #active = new Set<Hosted>()
  readonly #queue: LogQueue
  readonly #events: (() => void)[] = []
  #session: SessionId | 0 = 0
  #peers: readonly ReplicaId[] = []
  /** The entries that the log has already, as the serving side has just made them. */
  #own: readonly ReplicatedEntry[] = []

  /** @param holdTicksMin ticks that a volume stays before it is given away */
  constructor(ports: ReplicationPorts, log: ItemLog, clock: Clock, holdTicksMin?: number) {
    this.#holdTicksMin = holdTicksMin ?? HOLD_TICKS_MIN
    this.#ports = ports
    this.#clock = clock
    this.#queue = new LogQueue(log, clock)
  }

  get queue(): LogQueue {
    return this.#queue
  }

  /** Volumes held here. */
  get held(): readonly VolumeId[] {
    return [...this.#hosted.values()].filter(({ isReady }) => isReady).map(({ volume }) => volume)
  }

  /** Volumes whose epoch is this replica's, whether its ops may use them already or not. */
  get begun(): readonly VolumeId[] {
    return this.all.filter(volume => this.stateOf(volume)?.phase.kind === 'holding')
  }

  /** Volumes of which anything is known here. */
  get all(): readonly VolumeId[] {
    return [...this.#hosted.keys()]
  }

  /** Whether `tick` does anything, or `flush` soon will. */
  get needsTime(): boolean {
    return this.#active.size > 0 || !this.#queue.isEmpty
  }

  stateOf(volume: VolumeId): VolumeState<ReplicatedEntry> | undefined {
    return this.#hosted.get(volume)?.state
  }

  /** The epoch in which this replica may make entries of the volume. */
  epochOf(volume: VolumeId): Epoch | undefined {
    const hosted = this.#hosted.get(volume)
    if (hosted?.isReady !== true || hosted.isParked) return undefined
    const { phase } = hosted.state
    return phase.kind === 'holding' ? phase.epoch : undefined
  }

  /** Through which entry the durable side was told that history is acknowledged. */
  toldOf(volume: VolumeId): Index {
    return this.#hosted.get(volume)?.told ?? (0 as Index)
  }

  /** Whether enough replicas have everything through `index`. */
  isAcknowledged(volume: VolumeId, index: Index): boolean {
    const hosted = this.#hosted.get(volume)
    return hosted !== undefined && hosted.state.commit.index >= index
  }

  /** Through which entry enough replicas have the volume. */
  acknowledgedOf(volume: VolumeId): Index {
    return this.#hosted.get(volume)?.state.commit.index ?? (0 as Index)
  }

  headOf(volume: VolumeId): HistoryPoint | undefined {
    const hosted = this.#hosted.get(volume)
    return hosted === undefined ? undefined : headOf(hosted.state.history)
  }

  /** Looks the volume up, if nothing is known of it yet. */
  know(volume: VolumeId): void {
    if (!this.#hosted.has(volume)) this.input(volume, { kind: 'tick' })
  }

  /** Somebody here needs the lease. Asked again, it changes nothing. */
  want(volume: VolumeId): void {
    this.input(volume, { kind: 'want', isWanted: true })
  }

  /** The serving side has put these into the log, which ends with them at `position`. */
  appended(volume: VolumeId, entries: readonly LoggedEntry[], position: Position): void {
    const hosted = present(this.#hosted.get(volume), 'volume that is written to')
    this.#own = entries.map(replicatedEntry)
    const before = hosted.state.writes
    this.#step(hosted, { kind: 'append', entries: this.#own })
    this.#own = []
    hosted.shown = headOf(hosted.state.history).index
    for (let number = before + 1; number <= hosted.state.writes; number++) {
      this.#queue.alreadyAt(volume, number, position)
    }
  }

  hear(from: ReplicaId, volume: VolumeId, message: VolumeMessage<ReplicatedEntry>): void {
    this.input(volume, { kind: 'message', from, message })
  }

  /** @returns only after `loaded` where the volume is not known yet */
  input(volume: VolumeId, input: Input): void {
    const hosted = this.#hosted.get(volume)
    if (hosted !== undefined) return this.#step(hosted, input)
    const coming = this.#coming.get(volume)
    if (coming !== undefined) {
      coming.push(input)
      return
    }
    this.#coming.set(volume, [input])
    this.#ports.load(volume)
  }

  /** What the disk and the council have of a volume. */
  loaded(volume: VolumeId, start: VolumeStart): void {
    const coming = this.#coming.get(volume) ?? []
    this.#coming.delete(volume)
    const hosted = this.#host(volume, start)
    this.#hosted.set(volume, hosted)
    if (this.#session !== 0) this.#step(hosted, { kind: 'opened', session: this.#session })
    this.#step(hosted, { kind: 'peers', peers: this.#peers })
    if (start.lease !== undefined) this.#step(hosted, { kind: 'lease', view: start.lease })
    for (const input of coming) this.#step(hosted, input)
  }

  /** The council's record of a volume; news about one that nothing here knows is not kept. */
  heardLease(volume: VolumeId, view: LeaseView): void {
    const isMine = this.#session !== 0 && view.record.holder === this.#session
    if (isMine || this.#hosted.has(volume) || this.#coming.has(volume)) {
      this.input(volume, { kind: 'lease', view })
    }
  }

  opened(session: SessionId): void {
    this.#session = session
    for (const hosted of this.#hosted.values()) this.#step(hosted, { kind: 'opened', session })
  }

  ended(): void {
    this.#session = 0
    for (const hosted of this.#hosted.values()) this.#step(hosted, { kind: 'ended' })
  }

  /** The peers that are connected now. */
  setPeers(peers: readonly ReplicaId[]): void {
    this.#peers = peers
    for (const hosted of this.#hosted.values()) this.#step(hosted, { kind: 'peers', peers })
  }

  resize(volume: VolumeId, rule: CopyRule): void {
    const hosted = this.#hosted.get(volume)
    if (hosted !== undefined) this.#step(hosted, { kind: 'resize', rule })
  }

  /** Gives every volume back, as this run ends. @returns how many are held still */
  giveBackAll(): number {
    let held = 0
    for (const hosted of this.#hosted.values()) {
      const { kind } = hosted.state.phase
      if (kind !== 'holding' && kind !== 'handing') continue
      held++
      this.#step(hosted, { kind: 'giveBack' })
    }
    return held
  }

  /** Some 10 ms have gone by. */
  tick(): void {
    for (const hosted of this.#active) {
      this.#step(hosted, { kind: 'tick' })
      if (!needsTicks(hosted.state)) this.#active.delete(hosted)
    }
  }

  /** Entries that are not acknowledged go to the end of the log, so that its start may go. */
  carry(volumes: readonly VolumeId[]): void {
    for (const volume of volumes) {
      const state = this.#hosted.get(volume)?.state
      if (state === undefined) continue
      const items = state.history.entries
        .filter(({ index }) => index > state.commit.index)
        .map(({ logged }): LogItem => ({ kind: 'entry', logged }))
      this.#queue.push(volume, state.writes, items)
    }
  }

  /** The log is durable through `position`. */
  durable(position: Position): void {
    for (const [volume, write] of this.#queue.takeDurable(position)) {
      const hosted = this.#hosted.get(volume)
      if (hosted !== undefined) this.#step(hosted, { kind: 'synced', write })
    }
  }

  /**
   * Writes to the log what is wanted, and then tells of what has happened. To be called after
   * whatever was told to this object.
   *
   * @returns whether something was written that others wait for
   */
  flush(): boolean {
    const isUrgent = this.#queue.flush()
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift())
      event()
    return isUrgent
  }

  #host(volume: VolumeId, { point, time, promised, pending }: VolumeStart): Hosted {
    const entries = pending.map(replicatedEntry)
    // A crash may have left files of bodies that are not whole, so all are looked at.
    const durable = { history: { base: point, entries }, promised, commit: point }
    const state = startVolume<ReplicatedEntry>(durable, () => false)
    const hosted: Hosted = {
      volume,
      state,
      setup: {
        self: this.#ports.self,
        rules: VOLUME_RULES,
        entriesPerMessageMax: ENTRIES_PER_MESSAGE,
        holdTicksMin: this.#holdTicksMin,
        beginEntry: (epoch, session, after) => this.#beginEntry(hosted, epoch, session, after)
      },
      isReady: false,
      begin: 0 as Index,
      shown: point.index,
      told: point.index,
      logged: point.index,
      time: pending.at(-1)?.entry.time ?? time,
      isParked: false
    }
    return hosted
  }

  #beginEntry(
    hosted: Hosted,
    epoch: Epoch,
    session: SessionId,
    after: HistoryPoint
  ): ReplicatedEntry {
    const { volume, state } = hosted
    const last = state.history.entries.at(-1)?.logged.entry.time ?? hosted.time
    const skip = state.phase.kind === 'recovering' ? COUNTER_SKIP : 0
    const entry: Entry = {
      volume,
      epoch,
      index: (after.index + 1) as Index,
      previous: after.index === 0 ? NO_HASH : Buffer.from(after.hash, 'hex'),
      time: nextTime(this.#clock.nowNs(), last),
      change: { kind: 'begin', session, skip }
    }
    return replicatedEntry({ entry, hash: hashOfEntry(entry), bodies: [] })
  }

  #step(hosted: Hosted, input: Input): void {
    const outputs = stepVolume(hosted.state, input, hosted.setup)
    for (const output of outputs) this.#follow(hosted, output)
    this.#settle(hosted)
    if (needsTicks(hosted.state)) this.#active.add(hosted)
  }

  #follow(hosted: Hosted, output: Output): void {
    const { volume } = hosted
    switch (output.kind) {
      case 'send':
        return this.#ports.send(output.to, volume, output.message)
      case 'write':
        return this.#write(hosted, output)
      case 'propose':
        return this.#ports.propose(volume, output.number, output.proposal)
      case 'readLease':
        return this.#ports.readLease(volume)
      case 'committed':
        return this.#later(() => this.#ports.acknowledged(volume))
      case 'exposed':
        return
      case 'undone':
        hosted.shown = Math.min(hosted.shown, output.to.index) as Index
        return this.#later(() => this.#ports.undone(volume))
      case 'holding':
        return this.#began(hosted, output.begin)
      case 'fenced':
        hosted.isReady = false
        return this.#later(() => this.#ports.fenced(volume))
      case 'poisoned':
        return this.#later(() => this.#ports.poison(volume, output.since, output.through))
      case 'park':
        return this.#later(() => this.#ports.park(volume))
      case 'unpark':
        hosted.isParked = false
        return this.#later(() => this.#ports.unpark(volume))
      case 'fetchBodies':
        return this.#ports.fetchBodies(volume, output.from, output.entries)
      case 'fetchCheckpoint':
        return this.#ports.fetchCheckpoint(volume, output.from, output.point)
      case 'distrusted':
        return this.#ports.distrust(output.replica, `${output.why} (volume ${volume})`)
    }
  }

  /** Local owners of locks are done and all is sealed, or could not be in time. */
  parked(volume: VolumeId, isFree: boolean): void {
    const hosted = this.#hosted.get(volume)
    if (hosted === undefined) return
    hosted.isParked = isFree
    this.#step(hosted, { kind: 'parked', isFree })
  }

  #later(event: () => void): void {
    this.#events.push(event)
  }

  #write(hosted: Hosted, { number, write }: Extract<Output, { kind: 'write' }>): void {
    const { volume } = hosted
    switch (write.kind) {
      case 'promise':
        return this.#queue.push(volume, number, [{ kind: 'promise', volume, epoch: write.epoch }])
      case 'append': {
        if (write.entries.length > 0 && write.entries[0] === this.#own[0]) return
        const items = write.entries.map(({ logged }): LogItem => ({ kind: 'entry', logged }))
        return this.#queue.push(volume, number, items)
      }
      case 'cut':
        return this.#queue.push(volume, number, [{ kind: 'cut', volume, to: write.to.index }])
      case 'commit':
        return this.#logCommit(hosted, number)
      case 'install': {
        const { epoch, index, hash } = write.point
        const point = { epoch, index, hash: Buffer.from(hash, 'hex') }
        return this.#queue.push(volume, number, [{ kind: 'install', volume, ...point }])
      }
    }
  }

  /**
   * What is acknowledged is for the durable side to take from the log as soon as it says so, and
   * then its bodies have to be here. May come late.
   */
  #logCommit(hosted: Hosted, number: number): void {
    const { volume, state } = hosted
    const through = Math.min(state.commit.index, heldThrough(state)) as Index
    if (through <= hosted.logged) return
    hosted.logged = through
    this.#queue.push(volume, number, [{ kind: 'commit', volume, through }])
  }

  #began(hosted: Hosted, begin: Index): void {
    hosted.begin = begin
    hosted.isParked = false
    if (!hosted.isReady) return
    // Another data set, and nothing else: the tables go on.
    const entry = present(hosted.state.history.entries.at(-1), 'begin entry')
    hosted.shown = begin
    this.#later(() => this.#ports.began(hosted.volume, entry.logged))
  }

  /** Shows what may be shown, tells what is acknowledged, and forgets what nobody needs. */
  #settle(hosted: Hosted): void {
    const { state, volume } = hosted
    this.#logCommit(hosted, state.writes)
    const isHolding = state.phase.kind === 'holding' || state.phase.kind === 'handing'
    const whole = Math.min(state.commit.index, heldThrough(state)) as Index
    const mayShow = isHolding ? (hosted.isReady ? hosted.shown : whole) : state.exposed
    if (mayShow > hosted.shown) this.#show(hosted, mayShow)
    const through = isHolding ? whole : Math.min(state.exposed, state.commit.index)
    if (through > hosted.told) {
      hosted.told = through as Index
      this.#ports.committed(volume, present(pointAt(state.history, hosted.told), 'shown point'))
    }
    if (state.phase.kind === 'holding' && !hosted.isReady && whole >= hosted.begin) {
      this.#later(() => this.#becomeReady(hosted))
    }
    this.#forget(hosted)
  }

  /** Only when the tables have been told of all before: ops may come in between. */
  #becomeReady(hosted: Hosted): void {
    const { phase, commit } = hosted.state
    if (phase.kind !== 'holding' || hosted.isReady) return
    if (Math.min(commit.index, heldThrough(hosted.state)) < hosted.begin) return
    hosted.isReady = true
    this.#ports.ready(hosted.volume)
  }

  #show(hosted: Hosted, through: Index): void {
    const { history } = hosted.state
    const from = hosted.shown
    hosted.shown = through
    if (from < history.base.index) {
      this.#later(() => this.#ports.replaced(hosted.volume))
      return
    }
    const entries = entriesFrom(history, from + 1, through - from).map(({ logged }) => logged)
    hosted.time = entries.at(-1)?.entry.time ?? hosted.time
    this.#later(() => this.#ports.shown(hosted.volume, entries))
  }

  #forget({ state, told, shown, setup }: Hosted): void {
    const { history, phase, commit, durable } = state
    if (history.entries.length <= 2 * ENTRIES_KEPT) return
    let through = Math.min(commit.index, durable, told, shown, headOf(history).index - ENTRIES_KEPT)
    if (phase.kind === 'holding' || phase.kind === 'handing') {
      const lags = [...phase.followers.values()].map(({ acked }) => acked)
      const kept = headOf(history).index - ENTRIES_KEPT_MAX
      through = Math.min(through, Math.max(kept, Math.min(...lags, Infinity)))
    }
    if (through <= history.base.index) return
    const outputs = stepVolume(state, { kind: 'forget', through: through as Index }, setup)
    assert(outputs.length === 0, 'forgetting makes something happen')
  }
}

/** Whether something happens to the volume by the passing of time. */
function needsTicks(state: VolumeState<ReplicatedEntry>): boolean {
  const { phase, want, commit, history } = state
  if (want !== undefined || state.askBodiesIn > 0) return true
  if (phase.kind === 'recovering' || phase.kind === 'waitingBase') return true
  if (phase.kind === 'handing') return true
  if (phase.kind !== 'holding') return false
  if (phase.ticks < HOLD_TICKS) return true
  const head = headOf(history).index
  for (const { acked, commit: known } of phase.followers.values()) {
    if (acked < head || known < commit.index) return true
  }
  return false
}

/** A held volume counts its first ticks: so long it is not given away. */
const HOLD_TICKS = 4
