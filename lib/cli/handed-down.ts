/**
 * What a supervisor and its daemon have to know of each other.
 *
 * The parent (supervise.ts) keeps the FUSE device. It hands down, by number, the device, a channel
 * of lines whose end tells that the other is gone, and where a helper program mounts, a socket over
 * which the device comes back. The rest goes down in one variable of the environment.
 */

import type { TakenOver } from '../replica.ts'

/** The variable of the environment that has a `HandedDown` in JSON, or a `SpareMark`. */
export const SUPERVISED = 'ROOST_SUPERVISED'

/** Says that what is handed down comes later, as a line over the channel. */
export type SpareMark = 'spare'

/** Numbers of the descriptors in the daemon: the first ones behind stderr. */
export const HANDED_FD = { DEVICE: 3, CHANNEL: 4, SOCKET: 5 } as const

export interface HandedDown {
  readonly pid: number
  readonly restarts: number
  /** Whether there is a device at its number. */
  readonly hasDevice: boolean
  /** Present where a daemon before this one has mounted. */
  readonly takenOver?: TakenOver
}

/** A line from the daemon to its parent. */
export type FromDaemon =
  | { readonly type: 'mounted'; readonly mount: Omit<TakenOver, 'done'> }
  | { readonly type: 'serving'; readonly done: TakenOver['done'] }
