/** How an epoch ends at the replica that held it, or was about to. */

import type { Epoch } from '../ids.ts'
import type { LogEntry } from './history.ts'
import type { VolumeTurn } from './volume-turn.ts'

/**
 * Leaves the epoch that is held or about to be. None up to it is ever held again by this run.
 *
 * A holder that had told the end of its history has lost nothing by leaving; one that had not may
 * have writers that think they are alone, whose handles are of no use any more.
 */
export function leaveEpoch<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { state } = turn
  const { phase } = state
  if (phase.kind === 'follower' || phase.kind === 'fenced') return
  state.retired = Math.max(state.retired, phase.epoch) as Epoch
  if (phase.kind === 'waitingBase' || phase.kind === 'recovering') {
    state.phase = { kind: 'follower' }
    return
  }
  turn.emit({ kind: 'fenced', epoch: phase.epoch })
  if (phase.kind === 'handing') {
    state.phase = { kind: 'follower' }
    return
  }
  const { since, epoch, handOver } = phase
  if (handOver !== undefined) turn.emit({ kind: 'unpark' })
  const range = turn.rules.poisonedBy(since, epoch)
  if (range !== undefined) turn.emit({ kind: 'poisoned', ...range })
  state.phase = { kind: 'fenced', epoch }
}
