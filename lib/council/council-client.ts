/**
 * A replica's side of the council: opens its session and renews it, puts commands to whoever leads
 * until they are answered, and reads records.
 *
 * Every command has the number of its session's requests, so it may be sent as often as it takes.
 * Times are by a local clock that goes on while the machine sleeps, in ms.
 */

import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { present } from '../util/assert.ts'
import type { Command, CouncilAnswer, CouncilRequest, Refusal } from './command.ts'
import { REQUESTS_IN_FLIGHT_MAX } from './council-fold.ts'
import { isQuestion, type CouncilMessage } from './council-message.ts'
import { isHealthy, RENEW_MS, validUntilOf, type Health } from './session.ts'

/** Without an answer for so long a question is put again, to somebody else. */
const ASK_AGAIN_MS = 400

/**
 * Each run numbers its questions in a range of its own. An answer finds a replica and not a run, so
 * what was asked by a run that is dead may be answered to the next: it must not take that for its
 * own session.
 */
const QUESTIONS_PER_RUN = 2 ** 32
/** So many ranges there are below 2^53; then they come again. */
const RANGES = 2 ** 21

export interface ClientIdentity {
  readonly replica: ReplicaId
  readonly storeId: string
  /** Counted up, durably, before this run said anything. */
  readonly boot: number
  readonly nonce: string
}

export type ClientOutput =
  | { readonly kind: 'send'; readonly to: ReplicaId; readonly message: CouncilMessage }
  | { readonly kind: 'opened'; readonly session: SessionId }
  /** The session is over; another run has to open one, with a higher boot. */
  | { readonly kind: 'ended'; readonly session: SessionId }
  /** No session was opened. A replica that is no member asks again; others have ended. */
  | { readonly kind: 'refused'; readonly why: Refusal }
  | { readonly kind: 'answered'; readonly number: number; readonly answer: CouncilAnswer }
  | { readonly kind: 'lease'; readonly lease: Extract<CouncilMessage, { kind: 'lease' }> }

type Question =
  | { readonly kind: 'open' | 'renew' }
  | { readonly kind: 'request'; readonly number: number }
  | { readonly kind: 'read'; readonly volume: VolumeId }

interface Asked {
  readonly question: Question
  readonly at: number
}

export class CouncilClient {
  readonly #identity: ClientIdentity
  /** Whom to ask; the leader is one of the voters, and each knows or will know it. */
  #voters: readonly ReplicaId[]
  #leader: ReplicaId | 0 = 0
  #turn = 0
  #session: SessionId | 0 = 0
  #isEnded = false
  /** The session's word counts until here. */
  #validUntil = 0
  #renewedAt = -Infinity
  #ids: number
  readonly #asked = new Map<number, Asked>()
  #numbers = 0
  /** Requests up to this one were put at least once. */
  #askedThrough = 0
  readonly #commands = new Map<number, Command>()
  #outputs: ClientOutput[] = []

  constructor(identity: ClientIdentity, voters: readonly ReplicaId[]) {
    this.#identity = identity
    this.#voters = voters
    this.#ids = (identity.boot % RANGES) * QUESTIONS_PER_RUN
  }

  /** 0 before it is opened and after it has ended. */
  get session(): SessionId | 0 {
    return this.#isEnded ? 0 : this.#session
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Until when this run may answer alone; 0 when it may not. */
  get validUntil(): number {
    return this.session === 0 ? 0 : this.#validUntil
  }

  /** Commands that were put and are not answered, in the order of their numbers. */
  get unanswered(): readonly Command[] {
    return [...this.#commands.values()]
  }

  set voters(voters: readonly ReplicaId[]) {
    this.#voters = voters
  }

  /** Whether this run may answer alone at `now`. To be asked before each such answer. */
  isValid(now: number): boolean {
    return now < this.validUntil
  }

  /** Puts a command for this session. @returns its number, and what is to be done */
  request(command: Command, now: number): { number: number; outputs: readonly ClientOutput[] } {
    this.#outputs = []
    const number = ++this.#numbers
    this.#commands.set(number, command)
    this.#askRequests(now)
    return { number, outputs: this.#outputs }
  }

  read(volume: VolumeId, now: number): readonly ClientOutput[] {
    this.#outputs = []
    this.#ask({ kind: 'read', volume }, now)
    return this.#outputs
  }

  /** Time has passed: asks what is due, and again what was not answered. */
  tick(now: number, health: Health): readonly ClientOutput[] {
    this.#outputs = []
    for (const [id, { question, at }] of this.#asked) {
      if (now - at < ASK_AGAIN_MS) continue
      this.#asked.delete(id)
      this.#lookElsewhere(0)
      if (question.kind !== 'renew' && question.kind !== 'open') this.#ask(question, now)
    }
    if (this.#isEnded) return this.#outputs
    if (this.#session === 0) {
      if (!this.#isAsking('open')) this.#ask({ kind: 'open' }, now)
    } else if (now - this.#renewedAt >= RENEW_MS && isHealthy(health, now)) {
      this.#renewedAt = now
      this.#ask({ kind: 'renew' }, now)
    }
    return this.#outputs
  }

  /** Somebody leads from now on: what is not answered is put to it at once. */
  lead(leader: ReplicaId, now: number): readonly ClientOutput[] {
    this.#outputs = []
    if (this.#isEnded) return this.#outputs
    this.#lookElsewhere(leader)
    const waiting = [...this.#asked.values()]
    this.#asked.clear()
    for (const { question } of waiting) this.#ask(question, now)
    return this.#outputs
  }

  hear(message: CouncilMessage, now: number): readonly ClientOutput[] {
    this.#outputs = []
    const asked = this.#asked.get(message.id)
    if (asked === undefined || isQuestion(message)) return this.#outputs
    this.#asked.delete(message.id)
    const { question, at } = asked
    switch (message.kind) {
      case 'answer':
        this.#answered(question, message.answer, now)
        break
      case 'renewed':
        if (message.isAlive) this.#validUntil = Math.max(this.#validUntil, validUntilOf(at))
        else this.#end()
        break
      case 'lease':
        this.#outputs.push({ kind: 'lease', lease: message })
        break
      case 'elsewhere':
        this.#lookElsewhere(message.leader)
        // Where nobody is named, the next tick is soon enough.
        if (message.leader !== 0) this.#ask(question, now)
        else this.#asked.set(message.id, asked)
        break
      default:
        break
    }
    return this.#outputs
  }

  #answered(question: Question, answer: CouncilAnswer, now: number): void {
    if (question.kind === 'open') {
      if (this.#session !== 0) return
      if (answer.kind === 'refused') {
        // Somebody may be about to make it a member.
        this.#isEnded = answer.why !== 'notMember'
        this.#outputs.push({ kind: 'refused', why: answer.why })
        return
      }
      if (answer.session === undefined) return
      this.#session = answer.session
      this.#outputs.push({ kind: 'opened', session: answer.session })
      this.#askRequests(now)
    }
    if (question.kind !== 'request' || !this.#commands.delete(question.number)) return
    this.#outputs.push({ kind: 'answered', number: question.number, answer })
    this.#askRequests(now)
    if (answer.kind === 'refused' && answer.why === 'sessionEnded') this.#end()
  }

  /** As many as the council keeps answers for; the others wait. */
  #askRequests(now: number): void {
    if (this.session === 0) return
    const [first = 0] = this.#commands.keys()
    const through = Math.min(this.#numbers, first + REQUESTS_IN_FLIGHT_MAX - 1)
    while (this.#askedThrough < through) {
      this.#ask({ kind: 'request', number: ++this.#askedThrough }, now)
    }
  }

  #end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#outputs.push({ kind: 'ended', session: this.#session as SessionId })
  }

  #isAsking(kind: Question['kind']): boolean {
    return [...this.#asked.values()].some(({ question }) => question.kind === kind)
  }

  #ask(question: Question, now: number): void {
    const id = ++this.#ids
    this.#asked.set(id, { question, at: now })
    const to = this.#leader === 0 ? this.#someVoter() : this.#leader
    if (to !== undefined) this.#outputs.push({ kind: 'send', to, message: this.#put(id, question) })
  }

  #put(id: number, question: Question): CouncilMessage {
    switch (question.kind) {
      case 'open': {
        const { replica, storeId, boot, nonce } = this.#identity
        const command = { kind: 'open', replica, storeId, boot, nonce } as const
        return { kind: 'request', id, request: { session: 0, number: 0, settled: 0, command } }
      }
      case 'renew':
        return { kind: 'renew', id, session: this.#session as SessionId }
      case 'read':
        return { kind: 'read', id, volume: question.volume }
      case 'request':
        return { kind: 'request', id, request: this.#requestOf(question.number) }
    }
  }

  #requestOf(number: number): CouncilRequest {
    const command = present(this.#commands.get(number), 'command that is not answered')
    // They are in the order of their numbers, and all before the first are answered.
    const [first = number] = this.#commands.keys()
    return { session: this.#session, number, settled: first - 1, command }
  }

  #lookElsewhere(leader: ReplicaId | 0): void {
    this.#leader = leader
    this.#turn++
  }

  #someVoter(): ReplicaId | undefined {
    return this.#voters[this.#turn % Math.max(1, this.#voters.length)]
  }
}
