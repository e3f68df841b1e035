/**
 * What the serving thread and the main thread tell each other.
 *
 * Everything crosses by structured clone: a Buffer arrives as a plain Uint8Array, which
 * `revive` turns back where the type says Buffer.
 */

import type { Index, Ino, Position, SessionId, VolumeId } from '../ids.ts'
import type { WakeEventParts } from '../io/wake-event.ts'
import type { FileRule } from '../mail/file-class.ts'
import type { CacheLimits } from '../vfs/live-tree.ts'
import type { Load, Loaded } from '../vfs/ports.ts'
import type { QueuedNotification } from './notifier.ts'
import type { ClusterThreadInput, FromVolumes, ToVolumes } from './cluster-messages.ts'
import type { DoneOp } from './done-op.ts'

/**
 * Who keeps locks and open files. 'single': this kernel does, as nobody else serves the store, and
 * locking, opening and closing cost no request. 'shared': Roost does, as several replicas need.
 */
export type ServingMode = 'single' | 'shared'

export interface FuseThreadInput {
  readonly fuseFd: number
  /** Tells the thread that there are messages, or that more of the log is durable. */
  readonly wake: WakeEventParts
  /** Of the NotifyCount. */
  readonly notified: SharedArrayBuffer
  readonly directory: string
  readonly session: SessionId
  /** Of the feed's FeedProgress. */
  readonly progress: SharedArrayBuffer
  readonly volumeDepth: number
  readonly mode: ServingMode
  /** Whether extended attributes are served. */
  readonly xattrs: boolean
  readonly fileRules: readonly FileRule[]
  readonly cacheLimits: CacheLimits
  /** After that long, what nobody asked to be synced is. */
  readonly syncAfterMs: number
  /** Who the root directory of an empty store belongs to. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Inodes that an earlier session left open without a name. */
  readonly orphans: readonly Ino[]
  /** Where other replicas serve the tree as well. */
  readonly cluster?: ClusterThreadInput
  /** Present where a daemon that dies is followed by another, which goes on with the mount. */
  readonly succession?: Succession
}

/** What goes from one daemon of a mount to the next. */
export interface Succession {
  /** The kernel has been served before: it sends no INIT, and has files open. */
  readonly isTakeover: boolean
  /** What the daemons before did last. */
  readonly done: readonly DoneOp[]
}

/** Figures of the serving thread; `requests` counts by the names of the opcodes. */
export interface FuseFigures {
  /** Where the log ends. */
  readonly appended: Position
  readonly requests: Readonly<Record<string, number>>
  readonly waits: Readonly<Record<string, number>>
  readonly errors: number
  readonly vfs: Readonly<Record<string, number>>
}

export interface LoadBarrier {
  readonly volume: VolumeId
  readonly through: Index
}

export type ToFuseThread =
  | { readonly type: 'loaded'; readonly answer: Loaded }
  | { readonly type: 'applied'; readonly position: Position }
  | { readonly type: 'prepared'; readonly segment: number; readonly isThere: boolean }
  | { readonly type: 'figures'; readonly id: number }
  | { readonly type: 'volumes'; readonly message: ToVolumes }
  /** The kernel does not know the inode that it was asked for. */
  | { readonly type: 'unknown'; readonly ino: Ino }
  | { readonly type: 'stop' }

export type FromFuseThread =
  /** The answer has to be at least as new as `through` of the volume's history. */
  | { readonly type: 'load'; readonly load: Load; readonly barrier?: LoadBarrier }
  | { readonly type: 'volumes'; readonly message: FromVolumes }
  | { readonly type: 'prepare'; readonly segment: number }
  /** The kernel has taken INIT, now or from a daemon before: the mount works. */
  | { readonly type: 'serving' }
  | { readonly type: 'figures'; readonly id: number; readonly figures: FuseFigures }
  | ({ readonly type: 'notify' } & QueuedNotification)
  /** Others have changed these, and the kernel knows: whoever watches them is to be woken. */
  | { readonly type: 'wake'; readonly inos: readonly Ino[] }
  | { readonly type: 'log'; readonly level: 'warn' | 'error'; readonly message: string }
  /** The loop has ended: the file system was unmounted or aborted, or it was told to stop. */
  | { readonly type: 'ended'; readonly reason: string }
  /** A bug: nothing is to be served any more. */
  | { readonly type: 'broken'; readonly message: string }

/** Makes Buffers of the byte arrays of an answer that came from another thread. */
export function reviveLoaded(answer: Loaded): Loaded {
  if (answer.kind !== 'volume') return answer
  const { buffer, byteOffset, length } = answer.record.hash
  answer.record.hash = Buffer.from(buffer, byteOffset, length)
  return answer
}

/** What of an answer nobody else has: it moves to the other thread, which spares copying it. */
export function transferablesOf(answer: Loaded): ArrayBuffer[] {
  switch (answer.kind) {
    case 'listing':
    case 'inodes':
      return [answer.records.buffer as ArrayBuffer]
    case 'blob':
      return [answer.bytes.buffer as ArrayBuffer]
    default:
      return []
  }
}
