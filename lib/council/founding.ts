/** The log and the state with which a cluster begins at its founder. */

import type { SessionId, VolumeId } from '../ids.ts'
import type { CouncilRequest } from './command.ts'
import { encodeCouncil } from './council-codec.ts'
import { foundCouncil, type CouncilState, type Founder } from './council-state.ts'
import type { HistoryPoint } from './lease-record.ts'
import { emptyRaft, type DurableRaft } from './raft-state.ts'

export interface Founding {
  /** Copies that new volumes begin with, when there are as many stores. */
  readonly copies: number
  readonly founder: Omit<Founder, 'isVoter'>
  /** Those that the founder has, having been alone, and where the history of each ends. */
  readonly volumes: readonly { readonly volume: VolumeId; readonly head: HistoryPoint }[]
  /** Higher than any session that the founder has had on its own. */
  readonly firstSession: SessionId
}

/** The founder alone votes; the first claim of a volume goes on behind what is there. */
export function foundedState({ copies, founder, volumes, firstSession }: Founding): CouncilState {
  const state = foundCouncil(copies, [{ ...founder, isVoter: true }], firstSession)
  for (const { volume, head } of volumes) {
    state.leases.set(volume, {
      epoch: head.epoch,
      holder: 0,
      base: head,
      handed: undefined,
      dataSet: [founder.replica],
      copies: 1,
      isPossiblyCut: false
    })
  }
  return state
}

/**
 * A log that begins with `state`.
 *
 * Its snapshot is in a place of its own, ahead of the empty log with which members begin that join
 * later: an empty one accepts nothing before it has got this.
 */
export function foundedLog(state: CouncilState): DurableRaft<CouncilRequest> {
  const { voters } = state
  return {
    term: 1,
    votedFor: 0,
    snapshot: { place: { term: 1, index: 1 }, config: { voters }, state: encodeCouncil(state) },
    entries: []
  }
}

/** The log of a member that joins: it knows nobody, votes for nobody and waits for a snapshot. */
export function joiningLog(): DurableRaft<CouncilRequest> {
  return emptyRaft({ voters: [] }, encodeCouncil(foundCouncil(1, [])))
}
