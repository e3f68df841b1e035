/** How the tools reach the daemon of a data directory. */

import { join } from 'node:path'
import { RoostError } from '../errors.ts'
import { answerCluster, type ClusterQuestion } from './cluster-control.ts'
import type { Status } from '../host/status.ts'
import type { ViewQuestion } from '../host/views.ts'
import { lockHolderOf, readIdentity } from '../io/data-directory.ts'
import { askLine, openLineServer, type LineServer } from '../io/line-server.ts'
import type { Replica } from '../replica.ts'
import type { Stats } from '../stats.ts'

type Question =
  | { readonly verb: 'status' | 'stats' }
  | { readonly verb: 'view'; readonly view: ViewQuestion }
  | ClusterQuestion

function socketOf(directory: string): string {
  return join(directory, 'control.sock')
}

/** Lets tools ask `replica`. */
export async function openControl(directory: string, replica: Replica): Promise<LineServer> {
  return openLineServer(socketOf(directory), async question => {
    const asked = question as Question
    switch (asked.verb) {
      case 'status':
        return replica.status()
      case 'stats':
        return replica.stats()
      case 'view':
        return replica.views.answer(asked.view)
      case 'invite':
      case 'leases':
      case 'volume':
      case 'move':
        return answerCluster(asked, replica.membership)
      default:
        throw new RoostError('CONTROL_FAILED', `no such verb: ${JSON.stringify(question)}`)
    }
  })
}

/** Lets tools ask a witness, which has a status and nothing else. */
export async function openWitnessControl(
  directory: string,
  status: () => Status
): Promise<LineServer> {
  return openLineServer(socketOf(directory), question => {
    const { verb } = question as Question
    if (verb === 'status') return Promise.resolve(status())
    const what = 'a witness keeps no mail, and is asked for its status only'
    return Promise.reject(new RoostError('BAD_CONFIG', what))
  })
}

/** The daemon's status, or what can be said without one. @throws RoostError DATA_UNUSABLE */
export async function statusOf(directory: string): Promise<Status> {
  const { format, storeId } = readIdentity(directory)
  try {
    const answer = await askLine(socketOf(directory), { verb: 'status' } satisfies Question)
    if ('error' in (answer as object))
      throw new RoostError('CONTROL_FAILED', JSON.stringify(answer))
    return answer as Status
  } catch (error) {
    // Without a daemon there is nobody to answer; with one, its silence is what to tell.
    if (!(error instanceof RoostError) || lockHolderOf(directory) !== undefined) throw error
    const state = 'not mounted' as const
    return {
      state,
      dataDirectory: directory,
      format,
      storeId,
      warnings: [],
      concerns: [],
      damagedBodies: []
    }
  }
}

/** The daemon's figures. @throws RoostError DATA_UNUSABLE, NOT_MOUNTED, CONTROL_FAILED */
export async function statsOf(directory: string): Promise<Stats> {
  readIdentity(directory)
  try {
    return (await askControl(directory, { verb: 'stats' })) as Stats
  } catch (error) {
    if (!(error instanceof RoostError) || lockHolderOf(directory) !== undefined) throw error
    const what = `no daemon serves ${directory}, so there are no figures`
    throw new RoostError('NOT_MOUNTED', what)
  }
}

/** Asks the daemon of a directory. @throws RoostError CONTROL_FAILED, VIEW_LOST, STORE_FAILED */
export async function askControl(directory: string, question: Question): Promise<object> {
  const answer = (await askLine(socketOf(directory), question)) as { error?: string }
  if (answer.error === undefined) return answer
  const [, code, text = answer.error] = /^RoostError: (\w+): (.*)$/s.exec(answer.error) ?? []
  throw new RoostError(CODES.find(known => known === code) ?? 'CONTROL_FAILED', text)
}

/** Failures of the daemon that whoever asks tells apart. */
const CODES = ['VIEW_LOST', 'STORE_FAILED', 'NOT_FOUND', 'BAD_CONFIG', 'PEER_FAILED'] as const
