/** What a member, also one that keeps no mail, tells people of the others. */

import type { VolumeFigures } from '../fuse/cluster-messages.ts'
import type { ReplicaId, VolumeId } from '../ids.ts'
import { bootMs } from '../io/boot-clock.ts'
import { CLOCK_OFFSET_MAX_MS, offsetText } from '../peer/clock-verdict.ts'
import type { ClusterStatus, MemberReport } from './cluster-report.ts'
import type { Member } from './member.ts'
import type { Concern } from './verdict.ts'

export class CouncilReport {
  readonly #member: Member

  constructor(member: Member) {
    this.#member = member
  }

  /** @param volumes as this replica knows them */
  status(volumes: readonly VolumeFigures[]): ClusterStatus {
    const { council, self } = this.#member
    return {
      replica: self,
      session: council.session,
      isValid: this.#isValid,
      leader: council.figures.leader,
      members: this.#members(volumes),
      volumesHeld: volumes.filter(({ phase }) => phase === 'holding').length,
      volumesShort: this.#short().length
    }
  }

  /** What is not as it should be. */
  concerns(): Concern[] {
    const concerns: Concern[] = []
    if (!this.#isValid) {
      const text = 'no majority of the voters answers here, so nothing can be written or locked'
      concerns.push({ severity: 'critical', text: `${text} through this member` })
    }
    return [...concerns, ...this.#warnings().map(text => ({ severity: 'warning', text }) as const)]
  }

  #warnings(): string[] {
    const { council, self, clockOffsetMs } = this.#member
    const warnings: string[] = []
    const figures = this.#member.peerFigures()
    for (const { replica, role, isAlive } of council.state.members.values()) {
      if (isAlive || replica === self) continue
      const address = figures.find(peer => peer.replica === replica)?.address
      const who = role === 'witness' ? `the witness, replica ${replica},` : `replica ${replica}`
      warnings.push(`${who} at ${address ?? 'no known address'} is away: down or cut off`)
    }
    const short = this.#short().length
    if (short > 0) {
      const are = short === 1 ? '1 volume has' : `${short} volumes have`
      const then = 'that is repaired by itself when enough replicas are there'
      warnings.push(`${are} fewer than ${this.#copies} copies; ${then}`)
    }
    for (const { replica, refusal, isUp, clockOffsetMs: offset = 0 } of figures) {
      if (refusal !== undefined) warnings.push(refusal)
      if (!isUp || Math.abs(offset) <= CLOCK_OFFSET_MAX_MS) continue
      warnings.push(`the clock of replica ${replica} is ${offsetText(offset)}`)
    }
    if (clockOffsetMs !== undefined) {
      warnings.push(`the clock here is ${offsetText(clockOffsetMs)}: others hold the volumes`)
    }
    return warnings
  }

  /** Whether this member has a majority of the voters behind it. */
  get #isValid(): boolean {
    return bootMs() < this.#member.council.validUntil
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
}

function lagOf({ head, followers }: VolumeFigures, replica: ReplicaId): number {
  const acked = followers.find(([peer]) => peer === replica)?.[1]
  return acked === undefined ? 0 : head - acked
}
