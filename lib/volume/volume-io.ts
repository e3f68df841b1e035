/** What a volume at a replica hears, and what it wants done. */

import type { HistoryPoint, LeaseRecord } from '../council/lease-record.ts'
import type { Epoch, Index, ReplicaId, SessionId } from '../ids.ts'
import type { VolumeWrite } from './durable-volume.ts'
import type { LogEntry } from './history.ts'
import type { VolumeMessage } from './volume-message.ts'
import type { CopyRule } from './volume-rules.ts'

/** The council's record as this replica knows it. */
export interface LeaseView {
  /** Counts what the council has decided; a view with a lower one is older. */
  readonly position: number
  readonly record: LeaseRecord
  /** Where the holder's session runs; undefined when it has ended or there is none. */
  readonly holder: ReplicaId | undefined
}

export type VolumeInput<E extends LogEntry> =
  | { readonly kind: 'message'; readonly from: ReplicaId; readonly message: VolumeMessage<E> }
  /** All writes up to this number are durable. */
  | { readonly kind: 'synced'; readonly write: number }
  /** The bodies that this entry names are durable here. */
  | { readonly kind: 'held'; readonly point: HistoryPoint }
  /** Some bodies that were wanted are not to be had now. */
  | { readonly kind: 'unheld' }
  /** A checkpoint that was wanted is durable here. */
  | { readonly kind: 'installed'; readonly point: HistoryPoint }
  /** The holder's own new entries; their bodies are here. */
  | { readonly kind: 'append'; readonly entries: readonly E[] }
  | { readonly kind: 'lease'; readonly view: LeaseView }
  /** The council's answer to a proposal; `isDone` false means that it never will be done. */
  | { readonly kind: 'outcome'; readonly proposal: number; readonly isDone: boolean }
  /** This replica has a session; the one before, if any, is over. */
  | { readonly kind: 'opened'; readonly session: SessionId }
  /** The session is over; 0 stands for it until another is opened. */
  | { readonly kind: 'ended' }
  /** All other replicas that follow the volume. */
  | { readonly kind: 'peers'; readonly peers: readonly ReplicaId[] }
  /** Whether an op here waits for the lease. */
  | { readonly kind: 'want'; readonly isWanted: boolean }
  /** What `park` asked for is done, or could not be within its bound. */
  | { readonly kind: 'parked'; readonly isFree: boolean }
  /** Give the lease back: it is idle, or the replica ends. */
  | { readonly kind: 'giveBack' }
  | { readonly kind: 'resize'; readonly rule: CopyRule }
  /** Entries up to here need not be kept in memory, nor for others. */
  | { readonly kind: 'forget'; readonly through: Index }
  /** Some 10 ms have gone by. */
  | { readonly kind: 'tick' }

export type VolumeProposal =
  | { readonly kind: 'claim'; readonly epoch: Epoch }
  | {
      readonly kind: 'grant'
      readonly epoch: Epoch
      readonly base: HistoryPoint
      readonly to: SessionId
    }
  | { readonly kind: 'release'; readonly epoch: Epoch; readonly base: HistoryPoint }
  | ({ readonly kind: 'resize'; readonly epoch: Epoch } & CopyRule)

export type VolumeOutput<E extends LogEntry> =
  | { readonly kind: 'send'; readonly to: ReplicaId; readonly message: VolumeMessage<E> }
  /** Numbered from 1; to be done in this order, and told of when durable. */
  | { readonly kind: 'write'; readonly number: number; readonly write: VolumeWrite<E> }
  /** To be put to the council by this replica's session until it is answered. */
  | { readonly kind: 'propose'; readonly number: number; readonly proposal: VolumeProposal }
  /** What the record says is to be asked of the council, and given as `lease`. */
  | { readonly kind: 'readLease' }
  /** Acknowledged through here: whoever waits for entries up to it has an answer. */
  | { readonly kind: 'committed'; readonly point: HistoryPoint }
  /** History through here may be shown to the kernel. */
  | { readonly kind: 'exposed'; readonly through: Index }
  /** What was shown behind `to` as the holder is history no more. */
  | { readonly kind: 'undone'; readonly to: HistoryPoint; readonly dropped: readonly E[] }
  /** This replica may append and answer in `epoch`. */
  | { readonly kind: 'holding'; readonly epoch: Epoch; readonly begin: Index }
  /** Nothing is answered in `epoch` any more. */
  | { readonly kind: 'fenced'; readonly epoch: Epoch }
  /** Handles that were written, or held a lock, in these epochs give EIO until they are closed. */
  | { readonly kind: 'poisoned'; readonly since: Epoch; readonly through: Epoch }
  /** Let local lock owners finish, make entries of all that was written, begin nothing new. */
  | { readonly kind: 'park' }
  /** The volume stays here; go on. */
  | { readonly kind: 'unpark' }
  /** Bodies of these entries may be missing here; answered by `held` for each, or `unheld`. */
  | { readonly kind: 'fetchBodies'; readonly from: ReplicaId; readonly entries: readonly E[] }
  | { readonly kind: 'fetchCheckpoint'; readonly from: ReplicaId; readonly point: HistoryPoint }
  /** What a replica sent makes no sense, and was not taken; `why` goes on from its name. */
  | { readonly kind: 'distrusted'; readonly replica: ReplicaId; readonly why: string }
