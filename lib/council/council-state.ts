/** What the council knows: members, their sessions, and a record for each volume ever claimed. */

import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import type { CouncilAnswer, Role } from './command.ts'
import type { LeaseRecord } from './lease-record.ts'

export interface Member {
  readonly replica: ReplicaId
  /** Public key that its connections prove. */
  readonly key: string
  /** Drawn when its data directory was made. */
  readonly storeId: string
  readonly role: Role
  /** Of its last run. */
  readonly boot: number
  readonly nonce: string
  /** Of its last run, 0 before the first. */
  readonly session: SessionId | 0
  readonly isAlive: boolean
}

/** A session's requests whose answers it may still ask for. */
export interface RequestTable {
  /** All requests up to this one are over. */
  settled: number
  readonly answers: Map<number, CouncilAnswer>
}

export interface CouncilState {
  /** Copies that a volume begins with, when there are as many stores. */
  readonly copies: number
  /** The next session's number. */
  nextSession: SessionId
  readonly members: Map<ReplicaId, Member>
  /** Members that vote, ascending. */
  voters: readonly ReplicaId[]
  readonly leases: Map<VolumeId, LeaseRecord>
  /** Of sessions that are alive. */
  readonly requests: Map<SessionId, RequestTable>
}

/** Who a cluster begins with. */
export type Founder = Pick<Member, 'replica' | 'key' | 'storeId' | 'role'> & {
  readonly isVoter: boolean
}

/** @param firstSession higher than any session that a founder has had on its own */
export function foundCouncil(
  copies: number,
  founders: readonly Founder[],
  firstSession = 1 as SessionId
): CouncilState {
  const members = founders.map(({ replica, key, storeId, role }): [ReplicaId, Member] => [
    replica,
    { replica, key, storeId, role, boot: 0, nonce: '', session: 0, isAlive: false }
  ])
  return {
    copies,
    nextSession: firstSession,
    members: new Map(members),
    voters: founders
      .filter(founder => founder.isVoter)
      .map(founder => founder.replica)
      .sort((a, b) => a - b),
    leases: new Map(),
    requests: new Map()
  }
}

/** Whose session it is, while it is alive. */
export function memberOfSession(state: CouncilState, session: SessionId): Member | undefined {
  for (const member of state.members.values()) {
    if (member.session === session) return member.isAlive ? member : undefined
  }
  return undefined
}

export function isAlive(state: CouncilState, session: SessionId | 0): boolean {
  return session !== 0 && memberOfSession(state, session) !== undefined
}
