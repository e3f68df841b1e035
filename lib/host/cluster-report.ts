/** What is told of a cluster to people: members, leases, and one volume in full. */

import type { LeaseRecord } from '../council/lease-record.ts'
import type { VolumeFigures } from '../fuse/cluster-messages.ts'
import { ROOT_INO, ROOT_VOLUME, volumeOf } from '../ids.ts'
import type { Index, ReplicaId, VolumeId } from '../ids.ts'
import { RoostError } from '../errors.ts'
import type { Keeper } from '../keeper/keeper.ts'
import { direntKey, listingRange } from '../store/keys.ts'
import { decodeDirent, decodeListed } from '../store/records.ts'
import type { Cluster } from './cluster.ts'
import { CouncilReport } from './council-report.ts'
import type { Member } from './member.ts'
import type { Concern } from './verdict.ts'

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
  readonly #council: CouncilReport
  readonly #keeper: Keeper
  readonly #volumeDepth: number

  constructor(cluster: Cluster, member: Member, keeper: Keeper, volumeDepth: number) {
    this.#cluster = cluster
    this.#member = member
    this.#council = new CouncilReport(member)
    this.#keeper = keeper
    this.#volumeDepth = volumeDepth
  }

  async status(): Promise<ClusterStatus> {
    return this.#council.status(await this.#cluster.describe())
  }

  /** What is not as it should be. */
  concerns(): Concern[] {
    return this.#council.concerns()
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
