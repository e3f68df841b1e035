/**
 * A world of a few replicas, one volume, and a council that is one register: all that can happen
 * next, in any order, with any message late, twice or never.
 *
 * Sessions end at any time, since no clock is trusted with anything that is acknowledged: whoever
 * claims has ended the holder's. The council is the real fold; that it is agreed upon is taken for
 * granted here.
 *
 * To keep the number of worlds down: whoever does not hold syncs at once, since a crash in between
 * would be the same as never having heard; a record is heard by those only whom it concerns; and
 * replicas that can be told apart by nothing but their number claim in the order of numbers.
 */

import { CouncilFold } from '../../lib/council/council-fold.ts'
import type { CouncilState } from '../../lib/council/council-state.ts'
import { foundCouncil, isAlive } from '../../lib/council/council-state.ts'
import type { Command, CouncilAnswer } from '../../lib/council/command.ts'
import type { LeaseRecord } from '../../lib/council/lease-record.ts'
import type { ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'
import { proposedCommand } from '../../lib/volume/proposed-command.ts'
import type { CopyRule } from '../../lib/volume/volume-rules.ts'
import { founderOf } from './council-asker.ts'
import { copyOf, Interner } from './plain-values.ts'
import {
  SearchReplicas,
  type SearchInput,
  type SearchMessage,
  type SearchOptions
} from './search-replica.ts'
import {
  checkCopies,
  checkEvent,
  emptyCheckedHistory,
  type CheckedHistory
} from './volume-checker.ts'

const V = 1 as VolumeId

/** Everything by its number; equal worlds have equal numbers. */
export interface World {
  readonly replicas: readonly number[]
  readonly council: number
  readonly net: number
  readonly checked: number
  readonly crashes: number
  readonly values: number
}

export interface SearchBounds extends SearchOptions {
  /** How many replicas there are; the rule's data set is some of them. */
  readonly replicas: number
  readonly rule: CopyRule
  readonly epochsMax: number
  readonly valuesMax: number
  readonly crashesMax: number
  /** Rules that a holder may change to. */
  readonly resizes: readonly CopyRule[]
  /** Whether the volume is handed over and given back. */
  readonly isHandedOver: boolean
}

export interface Action {
  readonly name: string
  readonly kind: 'hear' | 'decide' | 'claim' | SearchInput['kind']
  /** The message that is heard. */
  readonly message?: number
  /** Whose message it is and who hears it, where both are replicas. */
  readonly between?: readonly ReplicaId[]
  readonly take: () => World
}

export class SearchWorlds {
  readonly replicas: SearchReplicas
  readonly #bounds: SearchBounds
  readonly #all: readonly ReplicaId[]
  readonly #councils = new Interner<CouncilState>()
  readonly #nets = new Interner<readonly number[]>()
  readonly #checked = new Interner<CheckedHistory>()
  readonly #checks = new Map<string, number>()

  constructor(bounds: SearchBounds) {
    this.#bounds = bounds
    this.#all = Array.from({ length: bounds.replicas }, (_, i) => (i + 1) as ReplicaId)
    this.replicas = new SearchReplicas(bounds.replicas, bounds)
  }

  start(): World {
    const { rule } = this.#bounds
    const state = foundCouncil(
      rule.copies,
      this.#all.map(replica => founderOf(replica))
    )
    const lease = new CouncilFold(state).leaseOf(V) as LeaseRecord
    state.leases.set(V, { ...lease, ...rule })
    return {
      replicas: this.#all.map(replica => this.replicas.startOf(replica)),
      council: this.#councils.numberOf(state),
      net: this.#nets.numberOf([]),
      checked: this.#checked.numberOf(emptyCheckedHistory()),
      crashes: 0,
      values: 0
    }
  }

  nameOf({ replicas, council, net, checked, crashes, values }: World): string {
    return `${replicas.join()} ${council} ${net} ${checked} ${crashes} ${values}`
  }

  /** @throws Violation where something must hold at all times and does not here */
  check({ council, checked, replicas }: World): void {
    const lease = this.#councils.valueOf(council).leases.get(V) as LeaseRecord
    checkCopies(this.#checked.valueOf(checked), lease, replica =>
      this.replicas.states.valueOf(replicas[replica - 1] as number)
    )
  }

  *actions(world: World): Generator<Action> {
    for (const number of this.#nets.valueOf(world.net)) {
      const message = this.replicas.messages.valueOf(number)
      if (message.kind === 'proposal') {
        yield {
          name: describe(message),
          kind: 'decide',
          message: number,
          take: () => this.#decide(world, message)
        }
        continue
      }
      for (const replica of this.#all) {
        if (message.to !== 0 && message.to !== replica) continue
        if (message.kind === 'volume' && message.from === replica) continue
        if (message.kind === 'lease' && !this.#concerns(world, replica, message)) continue
        yield {
          name: `${replica} hears ${describe(message)}`,
          kind: 'hear',
          message: number,
          between: message.kind === 'volume' ? [message.from, replica] : [],
          take: () => this.#step(world, replica, { kind: 'deliver', message: number })
        }
      }
    }
    for (const replica of this.#all) yield* this.#actionsOf(world, replica)
  }

  *#actionsOf(world: World, self: ReplicaId): Generator<Action> {
    const { epochsMax, valuesMax, crashesMax, resizes, isHandedOver } = this.#bounds
    const step = (input: SearchInput, change?: Partial<World>): Action => ({
      name: `${self} ${JSON.stringify(input)}`,
      kind: input.kind,
      take: () => this.#step({ ...world, ...change }, self, input)
    })
    const replica = this.replicas.states.valueOf(world.replicas[self - 1] as number)
    const { phase } = replica.volume
    const state = this.#councils.valueOf(world.council)
    const lease = state.leases.get(V) as LeaseRecord
    if (replica.pending.length > 0) yield step({ kind: 'sync' })
    if (world.crashes < crashesMax) yield step({ kind: 'crash' }, { crashes: world.crashes + 1 })
    if (lease.epoch < epochsMax && this.#isNextToClaim(state, self, lease)) {
      yield {
        name: `${self} claims`,
        kind: 'claim',
        take: () => this.#claim(world, self, lease)
      }
    }
    if (phase.kind !== 'holding') return
    const isParked = phase.handOver?.isParked === true
    if (world.values < valuesMax && !isParked) {
      yield step({ kind: 'append', value: world.values + 1 }, { values: world.values + 1 })
    }
    if (phase.handOver !== undefined || phase.resize !== undefined) return
    if (isHandedOver) {
      yield step({ kind: 'giveBack' })
      for (const other of this.#all) {
        const asker = state.members.get(other)
        if (other === self || asker === undefined || !asker.isAlive || asker.session === 0) continue
        yield step({ kind: 'ask', from: other, session: asker.session })
      }
    }
    if (lease.epoch >= epochsMax) return
    for (const rule of resizes) {
      if (rule.dataSet.join() !== phase.rule.dataSet.join()) yield step({ kind: 'resize', rule })
    }
  }

  #step(world: World, self: ReplicaId, input: SearchInput): World {
    const { next, sent, events } = this.replicas.step(
      self,
      world.replicas[self - 1] as number,
      input
    )
    return {
      ...world,
      replicas: world.replicas.with(self - 1, next),
      net: this.#send(world.net, sent),
      checked: this.#check(world.checked, events)
    }
  }

  #claim(world: World, self: ReplicaId, lease: LeaseRecord): World {
    const state = copyOf(this.#councils.valueOf(world.council))
    const fold = new CouncilFold(state)
    const known = this.replicas.states.valueOf(world.replicas[self - 1] as number).volume.session
    if (lease.holder !== 0 && lease.holder !== known) {
      const end: Command = { kind: 'end', ended: lease.holder }
      fold.apply({ session: 0, number: 0, settled: 0, command: end })
    }
    const member = state.members.get(self)
    let session = member?.session as SessionId
    let next = world
    if (!isAlive(state, session) || known !== session) {
      const boot = (member?.boot ?? 0) + 1
      const storeId = `replica-${self}`
      const open: Command = { kind: 'open', replica: self, storeId, boot, nonce: `${boot}` }
      const opened = fold.apply({ session: 0, number: 0, settled: 0, command: open })
      if (opened.kind !== 'done') throw new Error(`not opened: ${opened.why}`)
      session = opened.session as SessionId
    }
    if (known !== session) next = this.#step(next, self, { kind: 'opened', session })
    const volumes = [{ volume: V, epoch: lease.epoch }]
    const number = 1000 + lease.epoch
    const command: Command = { kind: 'claim', volumes }
    fold.apply({ session, number, settled: number - 1, command })
    return this.#decided(next, state, [])
  }

  /** Of those that nobody has heard of, the first. */
  #isNextToClaim(state: CouncilState, self: ReplicaId, { dataSet }: LeaseRecord): boolean {
    const isKnown = (replica: ReplicaId): boolean => state.members.get(replica)?.session !== 0
    if (isKnown(self)) return true
    const isIn = dataSet.includes(self)
    const { resizes } = this.#bounds
    if (resizes.length > 0) return true
    return this.#all.every(other => {
      return other >= self || isKnown(other) || dataSet.includes(other) !== isIn
    })
  }

  #concerns(world: World, self: ReplicaId, { view }: MessageOf<'lease'>): boolean {
    const { phase, session } = this.replicas.states.valueOf(
      world.replicas[self - 1] as number
    ).volume
    if (view.record.holder === session) return true
    return 'epoch' in phase && phase.kind !== 'fenced' && view.record.epoch >= phase.epoch
  }

  /** A proposal comes to the council, now or again. */
  #decide(world: World, message: MessageOf<'proposal'>): World {
    const { from, session, number, proposal } = message
    const before = this.#councils.valueOf(world.council)
    const lease = before.leases.get(V) as LeaseRecord
    const isBeyond = lease.epoch >= this.#bounds.epochsMax && proposal.kind !== 'release'
    if (isBeyond && lease.epoch === proposal.epoch) return world
    const state = copyOf(before)
    const command = proposedCommand(V, proposal)
    // Number and epoch tell a session's requests apart here, where claims are not sent.
    const unique = 1000 * (proposal.epoch + 1) + number
    const request = { session, number: unique, settled: unique - 1, command }
    const answer = new CouncilFold(state).apply(request)
    const isDone = isAnswerDone(answer)
    const outcome = { kind: 'outcome', to: from, session, proposal: number, isDone } as const
    return this.#decided(world, state, answer.kind === 'refused' ? [] : [outcome])
  }

  #decided(world: World, state: CouncilState, messages: readonly SearchMessage[]): World {
    const record = state.leases.get(V) as LeaseRecord
    const holder = [...state.members.values()].find(({ session }) => session === record.holder)
    const position = 2 * record.epoch + (record.holder === 0 ? 1 : 0)
    const view = { position, record, holder: holder?.replica }
    const all: SearchMessage[] = [{ kind: 'lease', to: 0, view }, ...messages]
    const sent = all.map(message => this.replicas.messages.numberOf(message))
    const council = this.#councils.numberOf(state)
    return { ...world, council, net: this.#send(world.net, sent) }
  }

  #send(net: number, sent: readonly number[]): number {
    if (sent.length === 0) return net
    const before = this.#nets.valueOf(net)
    const after = [...new Set([...before, ...sent])].sort((a, b) => a - b)
    return after.length === before.length ? net : this.#nets.numberOf(after)
  }

  #check(checked: number, events: number): number {
    const name = `${checked} ${events}`
    let next = this.#checks.get(name)
    if (next === undefined) {
      const copy = copyOf(this.#checked.valueOf(checked))
      for (const event of this.replicas.events.valueOf(events)) checkEvent(copy, event)
      this.#checks.set(name, (next = this.#checked.numberOf(copy)))
    }
    return next
  }
}

type MessageOf<Kind extends SearchMessage['kind']> = Extract<SearchMessage, { kind: Kind }>

function isAnswerDone(answer: CouncilAnswer): boolean {
  return answer.kind === 'done' && answer.refused.length === 0
}

function describe(message: SearchMessage): string {
  return JSON.stringify(message.kind === 'volume' ? [message.from, message.message] : message)
}
