/**
 * The steps that a replica can take in an exhaustive search, each done once.
 *
 * States and messages have numbers, the same for equal ones; so a step that was taken from equal
 * states in different worlds is looked up the second time.
 */

import type { ReplicaId, SessionId } from '../../lib/ids.ts'
import type { LogEntry } from '../../lib/volume/history.ts'
import { headOf } from '../../lib/volume/history.ts'
import type { LeaseView, VolumeProposal } from '../../lib/volume/volume-io.ts'
import type { VolumeMessage } from '../../lib/volume/volume-message.ts'
import type { CopyRule, VolumeRules } from '../../lib/volume/volume-rules.ts'
import type { VolumeSetup } from '../../lib/volume/volume-turn.ts'
import { chainEntry } from './chain-entry.ts'
import { copyOf, Interner } from './plain-values.ts'
import {
  crashReplica,
  emptyReplica,
  setupOf,
  stepReplica,
  syncReplica,
  type VolumeEvent,
  type VolumeReplica
} from './volume-replica.ts'

/** To 0: whoever comes first, and any number of them. */
export type SearchMessage =
  | { kind: 'volume'; from: ReplicaId; to: ReplicaId | 0; message: VolumeMessage<LogEntry> }
  | { kind: 'lease'; to: 0; view: LeaseView }
  | { kind: 'outcome'; to: ReplicaId; session: SessionId; proposal: number; isDone: boolean }
  | {
      kind: 'proposal'
      to: 'council'
      from: ReplicaId
      session: SessionId
      number: number
      proposal: VolumeProposal
    }

export type SearchInput =
  | { kind: 'deliver'; message: number }
  | { kind: 'sync' }
  | { kind: 'crash' }
  | { kind: 'append'; value: number }
  | { kind: 'opened'; session: SessionId }
  | { kind: 'ask'; from: ReplicaId; session: SessionId }
  | { kind: 'giveBack' }
  | { kind: 'resize'; rule: CopyRule }

export interface LocalStep {
  readonly next: number
  readonly sent: readonly number[]
  /** Of interest to a checker, as a number. */
  readonly events: number
}

export interface SearchOptions {
  readonly rules: VolumeRules
  /** A crashed holder goes on in its epoch, which must not be. */
  readonly isResuming: boolean
}

export class SearchReplicas {
  readonly states = new Interner<VolumeReplica>()
  readonly messages = new Interner<SearchMessage>()
  readonly events = new Interner<readonly VolumeEvent[]>()
  readonly #options: SearchOptions
  readonly #steps = new Map<string, LocalStep>()
  readonly #setups: readonly VolumeSetup<LogEntry>[]

  constructor(count: number, options: SearchOptions) {
    this.#options = options
    this.#setups = Array.from({ length: count }, (_, i) =>
      setupOf((i + 1) as ReplicaId, options.rules)
    )
  }

  /** A replica that has just started, with nothing on its disk. */
  startOf(self: number): number {
    const replica = emptyReplica()
    const peers = this.#setups.map(setup => setup.self)
    stepReplica(replica, { kind: 'peers', peers }, this.#setupOf(self))
    return this.states.numberOf(replica)
  }

  step(self: number, state: number, input: SearchInput): LocalStep {
    const details = Object.values(input).slice(1).map(wordOf).join()
    const name = `${self} ${state} ${input.kind} ${details}`
    let step = this.#steps.get(name)
    if (step === undefined) this.#steps.set(name, (step = this.#take(self, state, input)))
    return step
  }

  #take(self: number, state: number, input: SearchInput): LocalStep {
    const replica = copyOf(this.states.valueOf(state))
    const { session } = replica.volume
    const setup = this.#setupOf(self)
    const events = [...this.#do(replica, input, setup)]
    const { kind } = replica.volume.phase
    const isHolder = kind === 'holding' || kind === 'handing'
    while (!isHolder && replica.pending.length > 0) events.push(...syncReplica(replica, setup))
    const sent: number[] = []
    const seen: VolumeEvent[] = []
    for (const event of events) {
      if (event.kind === 'send') sent.push(this.#send(self, event))
      else if (event.kind === 'propose') {
        const { number, proposal } = event
        const [from, sender] = [self as ReplicaId, session as SessionId]
        sent.push(
          this.messages.numberOf({
            kind: 'proposal',
            to: 'council',
            from,
            session: sender,
            number,
            proposal
          })
        )
      } else seen.push(event)
    }
    withoutPast(replica)
    return {
      next: this.states.numberOf(replica),
      sent,
      events: this.events.numberOf(seen)
    }
  }

  #send(self: number, { to, message }: Extract<VolumeEvent, { kind: 'send' }>): number {
    // What is pushed is the same for all, so anybody may get it.
    const isForAll = message.kind === 'append' || message.kind === 'seal'
    const from = self as ReplicaId
    return this.messages.numberOf({ kind: 'volume', from, to: isForAll ? 0 : to, message })
  }

  #do(
    replica: VolumeReplica,
    input: SearchInput,
    setup: VolumeSetup<LogEntry>
  ): readonly VolumeEvent[] {
    const { volume } = replica
    switch (input.kind) {
      case 'deliver':
        return this.#deliver(replica, this.messages.valueOf(input.message), setup)
      case 'sync':
        return syncReplica(replica, setup)
      case 'crash':
        return this.#crash(replica, setup)
      case 'append': {
        const { phase, history } = volume
        if (phase.kind !== 'holding') return []
        const entry = chainEntry(phase.epoch, headOf(history), `v${input.value}`)
        return stepReplica(replica, { kind: 'append', entries: [entry] }, setup)
      }
      case 'ask': {
        const message = { kind: 'ask', session: input.session, number: 1, waited: 0 } as const
        return [
          ...stepReplica(replica, { kind: 'tick' }, setup),
          ...stepReplica(replica, { kind: 'tick' }, setup),
          ...stepReplica(replica, { kind: 'message', from: input.from, message }, setup),
          ...stepReplica(replica, { kind: 'parked', isFree: true }, setup)
        ]
      }
      case 'giveBack':
        return [
          ...stepReplica(replica, input, setup),
          ...stepReplica(replica, { kind: 'parked', isFree: true }, setup)
        ]
      case 'opened':
      case 'resize':
        return stepReplica(replica, input, setup)
    }
  }

  #deliver(
    replica: VolumeReplica,
    message: SearchMessage,
    setup: VolumeSetup<LogEntry>
  ): readonly VolumeEvent[] {
    switch (message.kind) {
      case 'volume': {
        const { from, message: inner } = message
        return stepReplica(replica, { kind: 'message', from, message: inner }, setup)
      }
      case 'lease':
        return stepReplica(replica, { kind: 'lease', view: message.view }, setup)
      case 'outcome': {
        if (replica.volume.session !== message.session) return []
        const { proposal, isDone } = message
        return stepReplica(replica, { kind: 'outcome', proposal, isDone }, setup)
      }
      case 'proposal':
        throw new Error('a proposal is for the council')
    }
  }

  #crash(replica: VolumeReplica, setup: VolumeSetup<LogEntry>): readonly VolumeEvent[] {
    const { phase, session, lease, peers } = replica.volume
    crashReplica(replica)
    const events = stepReplica(replica, { kind: 'peers', peers }, setup)
    if (this.#options.isResuming && phase.kind === 'holding') {
      Object.assign(replica.volume, { phase: copyOf(phase), session, lease })
    }
    return events
  }

  #setupOf(self: number): VolumeSetup<LogEntry> {
    const setup = this.#setups[self - 1]
    if (setup === undefined) throw new RangeError(`there is no replica ${self}`)
    return setup
  }
}

function wordOf(value: unknown): string {
  return JSON.stringify(value)
}

/** What nothing depends on any more does not tell states apart: counts of writes, and of ticks. */
function withoutPast({ volume }: VolumeReplica): void {
  const { synced } = volume
  const less = (write: number): number => Math.max(0, write - synced)
  volume.writes = less(volume.writes)
  volume.urgent = less(volume.urgent)
  volume.synced = 0
  volume.unsynced = volume.unsynced.map(({ write, index }) => ({ write: less(write), index }))
  volume.waiting = volume.waiting.map(({ write, output }) => ({ write: less(write), output }))
  if (volume.accepted !== undefined) {
    volume.accepted = { ...volume.accepted, promise: less(volume.accepted.promise) }
  }
  const { phase } = volume
  if (phase.kind === 'recovering') {
    volume.phase = { ...phase, promise: less(phase.promise), ticks: 0 }
  }
  if (phase.kind !== 'holding' && phase.kind !== 'handing') return
  phase.ticks = 0
  for (const progress of phase.followers.values()) progress.ticks = 0
}
