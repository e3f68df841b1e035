/**
 * The daemon's side of being supervised: what its parent hands down, and what it tells it.
 *
 * The parent (supervise.ts) keeps the FUSE device. It hands down, by number, the device, a channel
 * of lines in both of whose ends is a process, and where a helper program mounts, a socket over
 * which the device goes back. The rest comes in one variable of the environment.
 */

import { Socket } from 'node:net'
import * as libc from '../io/libc.ts'
import type { Supervision, TakenOver } from '../replica.ts'

/** The variable of the environment that has a `HandedDown` in JSON. */
export const SUPERVISED = 'ROOST_SUPERVISED'

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

/**
 * What this process was handed down, if its parent supervises it.
 *
 * @param onAlone the parent is gone: nobody would go on with the mount
 */
export function takeSupervision(onAlone: () => void): Supervision | undefined {
  const text = process.env[SUPERVISED]
  if (text === undefined) return undefined
  // Programs that this one starts are not supervised.
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete process.env[SUPERVISED]
  const { pid, restarts, hasDevice, takenOver } = JSON.parse(text) as HandedDown
  const channel = new Socket({ fd: HANDED_FD.CHANNEL })
  channel.on('error', onAlone).on('close', onAlone).resume().unref()
  const tell = (line: FromDaemon): void => {
    channel.write(`${JSON.stringify(line)}\n`)
  }
  return {
    pid,
    restarts,
    ...(hasDevice && { deviceFd: HANDED_FD.DEVICE }),
    ...(takenOver && { takenOver }),
    mounted: (fd, mount) => {
      if (!hasDevice) libc.sendFd(HANDED_FD.SOCKET, fd)
      tell({ type: 'mounted', mount })
    },
    serving: done => {
      tell({ type: 'serving', done })
    }
  }
}
