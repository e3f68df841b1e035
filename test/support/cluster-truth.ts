/** What an observer who sees everything at once knows of a cluster, and what it must never see. */

import type { CouncilRequest } from '../../lib/council/command.ts'
import { CouncilFold } from '../../lib/council/council-fold.ts'
import type { CouncilState } from '../../lib/council/council-state.ts'
import type { LeaseRecord } from '../../lib/council/lease-record.ts'
import type { RaftEntry } from '../../lib/council/raft-io.ts'
import { placeAt, type RaftState } from '../../lib/council/raft-state.ts'
import type { ReplicaId, VolumeId } from '../../lib/ids.ts'
import { checkEvent, emptyCheckedHistory, type CheckedHistory } from './volume-checker.ts'
import { Violation, type VolumeEvent } from './volume-replica.ts'

export class ClusterTruth {
  readonly #fold: CouncilFold
  readonly #leaders = new Map<number, ReplicaId>()
  /** The term of each entry that was decided, from index 1 on. */
  readonly #decided: RaftEntry<CouncilRequest>[] = []
  readonly #volumes = new Map<VolumeId, CheckedHistory>()

  constructor(state: CouncilState) {
    this.#fold = new CouncilFold(state)
  }

  volume(volume: VolumeId): CheckedHistory {
    let checked = this.#volumes.get(volume)
    if (checked === undefined) this.#volumes.set(volume, (checked = emptyCheckedHistory()))
    return checked
  }

  lease(volume: VolumeId): LeaseRecord | undefined {
    return this.#fold.state.leases.get(volume)
  }

  /** A voter or learner has `raft`; what it knows to be decided is what everybody does. */
  checkLog(raft: RaftState<CouncilRequest>): void {
    for (let index = this.#decided.length + 1; index <= raft.applied; index++) {
      const entry = raft.entries[index - raft.snapshot.place.index - 1]
      if (entry === undefined) throw new Violation(`entry ${index} was never seen to be decided`)
      this.#decide(entry)
    }
    const { applied, snapshot } = raft
    const [place, mine] = [this.#decided[applied - 1], placeAt(raft, applied)]
    if (applied > 0 && place?.term !== mine?.term) {
      throw new Violation(`entry ${applied} of the council is decided in two ways`)
    }
    if (snapshot.place.index > this.#decided.length) throw new Violation('a snapshot of nothing')
  }

  checkLeader(self: ReplicaId, raft: RaftState<CouncilRequest>): void {
    if (raft.role.kind !== 'leader') return
    const other = this.#leaders.get(raft.term)
    if (other === self) return
    if (other !== undefined) throw new Violation(`two leaders in term ${raft.term}`)
    this.#leaders.set(raft.term, self)
    const last = this.#decided.at(-1)
    if (last === undefined || raft.term < last.term) return
    if (placeAt(raft, last.index)?.term !== last.term) {
      throw new Violation(`the leader of term ${raft.term} lacks what was decided`)
    }
  }

  checkVolumeEvent(volume: VolumeId, event: VolumeEvent): void {
    checkEvent(this.volume(volume), event)
  }

  #decide(entry: RaftEntry<CouncilRequest>): void {
    this.#decided.push(entry)
    if (entry.config !== undefined) this.#fold.setVoters(entry.config.voters)
    if (entry.command === undefined) return
    const before = new Map(this.#fold.state.leases)
    this.#fold.apply(entry.command)
    for (const [volume, lease] of this.#fold.state.leases) {
      const old = before.get(volume)
      if (old === undefined || old === lease) continue
      const isSameSet = old.dataSet.join() === lease.dataSet.join() && old.copies === lease.copies
      const isRelease = lease.holder === 0 && isSameSet && lease.epoch === old.epoch
      if (!isRelease && lease.epoch !== old.epoch + 1) {
        throw new Violation(`the epoch of ${volume} went from ${old.epoch} to ${lease.epoch}`)
      }
    }
  }
}
