/**
 * What programs and operators do in a simulated cluster: they want volumes, write to them through
 * handles, ask for other data sets and voters; and what each replica's shell does for its volumes.
 */

import type { Epoch, ReplicaId, VolumeId } from '../../lib/ids.ts'
import { headOf } from '../../lib/volume/history.ts'
import type { Cluster } from './cluster.ts'
import type { ClusterReplica } from './cluster-replica.ts'
import { chainEntry, chainPoint } from './chain-entry.ts'
import type { SimRandom } from './sim-random.ts'
import { Violation, type VolumeEvent, type VolumeReplica } from './volume-replica.ts'

/** An open file, with the last epoch in which it was written or locked. */
interface Handle {
  epoch: Epoch | 0
  isPoisoned: boolean
}

interface Shell {
  readonly handles: Handle[]
  /** Epochs that were taken away, not given. */
  readonly lost: Set<Epoch>
  isParked: boolean
}

export class ClusterWork {
  readonly #cluster: Cluster
  readonly #random: SimRandom
  readonly #shells = new Map<string, Shell>()
  #isCalm = false
  #values = 0
  /** Volumes that somebody has to write to once more. */
  readonly #owed = new Map<VolumeId, ReplicaId>()

  constructor(cluster: Cluster, random: SimRandom) {
    this.#cluster = cluster
    this.#random = random
  }

  begin(): void {
    for (const replica of this.#cluster.replicas) {
      if (replica.role !== 'witness') this.#workSoon(replica)
    }
    if (this.#cluster.options.hasMemberships) this.#changeVotersSoon()
  }

  /** From here on each volume is wanted once more, by somebody, and then left alone. */
  calm(): void {
    this.#isCalm = true
    const able = this.#cluster.replicas.filter(({ role }) => role !== 'witness')
    for (const volume of this.#cluster.volumes) {
      this.#owed.set(volume, this.#random.pick(able).id)
      for (const replica of able) {
        const isWanted = this.#owed.get(volume) === replica.id
        this.#within(replica, () => replica.input(volume, { kind: 'want', isWanted }))
      }
    }
  }

  isSettled(): boolean {
    return this.complaint() === undefined
  }

  /** What is not yet as it has to be in the end. */
  complaint(): string | undefined {
    for (const volume of this.#cluster.volumes) {
      if (this.#owed.has(volume)) return `volume ${volume} is wanted by ${this.#owed.get(volume)}`
      const { acknowledged } = this.#cluster.truth.volume(volume)
      for (const { id, volumes } of this.#cluster.replicas) {
        const replica = volumes.get(volume)
        if (replica === undefined) continue
        const { history, commit, exposed } = replica.volume
        const isBehind = commit.index !== acknowledged.index || exposed !== commit.index
        if (isBehind || headOf(history).index !== commit.index) {
          return `replica ${id} lags in volume ${volume}`
        }
      }
    }
    return undefined
  }

  happened(replica: ClusterReplica, volume: VolumeId, event: VolumeEvent): void {
    const shell = this.#shellOf(replica, volume)
    switch (event.kind) {
      case 'holding':
        shell.isParked = false
        this.#within(replica, () => this.#write(replica, volume))
        return
      case 'park':
        shell.isParked = true
        this.#cluster.after(this.#random.int(40), () =>
          // A program that was stopped goes on where it was.
          replica.within(() => {
            replica.input(volume, { kind: 'parked', isFree: this.#random.chance(0.9) })
          })
        )
        return
      case 'unpark':
        shell.isParked = false
        return
      case 'poisoned':
        for (const handle of shell.handles) {
          const { epoch } = handle
          if (epoch >= event.since && epoch <= event.through) handle.isPoisoned = true
        }
        return
      case 'fenced':
        if (!shell.isParked) shell.lost.add(event.epoch)
        return
      case 'fetchCheckpoint':
        return this.#fetchCheckpoint(replica, volume, event)
      case 'fetchBodies':
        return this.#fetchBodies(replica, volume, event)
      default:
        return
    }
  }

  #workSoon(replica: ClusterReplica): void {
    this.#cluster.after(10 + this.#random.int(120), () => {
      this.#within(replica, () => {
        for (const volume of this.#cluster.volumes) this.#work(replica, volume)
      })
      this.#workSoon(replica)
    })
  }

  #work(replica: ClusterReplica, volume: VolumeId): void {
    const { options } = this.#cluster
    const { volume: state } = replica.volumes.get(volume) as VolumeReplica
    const isHolding = state.phase.kind === 'holding'
    if (this.#isCalm) {
      if (this.#owed.get(volume) !== replica.id) return
      if (isHolding) this.#write(replica, volume)
      else replica.input(volume, { kind: 'want', isWanted: true })
      return
    }
    if (!isHolding) {
      const isWanted = this.#random.chance(0.2)
      replica.input(volume, { kind: 'want', isWanted: isWanted || state.want !== undefined })
      return
    }
    const chance = this.#random.next()
    if (chance < 0.7) this.#write(replica, volume)
    else if (chance < 0.72) replica.input(volume, { kind: 'giveBack' })
    else if (chance < 0.77 && options.hasResizes) this.#resize(replica, volume)
    else if (chance < 0.8 && options.forgets) {
      replica.input(volume, { kind: 'forget', through: state.commit.index })
    }
  }

  /** A program writes through one of its handles, or finds it poisoned and opens another. */
  #write(replica: ClusterReplica, volume: VolumeId): void {
    const shell = this.#shellOf(replica, volume)
    const { volume: state, bodies } = replica.volumes.get(volume) as VolumeReplica
    const { phase } = state
    if (phase.kind !== 'holding' || shell.isParked || !replica.mayAnswer(volume)) return
    const at = this.#random.int(shell.handles.length)
    const handle = shell.handles[at] as Handle
    if (handle.isPoisoned) {
      shell.handles[at] = { epoch: 0, isPoisoned: false }
      return
    }
    if (handle.epoch !== 0 && shell.lost.has(handle.epoch)) {
      throw new Violation(`a handle of lost epoch ${handle.epoch} is written in ${phase.epoch}`)
    }
    handle.epoch = phase.epoch
    const hasBodies = this.#cluster.options.hasBodies && this.#random.chance(0.3)
    const entry = chainEntry(phase.epoch, headOf(state.history), `v${++this.#values}`, hasBodies)
    if (hasBodies) bodies.push(entry.hash)
    replica.input(volume, { kind: 'append', entries: [entry] })
    if (this.#isCalm && this.#owed.get(volume) === replica.id) this.#owed.delete(volume)
    if (!this.#isCalm) replica.input(volume, { kind: 'want', isWanted: false })
  }

  #resize(replica: ClusterReplica, volume: VolumeId): void {
    const stores = this.#cluster.replicas.filter(({ role }) => role === 'store')
    const some = stores.filter(() => this.#random.chance(0.7)).map(({ id }) => id)
    const dataSet = some.length === 0 ? [replica.id] : some
    if (!stores.some(({ id }) => id === dataSet[0])) return
    const rule = { dataSet, copies: 1 + this.#random.int(dataSet.length) }
    replica.input(volume, { kind: 'resize', rule })
  }

  /** Bodies come from whoever has them and is there. */
  #fetchBodies(
    replica: ClusterReplica,
    volume: VolumeId,
    { entries }: Extract<VolumeEvent, { kind: 'fetchBodies' }>
  ): void {
    this.#cluster.after(5 + this.#random.int(50), () =>
      replica.within(() => {
        if (!replica.isUp) return
        for (const entry of entries) {
          const point = chainPoint(entry)
          const { bodies } = replica.volumes.get(volume) as VolumeReplica
          const isHere =
            bodies.includes(point.hash) || this.#isAtOthers(replica, volume, point.hash)
          if (isHere) bodies.push(point.hash)
          replica.input(volume, isHere ? { kind: 'held', point } : { kind: 'unheld' })
        }
      })
    )
  }

  #isAtOthers(replica: ClusterReplica, volume: VolumeId, hash: string): boolean {
    const others = this.#cluster.replicas.filter(
      ({ id, isUp }) => isUp && id !== replica.id && !this.#cluster.isCut(id, replica.id)
    )
    return others.some(other => other.volumes.get(volume)?.bodies.includes(hash) === true)
  }

  #fetchCheckpoint(
    replica: ClusterReplica,
    volume: VolumeId,
    { from, point }: Extract<VolumeEvent, { kind: 'fetchCheckpoint' }>
  ): void {
    this.#cluster.after(5 + this.#random.int(50), () => {
      const isReached = this.#cluster.replica(from).isUp && !this.#cluster.isCut(from, replica.id)
      if (isReached)
        this.#within(replica, () => replica.input(volume, { kind: 'installed', point }))
    })
  }

  #changeVotersSoon(): void {
    this.#cluster.after(200 + this.#random.int(1000), () => {
      if (this.#isCalm) return
      const asker = this.#random.pick(this.#cluster.replicas)
      const { id } = this.#random.pick(this.#cluster.replicas)
      this.#within(asker, () => {
        const voters = asker.voter?.state.voters ?? []
        const isVoter = !voters.includes(id)
        if (isVoter || voters.length > 2) asker.command({ kind: 'setVoter', replica: id, isVoter })
      })
      this.#changeVotersSoon()
    })
  }

  #within(replica: ClusterReplica, task: () => void): void {
    if (!replica.isUp || replica.isPaused) return
    replica.within(task)
  }

  #shellOf({ id }: ClusterReplica, volume: VolumeId): Shell {
    const name = `${id} ${volume}`
    let shell = this.#shells.get(name)
    if (shell === undefined) {
      const handles = Array.from({ length: 3 }, (): Handle => ({ epoch: 0, isPoisoned: false }))
      this.#shells.set(name, (shell = { handles, lost: new Set(), isParked: false }))
    }
    return shell
  }
}
