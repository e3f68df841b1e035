/** What the volumes of a cluster need around them. */

import type { HistoryPoint } from '../council/lease-record.ts'
import type { LoggedEntry } from '../feed/entry.ts'
import type { Epoch, ReplicaId, VolumeId } from '../ids.ts'
import type { ReplicatedEntry } from '../volume/replicated-entry.ts'
import type { LeaseView, VolumeProposal } from '../volume/volume-io.ts'
import type { VolumeMessage } from '../volume/volume-message.ts'

/** What is known of a volume when it is first needed in a run. */
export interface VolumeStart {
  /** The last entry that the store has. */
  readonly point: HistoryPoint
  /** Of that entry, ns since 1970. */
  readonly time: bigint
  readonly promised: Epoch
  /** Behind it, in the log, not known to be acknowledged. */
  readonly pending: readonly LoggedEntry[]
  readonly lease: LeaseView | undefined
}

export interface ReplicationPorts {
  readonly self: ReplicaId
  send(to: ReplicaId, volume: VolumeId, message: VolumeMessage<ReplicatedEntry>): void
  propose(volume: VolumeId, number: number, proposal: VolumeProposal): void
  readLease(volume: VolumeId): void
  /** Answered by `ReplicatedVolumes.loaded`. */
  load(volume: VolumeId): void
  /** Answered by the input 'held' for each entry, or 'unheld'. */
  fetchBodies(volume: VolumeId, from: ReplicaId, entries: readonly ReplicatedEntry[]): void
  /** Answered by the input 'installed'. */
  fetchCheckpoint(volume: VolumeId, from: ReplicaId, point: HistoryPoint): void
  /** The durable side may take entries through `point`: they are acknowledged. */
  committed(volume: VolumeId, point: HistoryPoint): void

  /** What a replica sent about a volume makes no sense; `why` goes on from its name. */
  distrust(replica: ReplicaId, why: string): void

  // What the tables are told of, between steps:

  /** More of the volume is acknowledged. */
  acknowledged(volume: VolumeId): void
  /** Ops may change the volume. */
  ready(volume: VolumeId): void
  /** They may not any more. */
  fenced(volume: VolumeId): void
  /** An own entry that only says that an epoch begins. */
  began(volume: VolumeId, begin: LoggedEntry): void
  /** Others' entries are history to be shown. */
  shown(volume: VolumeId, entries: readonly LoggedEntry[]): void
  /** All of the volume may be different. */
  replaced(volume: VolumeId): void
  /** What was shown last, as the holder's own, is no history. */
  undone(volume: VolumeId): void
  /** Handles that were written or locked in these epochs are of no use any more. */
  poison(volume: VolumeId, since: Epoch, through: Epoch): void
  /** The volume is to be given away: let lock owners finish, seal, and say `parked`. */
  park(volume: VolumeId): void
  unpark(volume: VolumeId): void
}
