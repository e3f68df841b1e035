/** What is told of a cluster to people: members, leases, and one volume in full. */

import type { LeaseRecord } from '../council/lease-record.ts'
import type { VolumeFigures } from '../fuse/cluster-messages.ts'
import { ROOT_INO, ROOT_VOLUME, volumeOf } from '../ids.ts'
import type { Index, ReplicaId, VolumeId } from '../ids.ts'
import { RoostError } from '../errors.ts'
import type { Keeper } from '../keeper/keeper.ts'
import { CLOCK_OFFSET_MAX_MS, offsetText } from '../peer/clock-verdict.ts'
import { direntKey, listingRange } from '../store/keys.ts'
import { decodeDirent, decodeListed } from '../store/records.ts'
import type { Cluster } from './cluster.ts'
import type { Member } from './member.ts'

export interface MemberReport {
  readonly replica: ReplicaId
  readonly role: string
  readonly isSelf: boolean
  readonly votes: boolean
  readonly leads: boolean
  /** Whether the council counts on it. */
  readonly isAlive: boolean
  /** Whether there is a connection with it. */
  readonly isConnected: boolean
  readonly address: string | undefined
  readonly link: string | undefined
  readonly roundTripMs: number | undefined
  readonly queuedBytes: number
  readonly refusal: string | undefined
  /** Entries that it lacks of volumes that are held here. */
  readonly lag: number
}

export interface LeaseReport {
  readonly volume: VolumeId
  /** Names of the directories that lead to the volume, as far as they are known. */
  readonly name: string | undefined
  readonly epoch: number
  readonly holder: ReplicaId | undefined
  readonly dataSet: readonly ReplicaId[]
  readonly copies: number
}

export interface VolumeReport extends LeaseReport {
  /** Of this replica. */
  readonly here: VolumeFigures | undefined
}

export interface ClusterStatus {
  readonly replica: ReplicaId
  readonly session: number
  /** Whether this replica has a majority of the voters behind it. */
  readonly isValid: boolean
  readonly leader: ReplicaId | 0
  readonly members: readonly MemberReport[]
  readonly volumesHeld: number
  /** Volumes with fewer copies than are wanted. */
  readonly volumesShort: number
}

export class ClusterReport {
  readonly #cluster: Cluster
  readonly #member: Member
  readonly #keeper: Keeper
  readonly #volumeDepth: number

  constructor(cluster: Cluster, member: Member, keeper: Keeper, volumeDepth: number) {
    this.#cluster = cluster
    this.#member = member
    this.#keeper = keeper
    this.#volumeDepth = volumeDepth
  }

  async status(): Promise<ClusterStatus> {
    const { council, self } = this.#member
    const volumes = await this.#cluster.describe()
    return {
      replica: self,
      session: council.session,
      isValid: this.#cluster.isValid,
      leader: council.figures.leader,
      members: this.#members(volumes),
      volumesHeld: volumes.filter(({ phase }) => phase === 'holding').length,
      volumesShort: this.#short().length
    }
  }

  /** What is not as it should be, one sentence each. */
  warnings(): string[] {
    const { council } = this.#member
    const warnings: string[] = []
    if (!this.#cluster.isValid) warnings.push('no majority of the voters answers')
    for (const { replica, isAlive } of council.state.members.values()) {
      if (!isAlive) warnings.push(`replica ${replica} is not there`)
    }
    const short = this.#short().length
    if (short > 0) warnings.push(`${short} volumes have fewer copies than ${this.#copies}`)
    for (const { replica, refusal, isUp, clockOffsetMs = 0 } of this.#member.peerFigures()) {
      if (refusal !== undefined) warnings.push(refusal)
      if (!isUp || Math.abs(clockOffsetMs) <= CLOCK_OFFSET_MAX_MS) continue
      warnings.push(`the clock of replica ${replica} is ${offsetText(clockOffsetMs)}`)
    }
    const { clockOffsetMs } = this.#member
    if (clockOffsetMs !== undefined) {
      warnings.push(`the clock here is ${offsetText(clockOffsetMs)}: others hold the volumes`)
    }
    return warnings
  }

  async leases(): Promise<LeaseReport[]> {
    const names = await this.#names()
    return [...this.#member.council.state.leases]
      .sort(([a], [b]) => a - b)
      .map(([volume, record]) => this.#lease(volume, record, names.get(volume)))
  }

  /** @throws RoostError NOT_FOUND */
  async volume(path: string): Promise<VolumeReport> {
    const volume = this.volumeAt(path)
    const record = this.#member.council.leaseView(volume)?.record
    if (record === undefined) throw new RoostError('NOT_FOUND', `${path} has no lease yet`)
    const [here] = await this.#cluster.describe(volume)
    return { ...this.#lease(volume, record, path), here }
  }

  /** Gives the volume at a path back, if it is held here. @throws RoostError NOT_FOUND */
  move(path: string): void {
    this.#cluster.move(this.volumeAt(path))
  }

  /** The volume at a path below the mount point. @throws RoostError NOT_FOUND */
  volumeAt(path: string): VolumeId {
    const names = path.split('/').filter(name => name !== '')
    if (names.length === 0) return ROOT_VOLUME
    let ino = ROOT_INO
    for (const name of names.slice(0, this.#volumeDepth)) {
      const stored = this.#keeper.store.get(direntKey(ino, name))
      if (stored === undefined) throw new RoostError('NOT_FOUND', `there is no ${path}`)
      ino = decodeDirent(stored).ino
    }
    return volumeOf(ino)
  }

  get #copies(): number {
    const { members, copies } = this.#member.council.state
    const stores = [...members.values()].filter(({ role }) => role === 'store').length
    return Math.min(copies, stores)
  }

  #short(): VolumeId[] {
    const { leases } = this.#member.council.state
    return [...leases].filter(([, { copies }]) => copies < this.#copies).map(([volume]) => volume)
  }

  #members(volumes: readonly VolumeFigures[]): MemberReport[] {
    const { council, self } = this.#member
    const { members, voters } = council.state
    const figures = new Map(this.#member.peerFigures().map(peer => [peer.replica, peer]))
    return [...members.values()].map(({ replica, role, isAlive }) => {
      const peer = figures.get(replica)
      return {
        replica,
        role,
        isSelf: replica === self,
        votes: voters.includes(replica),
        leads: council.figures.leader === replica,
        isAlive,
        isConnected: replica === self || peer?.isUp === true,
        address: peer?.address,
        link: peer?.link,
        roundTripMs: peer?.roundTripMs,
        queuedBytes: peer?.queuedBytes ?? 0,
        refusal: peer?.refusal,
        lag: volumes.reduce((sum, volume) => sum + lagOf(volume, replica), 0)
      }
    })
  }

  #lease(volume: VolumeId, record: LeaseRecord, name: string | undefined): LeaseReport {
    const { epoch, dataSet, copies } = record
    const holder = this.#member.council.leaseView(volume)?.holder
    return { volume, name, epoch, holder, dataSet, copies }
  }

  /** Names of volumes directly below the root. */
  async #names(): Promise<Map<VolumeId, string>> {
    const [from, to] = listingRange(ROOT_INO, 0 as Index)
    const listed = await this.#keeper.store.range(from, to, Infinity)
    const names = listed.map(([, value]) => decodeListed(value))
    return new Map(names.map(({ name, ino }) => [volumeOf(ino), name]))
  }
}

function lagOf({ head, followers }: VolumeFigures, replica: ReplicaId): number {
  const acked = followers.find(([peer]) => peer === replica)?.[1]
  return acked === undefined ? 0 : head - acked
}
