/**
 * The council's decisions: a fold over its log, the same wherever it runs.
 *
 * Each command has a guard; where it fails nothing changes, and the answer says so. Every change of
 * a volume's holder or data set raises its epoch by exactly one, which is what keeps two holders
 * apart. A session's request is done once however often it arrives.
 *
 * Who votes is not decided here: the log that carries the commands decides it, and `setVoters`
 * records the outcome.
 */

import type { Epoch, ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import type { Command, CouncilAnswer, CouncilRequest, Refusal } from './command.ts'
import { isAlive, memberOfSession, type CouncilState, type Member } from './council-state.ts'
import { homesOf } from './homes.ts'
import { EMPTY_HISTORY, type HistoryPoint, type LeaseRecord } from './lease-record.ts'

/** Requests of one session that may be unanswered; more are refused, so that answers fit memory. */
export const REQUESTS_IN_FLIGHT_MAX = 256

type CommandOf<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

export class CouncilFold {
  readonly #state: CouncilState
  #changed: VolumeId[] = []

  /** Takes the state over. */
  constructor(state: CouncilState) {
    this.#state = state
  }

  /** As it is now; it changes with the next request. */
  get state(): Readonly<CouncilState> {
    return this.#state
  }

  /** Volumes whose record the last request changed. */
  get changed(): readonly VolumeId[] {
    return this.#changed
  }

  /** What holds for a volume now; one that nobody ever claimed has an empty history. */
  leaseOf(volume: VolumeId): LeaseRecord | undefined {
    return this.#state.leases.get(volume) ?? this.#unclaimed(volume)
  }

  setVoters(voters: readonly ReplicaId[]): void {
    this.#state.voters = [...voters].sort((a, b) => a - b)
  }

  apply({ session, number, settled, command }: CouncilRequest): CouncilAnswer {
    this.#changed = []
    if (session === 0) return this.#do(0, command)
    if (!isAlive(this.#state, session)) return refused('sessionEnded')
    const { requests } = this.#state
    let table = requests.get(session)
    if (table === undefined) requests.set(session, (table = { settled: 0, answers: new Map() }))
    const before = table.answers.get(number)
    if (before !== undefined) return before
    if (number <= table.settled) return refused('settled')
    const settledNow = Math.max(table.settled, settled)
    if (number <= settledNow || number > settledNow + REQUESTS_IN_FLIGHT_MAX) {
      return refused('tooMany')
    }
    table.settled = settledNow
    for (const old of table.answers.keys()) if (old <= settledNow) table.answers.delete(old)
    const answer = this.#do(session, command)
    table.answers.set(number, answer)
    return answer
  }

  #do(by: SessionId | 0, command: Command): CouncilAnswer {
    switch (command.kind) {
      case 'open':
        return this.#open(command)
      case 'end':
        return this.#end(command.ended)
      case 'claim':
        return this.#each(command.volumes, ({ volume, epoch }) => this.#claim(by, volume, epoch))
      case 'grant':
        return this.#grant(by, command)
      case 'release':
        return this.#each(command.volumes, ({ volume, epoch, base }) => {
          const lease = this.#held(by, volume, epoch)
          if (lease === undefined) return false
          this.#set(volume, { ...lease, holder: 0, base, handed: undefined })
          return true
        })
      case 'resize':
        return this.#each(command.volumes, ({ volume, epoch, dataSet, copies }) => {
          const lease = this.#held(by, volume, epoch)
          if (lease === undefined || !this.#isDataSet(dataSet, copies)) return false
          this.#change(volume, lease, { dataSet: sorted(dataSet), copies })
          return true
        })
      case 'addMember':
        return this.#addMember(command)
      case 'removeMember':
        return this.#removeMember(command.replica)
      case 'setVoter':
        return this.#state.members.has(command.replica) ? done() : refused('notMember')
      case 'force':
        return this.#force(command)
      default:
        return unreachable(command)
    }
  }

  #open({ replica, storeId, boot, nonce }: CommandOf<'open'>): CouncilAnswer {
    const member = this.#state.members.get(replica)
    if (member === undefined) return refused('notMember')
    if (member.storeId !== storeId) return refused('storeId')
    if (member.session !== 0 && member.boot === boot && member.nonce === nonce) {
      return member.isAlive ? done(member.session) : refused('sessionEnded')
    }
    if (boot <= member.boot) return refused('boot')
    this.#endSessionOf(member)
    const session = this.#state.nextSession
    this.#state.nextSession = (session + 1) as SessionId
    this.#state.members.set(replica, { ...member, boot, nonce, session, isAlive: true })
    return done(session)
  }

  #end(session: SessionId): CouncilAnswer {
    const member = memberOfSession(this.#state, session)
    if (member === undefined) return refused('sessionEnded')
    this.#endSessionOf(member)
    return done()
  }

  #endSessionOf(member: Member): void {
    if (member.session === 0) return
    this.#state.members.set(member.replica, { ...member, isAlive: false })
    this.#state.requests.delete(member.session)
  }

  #claim(by: SessionId | 0, volume: VolumeId, epoch: Epoch): boolean {
    const lease = this.leaseOf(volume)
    if (by === 0 || lease?.epoch !== epoch) return false
    // The holder itself may claim as well: one that cannot go on in its epoch would otherwise
    // keep everybody out, itself included, for as long as its session lives.
    if (isAlive(this.#state, lease.holder) && lease.holder !== by) return false
    this.#change(volume, lease, { holder: by, handed: lease.base })
    return true
  }

  #grant(by: SessionId | 0, { volume, epoch, base, to }: CommandOf<'grant'>): CouncilAnswer {
    const lease = this.#held(by, volume, epoch)
    if (lease === undefined) return refused('notHolder')
    if (!isAlive(this.#state, to)) return refused('sessionEnded')
    this.#change(volume, lease, { holder: to, handed: base })
    return done()
  }

  #force({ volume, dataSet, copies }: CommandOf<'force'>): CouncilAnswer {
    const lease = this.leaseOf(volume)
    if (lease === undefined || !this.#isDataSet(dataSet, copies)) return refused('dataSet')
    if (isAlive(this.#state, lease.holder)) return refused('sessionAlive')
    this.#change(volume, lease, {
      holder: 0,
      dataSet: sorted(dataSet),
      copies,
      isPossiblyCut: true
    })
    return done()
  }

  #addMember({ replica, key, storeId, role }: CommandOf<'addMember'>): CouncilAnswer {
    for (const member of this.#state.members.values()) {
      const isTaken = member.replica === replica || member.key === key || member.storeId === storeId
      if (isTaken) return refused('notNew')
    }
    const member = { replica, key, storeId, role, boot: 0, nonce: '', session: 0, isAlive: false }
    this.#state.members.set(replica, member as Member)
    return done()
  }

  #removeMember(replica: ReplicaId): CouncilAnswer {
    const { members, voters, leases } = this.#state
    const member = members.get(replica)
    if (member === undefined) return refused('notMember')
    if (voters.includes(replica)) return refused('inUse')
    if (member.isAlive) return refused('sessionAlive')
    for (const { dataSet } of leases.values())
      if (dataSet.includes(replica)) return refused('inUse')
    members.delete(replica)
    return done()
  }

  /** Whether all goes, volume by volume; each stands for itself. */
  #each<Item extends { readonly volume: VolumeId }>(
    items: readonly Item[],
    task: (item: Item) => boolean
  ): CouncilAnswer {
    return {
      kind: 'done',
      refused: items.filter(item => !task(item)).map(({ volume }) => volume)
    }
  }

  /** The lease, if it is in `epoch` and `by` holds it. */
  #held(by: SessionId | 0, volume: VolumeId, epoch: Epoch): LeaseRecord | undefined {
    const lease = this.#state.leases.get(volume)
    return by !== 0 && lease?.holder === by && lease.epoch === epoch ? lease : undefined
  }

  /** A base is for one holder: whoever comes after it has to ask, or to be handed another. */
  #change(volume: VolumeId, lease: LeaseRecord, change: LeaseChange): void {
    const epoch = (lease.epoch + 1) as Epoch
    this.#set(volume, { ...lease, base: undefined, handed: undefined, ...change, epoch })
  }

  #set(volume: VolumeId, lease: LeaseRecord): void {
    this.#state.leases.set(volume, lease)
    this.#changed.push(volume)
  }

  #isDataSet(dataSet: readonly ReplicaId[], copies: number): boolean {
    const isCount = Number.isInteger(copies) && copies >= 1 && copies <= dataSet.length
    if (!isCount || new Set(dataSet).size !== dataSet.length) return false
    return dataSet.every(replica => this.#state.members.get(replica)?.role === 'store')
  }

  #unclaimed(volume: VolumeId): LeaseRecord | undefined {
    const stores = [...this.#state.members.values()]
      .filter(({ role }) => role === 'store')
      .map(({ replica }) => replica)
    if (stores.length === 0) return undefined
    const copies = Math.min(this.#state.copies, stores.length)
    return {
      epoch: 0 as Epoch,
      holder: 0,
      base: EMPTY_HISTORY,
      handed: undefined,
      dataSet: homesOf(volume, stores, copies),
      copies,
      isPossiblyCut: false
    }
  }
}

interface LeaseChange extends Partial<Omit<LeaseRecord, 'epoch'>> {
  readonly handed?: HistoryPoint | undefined
}

function done(session?: SessionId): CouncilAnswer {
  return session === undefined
    ? { kind: 'done', refused: [] }
    : { kind: 'done', session, refused: [] }
}

function refused(why: Refusal): CouncilAnswer {
  return { kind: 'refused', why }
}

function sorted(replicas: readonly ReplicaId[]): readonly ReplicaId[] {
  return [...replicas].sort((a, b) => a - b)
}
