/**
 * The council at one of its voters or learners: the log, the state that it folds into, and at the
 * leader the answers and the sessions' timers.
 *
 * A leader starts every timer when it has won, and proposes a session's end only when the time to
 * live has passed since then and since the last renewal that it confirmed. Once a session's end is
 * on its way, or a new run of the same replica, no renewal of it is confirmed any more.
 */

import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { decodeCouncil, encodeCouncil } from './council-codec.ts'
import { CouncilFold } from './council-fold.ts'
import { isQuestion, type CouncilMessage } from './council-message.ts'
import { isAlive, memberOfSession, type CouncilState } from './council-state.ts'
import { isMembershipCommand, type CouncilRequest, type MembershipCommand } from './command.ts'
import type {
  RaftConfig,
  RaftEntry,
  RaftInput,
  RaftMessage,
  RaftOutput,
  RaftSnapshot,
  RaftWrite
} from './raft-io.ts'
import { configOf, lastPlace, startRaft, type DurableRaft, type RaftState } from './raft-state.ts'
import { ELECTION_TICKS, type RaftSetup } from './raft-turn.ts'
import { stepRaft } from './raft.ts'
import { TTL_MS } from './session.ts'

/** One tick in time. */
export const COUNCIL_TICK_MS = 50
const TTL_TICKS = Math.ceil(TTL_MS / COUNCIL_TICK_MS) + 1
/** Entries after which a snapshot takes their place. */
const ENTRIES_KEPT_MAX = 4096

export type VoterInput =
  | {
      readonly kind: 'raft'
      readonly from: ReplicaId
      readonly message: RaftMessage<CouncilRequest>
    }
  | { readonly kind: 'message'; readonly from: ReplicaId; readonly message: CouncilMessage }
  | { readonly kind: 'synced'; readonly write: number }
  | { readonly kind: 'tick' }

export type VoterOutput =
  | { readonly kind: 'raft'; readonly to: ReplicaId; readonly message: RaftMessage<CouncilRequest> }
  | { readonly kind: 'send'; readonly to: ReplicaId; readonly message: CouncilMessage }
  | { readonly kind: 'write'; readonly number: number; readonly write: RaftWrite<CouncilRequest> }
  /** These records, or whether their holders live, are as the fold has them now. */
  | { readonly kind: 'changed'; readonly volumes: readonly VolumeId[] | 'all' }
  /** Members, their sessions or who votes are as the fold has them now. */
  | { readonly kind: 'members' }

interface Asker {
  readonly replica: ReplicaId
  readonly id: number
}

export class CouncilVoter {
  readonly raft: RaftState<CouncilRequest>
  readonly #setup: RaftSetup
  readonly #entriesKeptMax: number
  #fold: CouncilFold
  #outputs: VoterOutput[] = []
  /** Of a leader: who asked for the entry at an index. */
  readonly #askers = new Map<number, Asker & { readonly term: number }>()
  /** Of a leader: questions that wait for a round, by token. */
  readonly #questions = new Map<number, Asker & { about: SessionId | 'read'; volume: VolumeId }>()
  /** Of a leader: ticks since it won, or since it confirmed a renewal. */
  readonly #timers = new Map<SessionId, number>()
  /** Of a leader: sessions that an entry of its log may end. */
  readonly #ending = new Set<SessionId>()
  #tokens = 0

  /** Takes `durable` over. */
  constructor(
    durable: DurableRaft<CouncilRequest>,
    setup: RaftSetup,
    entriesKeptMax = ENTRIES_KEPT_MAX
  ) {
    this.#setup = setup
    this.#entriesKeptMax = entriesKeptMax
    this.raft = startRaft(durable, ELECTION_TICKS + Math.floor(setup.chance() * ELECTION_TICKS))
    this.#fold = new CouncilFold(decodeCouncil(durable.snapshot.state))
    this.#tellLearners()
  }

  /** What has been decided, as far as it is known here. */
  get state(): Readonly<CouncilState> {
    return this.#fold.state
  }

  get isLeader(): boolean {
    return this.raft.role.kind === 'leader'
  }

  /** How much has been decided, as a number that grows. */
  get position(): number {
    return this.raft.applied
  }

  leaseOf(volume: VolumeId): ReturnType<CouncilFold['leaseOf']> {
    return this.#fold.leaseOf(volume)
  }

  /** Where the holder's session runs, if it is alive. */
  holderOf(volume: VolumeId): ReplicaId | undefined {
    const holder = this.#fold.leaseOf(volume)?.holder ?? 0
    return holder === 0 ? undefined : memberOfSession(this.state, holder)?.replica
  }

  step(input: VoterInput): readonly VoterOutput[] {
    this.#outputs = []
    switch (input.kind) {
      case 'raft':
        this.#raft({ kind: 'message', from: input.from, message: input.message })
        break
      case 'synced':
        this.#raft(input)
        break
      case 'message':
        this.#hear(input.from, input.message)
        break
      case 'tick':
        this.#compact()
        this.#raft(input)
        this.#tickTimers()
        break
    }
    return this.#outputs
  }

  #raft(input: RaftInput<CouncilRequest>): void {
    for (const output of stepRaft(this.raft, input, this.#setup)) this.#follow(output)
  }

  /** The log does not grow for ever. */
  #compact(): void {
    const { snapshot, applied } = this.raft
    if (applied - snapshot.place.index < this.#entriesKeptMax) return
    this.#raft({ kind: 'compact', index: applied, state: encodeCouncil(this.#fold.state) })
  }

  #follow(output: RaftOutput<CouncilRequest>): void {
    switch (output.kind) {
      case 'send':
        this.#outputs.push({ kind: 'raft', to: output.to, message: output.message })
        return
      case 'write':
        this.#outputs.push(output)
        return
      case 'decided':
        for (const entry of output.entries) this.#apply(entry)
        return
      case 'restored':
        return this.#restore(output.snapshot)
      case 'confirmed':
        return this.#confirmed(output.token)
      case 'unconfirmed': {
        const asker = this.#questions.get(output.token)
        this.#questions.delete(output.token)
        if (asker !== undefined) this.#sendElsewhere(asker)
        return
      }
      case 'leader':
        return this.#changeLeader(output.leader)
      case 'notProposed':
        return
    }
  }

  #apply({ term, index, command, config }: RaftEntry<CouncilRequest>): void {
    if (config !== undefined) this.#fold.setVoters(config.voters)
    if (command === undefined) return
    const answer = this.#fold.apply(command)
    const asker = this.#askers.get(index)
    this.#askers.delete(index)
    if (asker?.term === term) this.#send(asker, { kind: 'answer', id: asker.id, answer })
    this.#keepTimers()
    const { kind } = command.command
    if (isMembershipCommand(command.command)) {
      this.#tellLearners()
      this.#outputs.push({ kind: 'members' })
    }
    if (kind === 'open' || kind === 'end') {
      this.#outputs.push({ kind: 'members' }, { kind: 'changed', volumes: 'all' })
      return
    }
    const { changed } = this.#fold
    if (changed.length > 0) this.#outputs.push({ kind: 'changed', volumes: changed })
  }

  #restore(snapshot: RaftSnapshot): void {
    this.#fold = new CouncilFold(decodeCouncil(snapshot.state))
    this.#tellLearners()
    this.#outputs.push({ kind: 'members' }, { kind: 'changed', volumes: 'all' })
  }

  /** All members know what is decided, whether they vote or not. */
  #tellLearners(): void {
    stepRaft(this.raft, { kind: 'learners', learners: [...this.state.members.keys()] }, this.#setup)
  }

  #hear(from: ReplicaId, message: CouncilMessage): void {
    if (!isQuestion(message)) return
    const asker = { replica: from, id: message.id }
    if (!this.isLeader) return this.#sendElsewhere(asker)
    switch (message.kind) {
      case 'request':
        return this.#propose(asker, message.request)
      case 'renew':
        // Whether it is alive is known for certain only when the question is confirmed.
        if (this.#ending.has(message.session)) {
          return this.#send(asker, { kind: 'renewed', id: asker.id, isAlive: false })
        }
        return this.#ask({ ...asker, about: message.session, volume: 0 as VolumeId })
      case 'read':
        return this.#ask({ ...asker, about: 'read', volume: message.volume })
    }
  }

  #propose(asker: Asker, request: CouncilRequest): void {
    const { command } = request
    const isMembership = isMembershipCommand(command)
    // One at a time, and on what has been decided: the log takes a change of voters at its word.
    if (isMembership && !this.#mayChangeMembers(command)) return
    const config = isMembership ? changedVoters(configOf(this.raft), command) : undefined
    const { term } = this.raft
    const index = lastPlace(this.raft).index + 1
    this.#askers.set(index, { ...asker, term })
    if (command.kind === 'end') this.#ending.add(command.ended)
    if (command.kind === 'open') {
      const session = this.state.members.get(command.replica)?.session ?? 0
      if (session !== 0 && this.#isNewRun(command)) this.#ending.add(session)
    }
    this.#raft({ kind: 'propose', commands: [request], ...(config !== undefined && { config }) })
    if (!this.#hasEntry(index, request)) this.#askers.delete(index)
  }

  #mayChangeMembers(command: MembershipCommand): boolean {
    const { entries, snapshot, applied } = this.raft
    const undecided = entries.slice(applied - snapshot.place.index)
    const isChanging = undecided.some(
      entry => entry.command !== undefined && isMembershipCommand(entry.command.command)
    )
    return !isChanging && (command.kind === 'addMember' || this.state.members.has(command.replica))
  }

  #hasEntry(index: number, request: CouncilRequest): boolean {
    const { snapshot, entries } = this.raft
    if (index <= snapshot.place.index) return true
    return entries[index - snapshot.place.index - 1]?.command === request
  }

  /** Not a repetition of the question by which the session came about. */
  #isNewRun(command: Extract<CouncilRequest['command'], { kind: 'open' }>): boolean {
    const member = this.state.members.get(command.replica)
    return member?.boot !== command.boot || member.nonce !== command.nonce
  }

  #ask(question: Asker & { about: SessionId | 'read'; volume: VolumeId }): void {
    const token = ++this.#tokens
    this.#questions.set(token, question)
    this.#raft({ kind: 'confirm', token })
  }

  #confirmed(token: number): void {
    const question = this.#questions.get(token)
    this.#questions.delete(token)
    if (question === undefined) return
    const { about, volume, id } = question
    if (about === 'read') {
      const [position, record, holder] = [
        this.position,
        this.leaseOf(volume),
        this.holderOf(volume)
      ]
      return this.#send(question, { kind: 'lease', id, volume, position, record, holder })
    }
    const isRenewed = !this.#ending.has(about) && isAlive(this.state, about)
    if (isRenewed) this.#timers.set(about, 0)
    this.#send(question, { kind: 'renewed', id, isAlive: isRenewed })
  }

  #changeLeader(leader: ReplicaId | 0): void {
    this.#timers.clear()
    this.#ending.clear()
    for (const asker of this.#askers.values()) this.#sendElsewhere(asker)
    this.#askers.clear()
    if (leader === this.#setup.self) this.#keepTimers()
  }

  /** A timer for each session that is alive, and none for others. */
  #keepTimers(): void {
    if (!this.isLeader) return
    const alive = new Set<SessionId>()
    for (const { session, isAlive } of this.state.members.values()) {
      if (isAlive && session !== 0) alive.add(session)
    }
    for (const session of this.#timers.keys()) if (!alive.has(session)) this.#timers.delete(session)
    for (const session of alive) if (!this.#timers.has(session)) this.#timers.set(session, 0)
  }

  #tickTimers(): void {
    if (!this.isLeader) return
    for (const [session, ticks] of this.#timers) {
      this.#timers.set(session, ticks + 1)
      if (ticks + 1 < TTL_TICKS || this.#ending.has(session)) continue
      this.#ending.add(session)
      const command = { kind: 'end', ended: session } as const
      const request = { session: 0, number: 0, settled: 0, command } as const
      this.#raft({ kind: 'propose', commands: [request] })
    }
  }

  #send({ replica }: Asker, message: CouncilMessage): void {
    this.#outputs.push({ kind: 'send', to: replica, message })
  }

  #sendElsewhere(asker: Asker): void {
    const leader = this.isLeader ? this.#setup.self : this.raft.leader
    this.#send(asker, { kind: 'elsewhere', id: asker.id, leader })
  }
}

function changedVoters({ voters }: RaftConfig, command: MembershipCommand): RaftConfig | undefined {
  if (command.kind !== 'setVoter') return undefined
  const others = voters.filter(voter => voter !== command.replica)
  if (!command.isVoter) return { voters: others }
  return { voters: [...others, command.replica].sort((a, b) => a - b) }
}
