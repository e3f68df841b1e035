/** How the tools reach the daemon of a data directory. */

import { join } from 'node:path'
import { RoostError } from '../errors.ts'
import type { Status } from '../host/status.ts'
import { readIdentity } from '../io/data-directory.ts'
import { askLine, openLineServer, type LineServer } from '../io/line-server.ts'
import type { Replica } from '../replica.ts'

interface Question {
  readonly verb: 'status' | 'unmount'
}

function socketOf(directory: string): string {
  return join(directory, 'control.sock')
}

/** Lets tools ask `replica`. */
export async function openControl(directory: string, replica: Replica): Promise<LineServer> {
  return openLineServer(socketOf(directory), async question => {
    const { verb } = question as Partial<Question>
    switch (verb) {
      case 'status':
        return replica.status()
      case 'unmount':
        replica.requestStop('asked to unmount')
        return { pid: (await replica.status()).pid }
      case undefined:
      default:
        throw new RoostError('CONTROL_FAILED', `no such verb: ${String(verb)}`)
    }
  })
}

/** The daemon's status, or what can be said without one. @throws RoostError DATA_UNUSABLE */
export async function statusOf(directory: string): Promise<Status> {
  const { format, storeId } = readIdentity(directory)
  try {
    return (await askLine(socketOf(directory), { verb: 'status' } satisfies Question)) as Status
  } catch (error) {
    if (!(error instanceof RoostError)) throw error
    const state = 'not mounted' as const
    return { state, dataDirectory: directory, format, storeId, warnings: [], damagedBodies: [] }
  }
}
