/** What of a replica can be set to measure, with the values that suit most servers. */

import { DEFAULT_FILE_RULES, type FileRule } from '../mail/file-class.ts'

export interface Tuning {
  /** Which files are bodies and which are kept in history; the first that matches counts. */
  readonly fileRules: readonly FileRule[]
  /** Bytes of names and attributes kept in memory beyond what the store lacks. */
  readonly metadataBytes: number
  /** Bytes of index and control files kept in memory beyond what the store lacks. */
  readonly contentBytes: number
  /** Bytes of bodies kept in memory. */
  readonly bodyBytes: number
  /** After that long, what nobody asked to be synced is. */
  readonly syncAfterMs: number
  /** How long changes gather in the log before they are applied, */
  readonly gatherMs: number
  /** and bytes of log that do not wait any longer. */
  readonly gatherBytes: number
  /** Bytes of log between checkpoints; as many may wait for the store before writers do. */
  readonly checkpointBytes: number
  /** After that long without changes, a log that takes up space is let go. */
  readonly quietMs: number
  /** For a member of a cluster. */
  readonly lease: LeaseTuning
}

/** How long replicas wait for each other about who may change a volume. */
export interface LeaseTuning {
  /** An op that needs a lease fails after so long. */
  readonly waitMs: number
  /** A rename, which keeps the kernel from other renames, after so long. */
  readonly renameWaitMs: number
  /** So long a volume stays where it has come, or two that want it would only hand it about. */
  readonly minHoldMs: number
  /** So long the owners of locks may finish before a volume that others want stays here. */
  readonly lockGraceMs: number
}

const MIB = 1024 * 1024

export const DEFAULT_TUNING: Tuning = {
  fileRules: DEFAULT_FILE_RULES,
  metadataBytes: 256 * MIB,
  contentBytes: 64 * MIB,
  bodyBytes: 32 * MIB,
  // With the sync itself that makes about 50 ms at most.
  syncAfterMs: 20,
  gatherMs: 1000,
  gatherBytes: 8 * MIB,
  checkpointBytes: 64 * MIB,
  quietMs: 10_000,
  lease: { waitMs: 10_000, renameWaitMs: 1000, minHoldMs: 20, lockGraceMs: 2000 }
}
