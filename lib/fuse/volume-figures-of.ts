/** What a replica knows of a volume, as tools are told it. */

import type { Epoch, VolumeId } from '../ids.ts'
import { headOf } from '../volume/history.ts'
import type { ReplicatedEntry } from '../volume/replicated-entry.ts'
import type { VolumeState } from '../volume/volume-state.ts'
import type { VolumeFigures } from './cluster-messages.ts'

/** @param locks how many are held here */
export function volumeFiguresOf(
  volume: VolumeId,
  { phase, lease, history, durable, commit }: VolumeState<ReplicatedEntry>,
  locks: number
): VolumeFigures {
  const isHolder = phase.kind === 'holding' || phase.kind === 'handing'
  return {
    volume,
    phase: phase.kind,
    epoch: lease?.record.epoch ?? (0 as Epoch),
    dataSet: lease?.record.dataSet ?? [],
    copies: lease?.record.copies ?? 0,
    head: headOf(history).index,
    durable,
    acknowledged: commit.index,
    followers: isHolder ? [...phase.followers].map(([peer, { acked }]) => [peer, acked]) : [],
    locks
  }
}
