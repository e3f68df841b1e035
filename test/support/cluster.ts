/**
 * Whole replicas in one process, under faults that a seed decides, checked after every event. At
 * the end the faults cease, and then everything has to come right within a bound.
 *
 * The same seed gives the same run, to the last event.
 */

import { encodeCouncil } from '../../lib/council/council-codec.ts'
import { foundCouncil } from '../../lib/council/council-state.ts'
import { emptyRaft } from '../../lib/council/raft-state.ts'
import type { ReplicaId, VolumeId } from '../../lib/ids.ts'
import { ClusterNetwork } from './cluster-network.ts'
import type { ClusterOptions } from './cluster-options.ts'
import { ClusterReplica, type ClusterMessage, type ClusterWorld } from './cluster-replica.ts'
import { ClusterTruth } from './cluster-truth.ts'
import { ClusterWork } from './cluster-work.ts'
import { founderOf } from './council-asker.ts'
import { EventQueue } from './event-queue.ts'
import { SimRandom } from './sim-random.ts'
import { checkCopies } from './volume-checker.ts'
import { Violation, type VolumeEvent, type VolumeReplica } from './volume-replica.ts'

/** Simulated ms in which everything comes right when nothing goes wrong. */
const CALM_MS_MAX = 30_000

export interface ClusterFigures {
  readonly events: number
  /** Simulated ms. */
  readonly time: number
  readonly acknowledged: number
  readonly epochs: number
}

export class Cluster implements ClusterWorld {
  readonly options: ClusterOptions
  readonly random: SimRandom
  readonly truth: ClusterTruth
  readonly replicas: readonly ClusterReplica[]
  readonly volumes: readonly VolumeId[]
  readonly #queue = new EventQueue()
  readonly #network: ClusterNetwork
  readonly #work: ClusterWork
  #events = 0

  constructor(options: ClusterOptions) {
    this.options = options
    this.random = new SimRandom(options.seed)
    const founders = options.roles.map((role, i) => ({
      ...founderOf(i + 1, role),
      isVoter: role !== 'cache'
    }))
    const found = () => foundCouncil(options.copies, founders)
    this.truth = new ClusterTruth(found())
    this.#network = new ClusterNetwork(this.#queue, this.random.fork('network'), options)
    const { voters } = found()
    this.replicas = options.roles.map((role, i) => {
      const disk = emptyRaft<never>({ voters }, encodeCouncil(found()))
      return new ClusterReplica(this, (i + 1) as ReplicaId, role, disk)
    })
    this.volumes = Array.from({ length: options.volumes }, (_, i) => (i + 1) as VolumeId)
    this.#work = new ClusterWork(this, this.random.fork('work'))
  }

  /** @throws Violation, or InvariantError */
  run(): ClusterFigures {
    const random = this.random.fork('faults')
    for (const replica of this.replicas) {
      if (replica.role !== 'witness') for (const volume of this.volumes) replica.join(volume)
      replica.start()
    }
    this.#work.begin()
    if (this.options.hasCuts) this.#cutSoon(random.fork('cuts'))
    if (this.options.hasCrashes) this.#crashSoon(random.fork('crashes'))
    if (this.options.hasPauses) this.#pauseSoon(random.fork('pauses'))
    this.#runUntil(() => this.now() >= this.options.duration)
    this.#calm()
    const end = this.now() + CALM_MS_MAX
    this.#runUntil(() => this.#work.isSettled() || this.now() > end)
    const complaint = this.#work.complaint()
    if (complaint !== undefined) throw new Violation(`not settled: ${complaint}`)
    const checked = this.volumes.map(volume => this.truth.volume(volume))
    return {
      events: this.#events,
      time: this.now(),
      acknowledged: checked.reduce((sum, { acknowledged }) => sum + acknowledged.index, 0),
      epochs: checked.reduce((sum, { begun }) => sum + begun.size, 0)
    }
  }

  replica(id: ReplicaId): ClusterReplica {
    const replica = this.replicas[id - 1]
    if (replica === undefined) throw new RangeError(`there is no replica ${id}`)
    return replica
  }

  now(): number {
    return this.#queue.now
  }

  after(delay: number, task: () => void): void {
    this.#queue.after(delay, task)
  }

  send(from: ReplicaId, to: ReplicaId, message: ClusterMessage): void {
    const deliver = (): void => this.replica(to).hear(from, message)
    // To itself a replica speaks without a network.
    if (from === to) this.#queue.after(0.01, deliver)
    else this.#network.send(from, to, deliver)
  }

  isCut(from: ReplicaId, to: ReplicaId): boolean {
    return this.#network.isCut(from, to) || this.#network.isCut(to, from)
  }

  happened(replica: ClusterReplica, volume: VolumeId, event: VolumeEvent): void {
    this.#work.happened(replica, volume, event)
  }

  #runUntil(isDone: () => boolean): void {
    while (!isDone()) {
      if (!this.#queue.next()) throw new Violation('nothing happens any more')
      if (++this.#events % 4 === 0) this.#checkAnswering()
      if (this.#events % 16 === 0) this.#checkCopies()
    }
  }

  /** No two replicas would answer for a volume by their leases. */
  #checkAnswering(): void {
    for (const volume of this.volumes) {
      const answering = this.replicas.filter(each => !each.isPaused && each.mayAnswer(volume))
      if (answering.length > 1) {
        throw new Violation(`${answering.map(({ id }) => id).join(' and ')} answer for ${volume}`)
      }
    }
  }

  #checkCopies(): void {
    for (const volume of this.volumes) {
      const lease = this.truth.lease(volume)
      if (lease === undefined) continue
      const replicaOf = (id: ReplicaId): VolumeReplica => {
        const replica = this.replica(id).volumes.get(volume)
        if (replica === undefined) throw new Violation(`${id} in a data set has no volume`)
        return replica
      }
      checkCopies(this.truth.volume(volume), lease, replicaOf)
    }
  }

  #isFaulty(): boolean {
    return this.now() < this.options.duration
  }

  #cutSoon(random: SimRandom): void {
    this.after(50 + random.int(800), () => this.#cut(random))
  }

  /** Long enough, often, for sessions to end and others to take over, who may be next. */
  #cut(random: SimRandom): void {
    if (!this.#isFaulty()) return
    const ids = this.replicas.map(({ id }) => id)
    this.#network.cut(ids, this.#victim(random).id)
    this.after(random.pick([300, 2600, 3500]) + random.int(500), () => {
      if (!this.#isFaulty()) return
      this.#network.heal()
      if (random.chance(0.6)) this.#cut(random)
      else this.#cutSoon(random)
    })
  }

  /** Often one that has something to lose. */
  #victim(random: SimRandom): ClusterReplica {
    const busy = this.replicas.filter(replica => {
      const isHolding = this.volumes.some(volume => replica.mayAnswer(volume))
      return isHolding || replica.voter?.isLeader === true
    })
    return random.pick(busy.length > 0 && random.chance(0.7) ? busy : this.replicas)
  }

  #crashSoon(random: SimRandom): void {
    this.after(100 + random.int(2000), () => {
      if (!this.#isFaulty()) return
      const replica = this.#victim(random)
      replica.crash()
      this.after(50 + random.int(1500), () => {
        if (!replica.isUp) replica.start()
      })
      this.#crashSoon(random)
    })
  }

  #pauseSoon(random: SimRandom): void {
    this.after(50 + random.int(2000), () => {
      if (!this.#isFaulty()) return
      const replica = this.#victim(random)
      replica.pause()
      if (random.chance(0.4))
        this.#network.cut(
          this.replicas.map(({ id }) => id),
          replica.id
        )
      this.after(random.pick([100, 2600]) + random.int(1500), () => replica.resume())
      this.#pauseSoon(random)
    })
  }

  #calm(): void {
    this.#network.calm()
    for (const replica of this.replicas) {
      replica.resume()
      if (!replica.isUp) replica.start()
    }
    this.#work.calm()
  }
}
