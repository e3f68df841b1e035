/** A few replicas of one volume, whose every step a test decides. */

import type { HistoryPoint, LeaseRecord } from '../../lib/council/lease-record.ts'
import type { Epoch, ReplicaId, SessionId } from '../../lib/ids.ts'
import { headOf, type LogEntry } from '../../lib/volume/history.ts'
import type { VolumeInput } from '../../lib/volume/volume-io.ts'
import type { VolumeMessage } from '../../lib/volume/volume-message.ts'
import { VOLUME_RULES, type CopyRule, type VolumeRules } from '../../lib/volume/volume-rules.ts'
import { chainEntry } from './chain-entry.ts'
import { checkEvent, emptyCheckedHistory, type CheckedHistory } from './volume-checker.ts'
import {
  crashReplica,
  emptyReplica,
  setupOf,
  stepReplica,
  syncReplica,
  type VolumeEvent,
  type VolumeReplica
} from './volume-replica.ts'

interface OnTheWay {
  readonly from: number
  readonly to: number
  readonly message: VolumeMessage<LogEntry>
}

export function ruleOf(dataSet: readonly number[], copies: number): CopyRule {
  return { dataSet: dataSet.map(replica => replica as ReplicaId), copies }
}

export class Stage {
  readonly replicas: readonly VolumeReplica[]
  readonly checked: CheckedHistory = emptyCheckedHistory()
  /** All that happened, the latest last, with the replica. */
  readonly events: [number, VolumeEvent][] = []
  readonly #rules: VolumeRules
  #messages: OnTheWay[] = []
  #position = 0
  #sessions = 0
  #values = 0

  constructor(count: number, rules: Partial<VolumeRules> = {}) {
    this.#rules = { ...VOLUME_RULES, ...rules }
    this.replicas = Array.from({ length: count }, emptyReplica)
    const peers = this.replicas.map((_, i) => (i + 1) as ReplicaId)
    for (const peer of peers) this.input(peer, { kind: 'peers', peers })
  }

  replica(id: number): VolumeReplica {
    const replica = this.replicas[id - 1]
    if (replica === undefined) throw new RangeError(`there is no replica ${id}`)
    return replica
  }

  head(id: number): HistoryPoint {
    return headOf(this.replica(id).volume.history)
  }

  /** @throws Violation */
  input(id: number, input: VolumeInput<LogEntry>): void {
    this.#happen(id, stepReplica(this.replica(id), input, this.#setup(id)))
  }

  sync(...ids: number[]): void {
    for (const id of ids) {
      const replica = this.replica(id)
      while (replica.pending.length > 0) this.#happen(id, syncReplica(replica, this.#setup(id)))
    }
  }

  crash(id: number): void {
    crashReplica(this.replica(id))
    const peers = this.replicas.map((_, i) => (i + 1) as ReplicaId)
    this.input(id, { kind: 'peers', peers })
  }

  /** The council makes `id` the holder, of a session of its own. */
  grant(
    id: number,
    epoch: number,
    rule: CopyRule,
    handed?: HistoryPoint,
    session = ++this.#sessions as SessionId
  ): LeaseRecord {
    this.input(id, { kind: 'opened', session })
    const record: LeaseRecord = {
      epoch: epoch as Epoch,
      holder: session,
      base: undefined,
      handed,
      ...rule,
      isPossiblyCut: false
    }
    this.tell(id, record, id)
    return record
  }

  tell(id: number, record: LeaseRecord, holder: number | undefined): void {
    const view = { position: ++this.#position, record, holder: holder as ReplicaId | undefined }
    this.input(id, { kind: 'lease', view })
  }

  append(id: number): void {
    const { phase, history } = this.replica(id).volume
    if (phase.kind !== 'holding') throw new Error(`${id} is ${phase.kind}`)
    const entry = chainEntry(phase.epoch, headOf(history), `v${++this.#values}`)
    this.input(id, { kind: 'append', entries: [entry] })
  }

  /** Lets messages through between these replicas, and what comes of them, with syncs. */
  settle(...ids: number[]): void {
    for (let i = 0; i < 1000; i++) {
      this.sync(...ids)
      const at = this.#messages.findIndex(({ from, to }) => ids.includes(from) && ids.includes(to))
      if (at < 0) return
      const [message] = this.#messages.splice(at, 1)
      if (message !== undefined) this.deliver(message)
    }
    throw new Error('messages without end')
  }

  /** The first message on the way of that kind, taken off it. */
  take(from: number, to: number, kind: VolumeMessage<LogEntry>['kind']): OnTheWay {
    const at = this.#messages.findIndex(
      each => each.from === from && each.to === to && each.message.kind === kind
    )
    const [message] = at < 0 ? [] : this.#messages.splice(at, 1)
    if (message === undefined) throw new Error(`no ${kind} from ${from} to ${to}`)
    return message
  }

  deliver({ from, to, message }: OnTheWay): void {
    this.input(to, { kind: 'message', from: from as ReplicaId, message })
  }

  /** All that is on the way is lost. */
  lose(): void {
    this.#messages = []
  }

  #happen(id: number, events: readonly VolumeEvent[]): void {
    for (const event of events) {
      this.events.push([id, event])
      if (event.kind === 'send') {
        this.#messages.push({ from: id, to: event.to, message: event.message })
      }
      checkEvent(this.checked, event)
    }
  }

  #setup(id: number): ReturnType<typeof setupOf> {
    return setupOf(id as ReplicaId, this.#rules)
  }
}
