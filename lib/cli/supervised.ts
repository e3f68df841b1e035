/**
 * The daemon's side of being supervised: what its parent hands down, and what it tells it.
 */

import { Socket } from 'node:net'
import * as libc from '../io/libc.ts'
import type { Supervision } from '../replica.ts'
import { HANDED_FD, SUPERVISED, type FromDaemon, type HandedDown } from './handed-down.ts'

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
