/** What there is to know about a data directory and its daemon. */

import type { ClusterStatus } from './cluster-report.ts'
import type { FuseFigures } from '../fuse/thread-messages.ts'
import type { Concern } from './verdict.ts'

export interface Status {
  /** 'voting' of a witness. */
  readonly state: 'serving' | 'voting' | 'not mounted'
  readonly dataDirectory: string
  readonly storeId: string
  readonly format: number
  readonly pid?: number
  readonly mountpoint?: string
  /** The process that starts the daemon again when it dies, and how often it has. */
  readonly supervisor?: { readonly pid: number; readonly restarts: number }
  /** Seconds since the mount began to serve. */
  readonly uptimeSeconds?: number
  readonly session?: number
  /** Bytes of the session's log. */
  readonly log?: {
    readonly appended: number
    readonly durable: number
    readonly applied: number
    readonly bytesOnDisk: number
  }
  readonly disk?: { readonly freeBytes: number; readonly totalBytes: number }
  readonly fuse?: FuseFigures
  /** Of a member of a cluster. */
  readonly cluster?: ClusterStatus
  /** What an admin should know, one sentence each; what the start had to say among it. */
  readonly warnings: readonly string[]
  /** What of it is not as it should be now, and how bad that is. */
  readonly concerns: readonly Concern[]
  /** Bodies that could not be read since the start, and why. */
  readonly damagedBodies: readonly { readonly blob: string; readonly reason: string }[]
  readonly memory?: { readonly residentBytes: number }
}
