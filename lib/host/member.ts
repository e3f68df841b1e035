/**
 * A member of a cluster: its connections and its side of the council. A witness is no more than
 * this; a replica has volumes besides.
 */

import type { CouncilAnswer } from '../council/command.ts'
import type { CouncilState } from '../council/council-state.ts'
import type { Health } from '../council/session.ts'
import { RoostError } from '../errors.ts'
import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import type { Disk } from '../io/disk.ts'
import type { Logger } from '../io/logger.ts'
import { drawUnit } from '../io/random.ts'
import { every } from '../io/timer.ts'
import { beginRun } from '../peer/begin-run.ts'
import { ownClockOffset } from '../peer/clock-verdict.ts'
import type { ClusterIdentity, FoundingMember } from '../peer/cluster-identity.ts'
import type { Run } from '../peer/hello.ts'
import { Invites } from '../peer/invites.ts'
import { JoinDesk, type Applicant } from '../peer/join-desk.ts'
import type { PeerFigures } from '../peer/link.ts'
import { MemberList } from '../peer/member-list.ts'
import { PeerRecords } from '../peer/peer-records.ts'
import { Peers } from '../peer/peers.ts'
import type { PeerChannel } from '../peer/send-queue.ts'
import { present } from '../util/assert.ts'
import { Resource } from '../util/resource.ts'
import type { LeaseView } from '../volume/volume-io.ts'
import { CouncilHost } from './council-host.ts'

/** How often it is looked who should vote. */
const VOTERS_MS = 500
/** More voters make every decision slower, and three survive the loss of one. */
const VOTERS_MAX = 5
const NS_PER_MS = 1_000_000n

export interface MemberOptions {
  readonly disk: Disk
  readonly identity: ClusterIdentity
  readonly storeId: string
  readonly volumeDepth: number
  /** What a cluster begins with, at its founder; used at the first start only. */
  readonly founded?: CouncilState
  /** Whether this run could serve, if it were asked. */
  readonly health: () => Health
  readonly clock: Clock
  readonly logger: Logger
}

/** What a replica wants to hear of. */
export interface MemberFollower {
  lease(volume: VolumeId, view: LeaseView): void
  /** Any lease may be another. */
  leasesChanged(): void
  opened(session: SessionId): void
  ended(): void
  answered(request: number, answer: CouncilAnswer): void
  /** The session may answer alone until then, by the boot clock. */
  valid(untilMs: number): void
  /** Members, their sessions or connections are others. */
  changed(): void
  message(from: ReplicaId, channel: PeerChannel, bytes: Buffer): void
  down(replica: ReplicaId): void
}

export class Member extends Resource {
  readonly #options: MemberOptions
  #council: CouncilHost | undefined
  /** Counted up durably, for the session after this one. */
  #nextRun: Run | undefined
  #peers: Peers | undefined
  #list: MemberList | undefined
  #records: PeerRecords | undefined
  #invites: Invites | undefined
  #follower: MemberFollower | undefined
  readonly #requests = new Map<number, (answer: CouncilAnswer) => void>()

  constructor(options: MemberOptions) {
    super()
    this.#options = options
  }

  get self(): ReplicaId {
    return this.#options.identity.replica
  }

  get council(): CouncilHost {
    return present(this.#council, 'council')
  }

  /** Whom to tell what happens; there is one at the most. */
  follow(follower: MemberFollower): void {
    this.#follower = follower
  }

  isUp(replica: ReplicaId): boolean {
    return this.#peers?.isUp(replica) === true
  }

  send(to: ReplicaId, channel: PeerChannel, bytes: Buffer): boolean {
    return present(this.#peers, 'peers').send(to, channel, bytes)
  }

  /** What it sent makes no sense: nothing more is heard of it for a while. */
  distrust(replica: ReplicaId, why: string): void {
    this.#peers?.distrust(replica, why)
  }

  /** Bytes that wait to be sent to it. */
  bufferedBytes(to: ReplicaId): number {
    return present(this.#peers, 'peers').bufferedBytes(to)
  }

  peerFigures(): readonly PeerFigures[] {
    return present(this.#peers, 'peers').figures()
  }

  /** How far the clock is off here, if most members say so; ahead if above zero. */
  get clockOffsetMs(): number | undefined {
    const up = this.#peers?.figures().filter(({ isUp }) => isUp) ?? []
    return ownClockOffset(up.flatMap(({ clockOffsetMs }) => clockOffsetMs ?? []))
  }

  /** A token by which one other replica may become a member. @throws RoostError PEER_FAILED */
  async invite(ttlMs: number): Promise<string> {
    const { publicKey, listen } = this.#options.identity
    const invites = present(this.#invites, 'invites')
    return invites.create(publicKey, [listen], ttlMs, this.#wallMs())
  }

  protected override async _open(): Promise<void> {
    const { disk, identity, storeId, logger, clock } = this.#options
    const run = await beginRun(disk)
    this.#nextRun = await beginRun(disk)
    this.#list = await this.own(MemberList.read(disk, identity.founders))
    const records = PeerRecords.read(disk)
    this.#records = records
    const invites = Invites.read(disk)
    this.#invites = invites
    const desk = new JoinDesk({
      invites,
      cluster: () => this.#cluster(),
      admit: applicant => this.#admit(applicant),
      logger,
      wallMs: () => this.#wallMs()
    })
    this.#council = this.#makeCouncil(run)
    await this.own(this.#council)
    const { replica, publicKey, secretKey, clusterId, listen } = identity
    this.#peers = await this.own(
      new Peers({
        identity: { ...run, replica, publicKey, secretKey, storeId, clusterId, listen },
        records,
        members: () => this.#members(),
        addressesOf: peer => this.#addressesOf(peer),
        onMessage: (from, channel, bytes) => {
          if (channel === 'council') this.council.hear(from, bytes)
          else this.#follower?.message(from, channel, bytes)
        },
        onUp: () => this.#follower?.changed(),
        onDown: peer => {
          this.#follower?.down(peer)
          this.#follower?.changed()
        },
        logger,
        clock,
        joins: desk
      })
    )
    await this.own({ close: every(VOTERS_MS, () => this.#chooseVoters()) })
  }

  #makeCouncil(run: Run): CouncilHost {
    const { disk, identity, storeId, founded, health, logger } = this.#options
    return new CouncilHost({
      disk,
      identity: { replica: identity.replica, storeId, ...run },
      ...(founded && { founded }),
      hints: this.#members().map(({ replica }) => replica),
      health,
      send: (to, bytes) => void this.#peers?.send(to, 'council', bytes),
      nextBoot: () => this.#takeRun(),
      random: drawUnit,
      on: {
        lease: (volume, view) => this.#follower?.lease(volume, view),
        leasesChanged: () => this.#follower?.leasesChanged(),
        opened: session => {
          this.#noteMembers()
          this.#follower?.opened(session)
        },
        ended: () => this.#follower?.ended(),
        answered: (number, answer) => this.#answered(number, answer),
        validUntil: ms => this.#follower?.valid(ms),
        members: () => {
          this.#noteMembers()
          this.#peers?.membersChanged()
          this.#follower?.changed()
        },
        leader: () => undefined,
        refused: why => {
          if (why !== 'notMember') logger.error(`the council refuses this replica: ${why}`)
        },
        failed: error => {
          logger.error(`the council has failed here: ${error.message}`)
        }
      },
      logger
    })
  }

  #takeRun(): Run {
    const run = present(this.#nextRun, 'number of the next run')
    this.#nextRun = undefined
    void beginRun(this.#options.disk).then(next => (this.#nextRun = next))
    return run
  }

  #wallMs(): number {
    return Number(this.#options.clock.nowNs() / NS_PER_MS)
  }

  /** As the council says, and before that has come here in this run, as it said last. */
  #members(): readonly FoundingMember[] {
    return present(this.#list, 'list of members').members
  }

  /** What the council's log has here may be old until it tells of this very session. */
  #noteMembers(): void {
    const { state, session } = this.council
    const isCurrent = session !== 0 && state.members.get(this.self)?.session === session
    if (!isCurrent) return
    this.#list?.replace(
      [...state.members.values()].map(({ replica, key, storeId, role }) => {
        return { replica, key, storeId, role, addresses: this.#addressesOf(replica) }
      })
    )
  }

  #addressesOf(replica: ReplicaId): readonly string[] {
    const founders = this.#members()
    const learned = this.#records?.addressOf(replica)
    const founding = founders.find(founder => founder.replica === replica)?.addresses ?? []
    return learned === undefined ? founding : [learned, ...founding]
  }

  #cluster(): ReturnType<ConstructorParameters<typeof JoinDesk>[0]['cluster']> {
    const { identity, volumeDepth } = this.#options
    const { clusterId, copies } = identity
    return { clusterId, volumeDepth, copies, members: this.#members() }
  }

  async #admit({ key, storeId, role }: Applicant): Promise<{ replica: ReplicaId }> {
    const { members } = this.council.state
    const replica = (Math.max(...members.keys()) + 1) as ReplicaId
    const answer = await this.#request({ kind: 'addMember', replica, key, storeId, role })
    if (answer.kind === 'done') return { replica }
    throw new RoostError('PEER_FAILED', `the council refused the member: ${answer.why}`)
  }

  #request(command: Parameters<CouncilHost['request']>[0]): Promise<CouncilAnswer> {
    return new Promise(resolve => {
      this.#requests.set(this.council.request(command), resolve)
    })
  }

  #answered(number: number, answer: CouncilAnswer): void {
    const resolve = this.#requests.get(number)
    this.#requests.delete(number)
    if (resolve !== undefined) resolve(answer)
    else this.#follower?.answered(number, answer)
  }

  /**
   * An odd number of members vote, the first that are there: two would be worse than one, as the
   * loss of either would stop both.
   */
  #chooseVoters(): void {
    if (!this.council.isLeader || this.#requests.size > 0) return
    const { members, voters } = this.council.state
    const alive = [...members.values()]
      .filter(({ isAlive, replica }) => isAlive && (replica === this.self || this.isUp(replica)))
      .map(({ replica }) => replica)
    const count = Math.min(members.size - ((members.size + 1) % 2), VOTERS_MAX)
    if (voters.length >= count) return
    const next = alive.filter(replica => !voters.includes(replica)).sort((a, b) => a - b)[0]
    if (next !== undefined && voters.length + alive.length > count) {
      void this.#request({ kind: 'setVoter', replica: next, isVoter: true })
    }
  }
}
