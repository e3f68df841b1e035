/**
 * What a replica of a cluster writes into its log: entries, its own and those that it was sent, and
 * what it decided about them.
 *
 * Items of one volume take effect in the order of the log. An entry is history for certain only
 * when a `commit` covers it; until then a `cut` may take it away again.
 */

import type { Epoch, Index, VolumeId } from '../ids.ts'
import type { LoggedEntry } from './entry.ts'

export type LogItem =
  | { readonly kind: 'entry'; readonly logged: LoggedEntry }
  /** Nothing of the volume's earlier epochs is accepted any more. */
  | { readonly kind: 'promise'; readonly volume: VolumeId; readonly epoch: Epoch }
  /** Entries behind `to` are no history; they were never acknowledged. */
  | { readonly kind: 'cut'; readonly volume: VolumeId; readonly to: Index }
  /** Entries through here are acknowledged. */
  | { readonly kind: 'commit'; readonly volume: VolumeId; readonly through: Index }
  /** A checkpoint of the volume, durable already, stands for all that was there. */
  | {
      readonly kind: 'install'
      readonly volume: VolumeId
      readonly epoch: Epoch
      readonly index: Index
      /** Of the entry `index`. */
      readonly hash: Buffer
    }
