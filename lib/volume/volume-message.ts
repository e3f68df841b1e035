/** What replicas say to each other about one volume. */

import type { HistoryPoint } from '../council/lease-record.ts'
import type { Epoch, Index, ReplicaId, SessionId } from '../ids.ts'
import type { HistoryTail, LogEntry } from './history.ts'

export type VolumeMessage<E extends LogEntry> =
  /** From the holder: entries behind `previous`; none, to tell of `commit` or to ask for an ack. */
  | {
      readonly kind: 'append'
      readonly epoch: Epoch
      readonly previous: HistoryPoint
      readonly entries: readonly E[]
      readonly commit: HistoryPoint
    }
  /** All up to `through` is the holder's history of `epoch`, durable, with its bodies. */
  | {
      readonly kind: 'ack'
      readonly epoch: Epoch
      readonly through: Index
      /** As far as the sender knows what is acknowledged. */
      readonly commit: Index
    }
  /** The sender has promised a later epoch and takes nothing of this one. */
  | { readonly kind: 'refused'; readonly epoch: Epoch; readonly promised: Epoch }
  /** The sender lacks the predecessor. */
  | { readonly kind: 'missing'; readonly epoch: Epoch; readonly tail: HistoryTail }
  /** From the holder: what the sender asked for is no longer kept as entries. */
  | { readonly kind: 'checkpoint'; readonly epoch: Epoch; readonly point: HistoryPoint }
  /** From whoever is to begin `epoch`: accept nothing older, and say what you have. */
  | { readonly kind: 'seal'; readonly epoch: Epoch }
  | {
      readonly kind: 'sealed'
      readonly epoch: Epoch
      readonly last: HistoryPoint
      readonly commit: HistoryPoint
    }
  /** Send what leads to `through` from where it parts from `tail`. */
  | { readonly kind: 'fetch'; readonly through: HistoryPoint; readonly tail: HistoryTail }
  | {
      readonly kind: 'fetched'
      readonly through: HistoryPoint
      readonly previous: HistoryPoint
      readonly entries: readonly E[]
    }
  /** The way to `through` begins with the checkpoint at `point`. */
  | { readonly kind: 'base'; readonly through: HistoryPoint; readonly point: HistoryPoint }
  /** Somebody here waits for the lease. */
  | {
      readonly kind: 'ask'
      readonly session: SessionId
      readonly number: number
      /** Ticks for which it has waited. */
      readonly waited: number
    }
  | { readonly kind: 'answer'; readonly number: number; readonly answer: AskAnswer }

export type VolumeMessageOf<E extends LogEntry, Kind extends VolumeMessage<E>['kind']> = Extract<
  VolumeMessage<E>,
  { readonly kind: Kind }
>

/** `later` and `busy` say for how many ticks not to ask again. */
export type AskAnswer =
  | { readonly kind: 'granted' }
  | { readonly kind: 'busy'; readonly ticks: number }
  | { readonly kind: 'later'; readonly ticks: number }
  | { readonly kind: 'notHolder'; readonly hint: ReplicaId | undefined }
