/** What the serving thread of a replica in a cluster and its main thread tell each other. */

import type { HistoryPoint } from '../council/lease-record.ts'
import type { BlobId, Epoch, Index, ReplicaId, SessionId, VolumeId } from '../ids.ts'
import type { StoreView } from '../replication/copy-policy.ts'
import type { LeaseView, VolumeProposal } from '../volume/volume-io.ts'

export interface ClusterThreadInput {
  readonly replica: ReplicaId
  /** Of the SessionWord. */
  readonly word: SharedArrayBuffer
  /** An op that needs a lease fails after so long. */
  readonly leaseWaitMs: number
  /** A rename, which keeps the kernel from other renames, after so long. */
  readonly renameWaitMs: number
  /** So long a volume stays here before it is given away. */
  readonly minHoldMs: number
  /** So long the owners of locks may finish before a volume that others want stays here. */
  readonly lockGraceMs: number
}

/** See VolumeStart; what is pending lies in a message of kind 'fetched'. */
export interface VolumeStartMessage {
  readonly point: HistoryPoint
  readonly time: bigint
  readonly promised: Epoch
  readonly pending: Uint8Array | undefined
  readonly lease: LeaseView | undefined
}

/** An entry, and what it names that does not come with it. */
export interface EntryBodies {
  readonly point: HistoryPoint
  readonly blobs: readonly BlobId[]
}

export type ToVolumes =
  /** Messages of a peer about many volumes. */
  | { readonly kind: 'batch'; readonly from: ReplicaId; readonly bytes: Uint8Array }
  | { readonly kind: 'start'; readonly volume: VolumeId; readonly start: VolumeStartMessage }
  | { readonly kind: 'lease'; readonly volume: VolumeId; readonly view: LeaseView }
  | {
      readonly kind: 'outcome'
      readonly volume: VolumeId
      readonly proposal: number
      readonly isDone: boolean
    }
  | { readonly kind: 'opened'; readonly session: SessionId }
  | { readonly kind: 'ended' }
  /** The session may answer alone again. */
  | { readonly kind: 'valid' }
  /** Who is connected, and which stores there are. */
  | { readonly kind: 'peers'; readonly peers: readonly ReplicaId[]; readonly stores: StoreView }
  | { readonly kind: 'held'; readonly volume: VolumeId; readonly point: HistoryPoint }
  | { readonly kind: 'unheld'; readonly volume: VolumeId }
  | { readonly kind: 'installed'; readonly volume: VolumeId; readonly point: HistoryPoint }
  /** These should be held by somebody, and are to be taken. */
  | { readonly kind: 'want'; readonly volumes: readonly VolumeId[] }
  /** Bring all entries that are not acknowledged to the end of the log. */
  | { readonly kind: 'carry'; readonly volumes: readonly VolumeId[] }
  /** Give everything back, as this run ends; answered by 'gaveBack'. */
  | { readonly kind: 'giveBack' }
  /** Whether the clock is wrong here, so that nothing should be written here. */
  | { readonly kind: 'clock'; readonly isOff: boolean }
  | { readonly kind: 'move'; readonly volume: VolumeId }
  | { readonly kind: 'describe'; readonly id: number; readonly volume: VolumeId | undefined }

export type FromVolumes =
  | { readonly kind: 'batch'; readonly to: ReplicaId; readonly bytes: Uint8Array }
  | {
      readonly kind: 'propose'
      readonly volume: VolumeId
      readonly number: number
      readonly proposal: VolumeProposal
    }
  | { readonly kind: 'readLease'; readonly volume: VolumeId }
  | { readonly kind: 'load'; readonly volume: VolumeId }
  | { readonly kind: 'committed'; readonly volume: VolumeId; readonly point: HistoryPoint }
  /** These may be missing here; answered by 'held' for each entry, or 'unheld'. */
  | {
      readonly kind: 'bodies'
      readonly volume: VolumeId
      readonly from: ReplicaId
      readonly wanted: readonly EntryBodies[]
    }
  | {
      readonly kind: 'checkpoint'
      readonly volume: VolumeId
      readonly from: ReplicaId
      readonly point: HistoryPoint
    }
  /** What a replica sent makes no sense; `why` goes on from its name. */
  | { readonly kind: 'distrust'; readonly replica: ReplicaId; readonly why: string }
  | { readonly kind: 'gaveBack' }
  | { readonly kind: 'described'; readonly id: number; readonly volumes: readonly VolumeFigures[] }

/** One volume, for people. */
export interface VolumeFigures {
  readonly volume: VolumeId
  readonly phase: string
  readonly epoch: Epoch
  readonly dataSet: readonly ReplicaId[]
  readonly copies: number
  readonly head: Index
  readonly durable: Index
  readonly acknowledged: Index
  /** By replica: how far it has acked, where this replica holds the volume. */
  readonly followers: readonly (readonly [ReplicaId, Index])[]
  readonly locks: number
}
