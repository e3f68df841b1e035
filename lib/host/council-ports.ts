/** What a member's part of the council needs of the process around it, and tells it. */

import type { CouncilAnswer, Refusal } from '../council/command.ts'
import type { ClientIdentity } from '../council/council-client.ts'
import type { CouncilState, Member } from '../council/council-state.ts'
import type { Health } from '../council/session.ts'
import type { RoostError } from '../errors.ts'
import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import type { Logger } from '../io/logger.ts'
import type { LeaseView } from '../volume/volume-io.ts'

/** What is told to whoever has a council; all of it in order, and none of it before `open`. */
export interface CouncilListener {
  /** The lease of a volume, newer than before or as it was asked for. */
  lease(volume: VolumeId, view: LeaseView): void
  /** Any lease may be another, or its holder gone: look at those that matter. */
  leasesChanged(): void
  opened(session: SessionId): void
  /** The session is over. What it asked and was not answered gets no answer any more. */
  ended(): void
  answered(number: number, answer: CouncilAnswer): void
  /** Until when the session may answer alone, by the host's clock; 0: not at all. */
  validUntil(ms: number): void
  /** Members, their sessions, or who votes. */
  members(members: readonly Member[], voters: readonly ReplicaId[]): void
  /** 0: nobody is known to lead. */
  leader(leader: ReplicaId | 0): void
  /**
   * No session for this replica. By 'notMember' it may yet become one; for any other reason there
   * will be none: its directory was rolled back, or is a copy of another's.
   */
  refused(why: Refusal): void
  /** The disk failed. Nothing happens any more. */
  failed(error: RoostError): void
}

export interface CouncilHostOptions {
  /** Of the data directory. */
  readonly disk: Disk
  readonly identity: ClientIdentity
  /** What the cluster begins with, at its founder; of no account where a log is there. */
  readonly founded?: CouncilState
  /** Whom a joining member may ask, until it knows who votes. */
  readonly hints?: readonly ReplicaId[]
  /** For the next session of the same process: counted up durably, and drawn anew. */
  readonly nextBoot: () => Pick<ClientIdentity, 'boot' | 'nonce'>
  readonly health: () => Health
  /** Hands bytes to a member, or drops them where there is no connection. */
  readonly send: (to: ReplicaId, bytes: Buffer) => void
  readonly on: CouncilListener
  readonly logger: Logger
  /** From 0, less than 1. */
  readonly random: () => number
  /** ms that go on while the machine sleeps; the machine's own where this is not given. */
  readonly now?: () => number
}

export interface CouncilFigures {
  readonly term: number
  readonly leader: ReplicaId | 0
  /** How much has been decided, as far as it is known here. */
  readonly position: number
  readonly voters: readonly ReplicaId[]
  readonly session: SessionId | 0
  readonly logBytes: number
}
