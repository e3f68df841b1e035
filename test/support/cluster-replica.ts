/**
 * A whole replica in a simulation: voter, session and volumes, on a disk that forgets what was not
 * synced, with a clock of its own pace.
 */

import type { Command, CouncilAnswer, CouncilRequest, Role } from '../../lib/council/command.ts'
import { CouncilClient, type ClientOutput } from '../../lib/council/council-client.ts'
import type { CouncilMessage } from '../../lib/council/council-message.ts'
import { COUNCIL_TICK_MS, CouncilVoter, type VoterOutput } from '../../lib/council/council-voter.ts'
import type { RaftMessage, RaftWrite } from '../../lib/council/raft-io.ts'
import { applyRaftWrite, type DurableRaft } from '../../lib/council/raft-state.ts'
import type { Index, ReplicaId, VolumeId } from '../../lib/ids.ts'
import { present } from '../../lib/util/assert.ts'
import type { LogEntry } from '../../lib/volume/history.ts'
import { proposedCommand } from '../../lib/volume/proposed-command.ts'
import type { VolumeInput } from '../../lib/volume/volume-io.ts'
import type { VolumeMessage } from '../../lib/volume/volume-message.ts'
import type { VolumeSetup } from '../../lib/volume/volume-turn.ts'
import type { ClusterOptions } from './cluster-options.ts'
import type { ClusterTruth } from './cluster-truth.ts'
import { copyOf } from './plain-values.ts'
import type { SimRandom } from './sim-random.ts'
import {
  crashReplica,
  emptyReplica,
  setupOf,
  stepReplica,
  syncReplica,
  type VolumeEvent,
  type VolumeReplica
} from './volume-replica.ts'

export type ClusterMessage =
  | { kind: 'raft'; message: RaftMessage<CouncilRequest> }
  | { kind: 'council'; message: CouncilMessage }
  | { kind: 'volume'; volume: VolumeId; message: VolumeMessage<LogEntry> }

/** What a replica needs of the world around it. */
export interface ClusterWorld {
  readonly options: ClusterOptions
  readonly random: SimRandom
  readonly truth: ClusterTruth
  /** True time, ms. */
  now(): number
  after(delay: number, task: () => void): void
  send(from: ReplicaId, to: ReplicaId, message: ClusterMessage): void
  /** Something happened to a volume that others, or programs, take part in. */
  happened(replica: ClusterReplica, volume: VolumeId, event: VolumeEvent): void
}

/** Ticks of a volume for one of the council. */
const VOLUME_TICKS = 4

interface Run {
  readonly voter: CouncilVoter
  client: CouncilClient
  /** The last one that the client was told of. */
  leader: ReplicaId | 0
  raftPending: RaftWrite<CouncilRequest>[]
  /** Commands that were put, by number. */
  readonly proposals: Map<number, { readonly volume: VolumeId; readonly proposal: number }>
  readonly syncing: Set<VolumeId | 'raft'>
}

export class ClusterReplica {
  readonly id: ReplicaId
  readonly role: Role
  readonly volumes = new Map<VolumeId, VolumeReplica>()
  readonly #world: ClusterWorld
  readonly #disk: DurableRaft<CouncilRequest>
  readonly #setup: VolumeSetup<LogEntry>
  readonly #random: SimRandom
  readonly #pace: number
  readonly #offset: number
  #boot = 0
  #run: Run | undefined
  /** What came while it was stopped. */
  #backlog: (() => void)[] | undefined

  constructor(world: ClusterWorld, id: ReplicaId, role: Role, disk: DurableRaft<CouncilRequest>) {
    this.#world = world
    this.id = id
    this.role = role
    this.#disk = disk
    this.#random = world.random.fork(`replica ${id}`)
    const { drift, volumeRules } = world.options
    this.#pace = 1 + drift * (2 * this.#random.next() - 1)
    this.#offset = this.#random.int(1_000_000)
    this.#setup = { ...setupOf(id, volumeRules), entriesPerMessageMax: 1 + this.#random.int(4) }
  }

  get isUp(): boolean {
    return this.#run !== undefined
  }

  get isPaused(): boolean {
    return this.#backlog !== undefined
  }

  get voter(): CouncilVoter | undefined {
    return this.#run?.voter
  }

  get localNow(): number {
    return this.#offset + this.#world.now() * this.#pace
  }

  /** Whether it would answer for `volume` at this moment, by its lease alone. */
  mayAnswer(volume: VolumeId): boolean {
    const kind = this.volumes.get(volume)?.volume.phase.kind
    return kind === 'holding' && this.#run?.client.isValid(this.localNow) === true
  }

  start(): void {
    const { options } = this.#world
    this.#boot++
    const setup = {
      self: this.id,
      chance: () => this.#random.next(),
      entriesPerMessageMax: 1 + this.#random.int(8),
      rules: options.raftRules
    }
    const voter = new CouncilVoter(copyOf(this.#disk), setup, options.forgets ? 20 : 4096)
    this.#run = {
      voter,
      client: this.#newClient(voter),
      leader: 0,
      raftPending: [],
      proposals: new Map(),
      syncing: new Set()
    }
    for (const volume of this.volumes.keys()) this.#tellPeers(volume)
    this.#tick(this.#run)
  }

  crash(): void {
    const run = this.#run
    if (run === undefined) return
    this.#run = undefined
    this.#backlog = undefined
    const kept = this.#random.int(run.raftPending.length + 1)
    for (const write of run.raftPending.slice(0, kept)) applyRaftWrite(this.#disk, copyOf(write))
    for (const replica of this.volumes.values()) {
      crashReplica(replica, this.#random.int(replica.pending.length + 1))
    }
  }

  pause(): void {
    if (this.isUp) this.#backlog ??= []
  }

  resume(): void {
    const backlog = this.#backlog ?? []
    this.#backlog = undefined
    for (const task of backlog) this.#now(task)
  }

  /** In the process: not while it is stopped, and not after it has died. */
  within(task: () => void): void {
    const run = this.#run
    this.#now(() => {
      if (this.#run === run && run !== undefined) task()
    })
  }

  hear(from: ReplicaId, message: ClusterMessage): void {
    this.within(() => {
      const run = present(this.#run, 'run')
      switch (message.kind) {
        case 'raft':
          return this.#follow(run, run.voter.step({ kind: 'raft', from, message: message.message }))
        case 'council': {
          const heard = { kind: 'message', from, message: message.message } as const
          this.#follow(run, run.voter.step(heard))
          return this.#obey(run, run.client.hear(message.message, this.localNow))
        }
        case 'volume':
          this.input(message.volume, { kind: 'message', from, message: message.message })
          return this.#countRefused(from, message.volume, message.message)
      }
    })
  }

  /** The broken rule that a batch which was kept is an ack of all that it carried. */
  #countRefused(from: ReplicaId, volume: VolumeId, message: VolumeMessage<LogEntry>): void {
    if (!this.#world.options.countsRefused || message.kind !== 'append') return
    const { epoch, previous, entries, commit } = message
    const through = (previous.index + entries.length) as Index
    const ack = { kind: 'ack', epoch, through, commit: commit.index } as const
    this.#world.send(this.id, from, { kind: 'volume', volume, message: ack })
  }

  /** @throws Violation, as everything here does where something must not be */
  input(volume: VolumeId, input: VolumeInput<LogEntry>): void {
    const replica = this.volumes.get(volume)
    if (replica === undefined || !this.isUp) return
    this.#happen(volume, stepReplica(replica, input, this.#setup))
    this.#syncVolume(volume, replica)
  }

  join(volume: VolumeId): void {
    this.volumes.set(volume, emptyReplica())
    if (this.isUp) this.#tellPeers(volume)
  }

  command(command: Command): number {
    const run = present(this.#run, 'run')
    const { number, outputs } = run.client.request(command, this.localNow)
    this.#obey(run, outputs)
    return number
  }

  #now(task: () => void): void {
    if (this.#backlog === undefined) task()
    else this.#backlog.push(task)
  }

  #newClient(voter: CouncilVoter): CouncilClient {
    const identity = {
      replica: this.id,
      storeId: `replica-${this.id}`,
      boot: this.#boot,
      nonce: `${this.id}-${this.#boot}`
    }
    return new CouncilClient(identity, voter.state.voters)
  }

  #tick(run: Run): void {
    this.#world.after(COUNCIL_TICK_MS / this.#pace, () => {
      if (this.#run !== run) return
      // However long it was stopped, one tick is all that has passed for it.
      if (!this.isPaused) this.#ticked(run)
      this.#tick(run)
    })
  }

  #ticked(run: Run): void {
    this.#follow(run, run.voter.step({ kind: 'tick' }))
    const now = this.localNow
    if (run.client.isEnded) {
      this.#boot++
      run.client = this.#newClient(run.voter)
      run.proposals.clear()
    }
    run.client.voters = run.voter.state.voters
    this.#obey(run, run.client.tick(now, { servedAt: now, syncingSince: undefined }))
    for (const volume of this.volumes.keys()) {
      for (let i = 0; i < VOLUME_TICKS; i++) this.input(volume, { kind: 'tick' })
    }
  }

  #follow(run: Run, outputs: readonly VoterOutput[]): void {
    const { truth } = this.#world
    truth.checkLeader(this.id, run.voter.raft)
    truth.checkLog(run.voter.raft)
    for (const output of outputs) {
      switch (output.kind) {
        case 'raft':
          this.#world.send(this.id, output.to, { kind: 'raft', message: output.message })
          break
        case 'send':
          this.#world.send(this.id, output.to, { kind: 'council', message: output.message })
          break
        case 'write':
          run.raftPending.push(output.write)
          this.#syncRaft(run)
          break
        case 'changed':
          for (const volume of this.volumes.keys()) {
            const isNews = output.volumes === 'all' || output.volumes.includes(volume)
            if (isNews) this.#tellLease(run, volume)
          }
          break
        case 'members':
          break
      }
    }
    this.#tellLeader(run)
  }

  #tellLeader(run: Run): void {
    const { leader } = run.voter.raft
    if (leader === run.leader) return
    run.leader = leader
    if (leader !== 0) this.#obey(run, run.client.lead(leader, this.localNow))
  }

  #tellLease({ voter }: Run, volume: VolumeId): void {
    const [record, holder] = [voter.leaseOf(volume), voter.holderOf(volume)]
    if (record === undefined) return
    this.input(volume, { kind: 'lease', view: { position: voter.position, record, holder } })
  }

  #tellPeers(volume: VolumeId): void {
    const peers = [...present(this.#run, 'run').voter.state.members.values()]
      .filter(({ role }) => role !== 'witness')
      .map(({ replica }) => replica)
    this.input(volume, { kind: 'peers', peers })
  }

  #obey(run: Run, outputs: readonly ClientOutput[]): void {
    for (const output of outputs) {
      switch (output.kind) {
        case 'send': {
          const { to, message } = output
          this.#world.send(this.id, to, { kind: 'council', message })
          break
        }
        case 'opened':
          for (const volume of this.volumes.keys()) {
            this.input(volume, { kind: 'opened', session: output.session })
          }
          break
        case 'ended':
          for (const volume of this.volumes.keys()) this.input(volume, { kind: 'ended' })
          break
        case 'refused':
          break
        case 'answered':
          this.#answered(run, output.number, output.answer)
          break
        case 'lease': {
          const { volume, position, record, holder } = output.lease
          if (record === undefined) break
          this.input(volume, { kind: 'lease', view: { position, record, holder } })
        }
      }
    }
  }

  #answered(run: Run, number: number, answer: CouncilAnswer): void {
    const asked = run.proposals.get(number)
    run.proposals.delete(number)
    if (asked === undefined) return
    const isDone = answer.kind === 'done' && answer.refused.length === 0
    this.input(asked.volume, { kind: 'outcome', proposal: asked.proposal, isDone })
  }

  #happen(volume: VolumeId, events: readonly VolumeEvent[]): void {
    const run = present(this.#run, 'run')
    for (const event of events) {
      this.#world.truth.checkVolumeEvent(volume, event)
      switch (event.kind) {
        case 'send':
          this.#world.send(this.id, event.to, { kind: 'volume', volume, message: event.message })
          break
        case 'propose': {
          const { number, outputs } = run.client.request(
            proposedCommand(volume, event.proposal),
            this.localNow
          )
          run.proposals.set(number, { volume, proposal: event.number })
          this.#obey(run, outputs)
          break
        }
        case 'readLease':
          this.#obey(run, run.client.read(volume, this.localNow))
          break
        default:
          this.#world.happened(this, volume, event)
      }
    }
  }

  #syncRaft(run: Run): void {
    if (run.syncing.has('raft') || run.raftPending.length === 0) return
    run.syncing.add('raft')
    const count = run.raftPending.length
    this.#afterSync(() => {
      run.syncing.delete('raft')
      const write = run.voter.raft.writes - run.raftPending.length + count
      for (const each of run.raftPending.splice(0, count)) applyRaftWrite(this.#disk, copyOf(each))
      this.#follow(run, run.voter.step({ kind: 'synced', write }))
      this.#syncRaft(run)
    })
  }

  #syncVolume(volume: VolumeId, replica: VolumeReplica): void {
    const { syncing } = present(this.#run, 'run')
    if (syncing.has(volume) || replica.pending.length === 0) return
    syncing.add(volume)
    const count = replica.pending.length
    this.#afterSync(() => {
      syncing.delete(volume)
      this.#happen(volume, syncReplica(replica, this.#setup, count))
      this.#syncVolume(volume, replica)
    })
  }

  #afterSync(task: () => void): void {
    const run = this.#run
    this.#world.after(0.2 + this.#random.next() * this.#world.options.syncMax, () =>
      this.#now(() => {
        if (this.#run === run) task()
      })
    )
  }
}
