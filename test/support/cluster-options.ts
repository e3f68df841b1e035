/** What a seed decides of a simulated cluster before anything happens: which faults there are. */

import type { Role } from '../../lib/council/command.ts'
import { RAFT_RULES, type RaftRules } from '../../lib/council/raft-turn.ts'
import { VOLUME_RULES, type VolumeRules } from '../../lib/volume/volume-rules.ts'
import { SimRandom } from './sim-random.ts'

export interface ClusterOptions {
  readonly seed: number
  readonly roles: readonly Role[]
  readonly copies: number
  readonly volumes: number
  /** Simulated ms with faults. */
  readonly duration: number
  readonly loss: number
  readonly duplication: number
  /** Most ms on the way, and of a sync. */
  readonly delayMax: number
  readonly syncMax: number
  readonly hasCuts: boolean
  readonly hasCrashes: boolean
  readonly hasPauses: boolean
  readonly hasResizes: boolean
  readonly hasMemberships: boolean
  readonly hasBodies: boolean
  readonly forgets: boolean
  /** How far a clock's pace may be from true. */
  readonly drift: number
  readonly volumeRules: VolumeRules
  readonly raftRules: RaftRules
  /** A batch's ack counts for all that it carried, also what was refused. */
  readonly countsRefused: boolean
}

const SHAPES: readonly (readonly Role[])[] = [
  ['store', 'store', 'store'],
  ['store', 'store', 'witness'],
  ['store', 'store', 'store', 'cache']
]

export function clusterOptions(seed: number, change: Partial<ClusterOptions> = {}): ClusterOptions {
  const random = new SimRandom(seed).fork('options')
  const roles = random.pick(SHAPES)
  return {
    seed,
    roles,
    copies: 2,
    volumes: 1 + random.int(3),
    duration: random.pick([2000, 5000, 8000]),
    loss: random.pick([0, 0.02, 0.1]),
    duplication: random.pick([0, 0.02, 0.1]),
    delayMax: random.pick([2, 10, 60]),
    syncMax: random.pick([2, 10, 60]),
    hasCuts: random.chance(0.6),
    hasCrashes: random.chance(0.6),
    hasPauses: random.chance(0.4),
    hasResizes: random.chance(0.5),
    hasMemberships: random.chance(0.3),
    hasBodies: random.chance(0.4),
    forgets: random.chance(0.4),
    drift: 0.05,
    volumeRules: VOLUME_RULES,
    raftRules: RAFT_RULES,
    countsRefused: false,
    ...change
  }
}
