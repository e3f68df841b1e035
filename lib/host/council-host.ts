/**
 * A member's part of the council: its voter, or learner, and its client, joined to a disk, to the
 * connections to other members, and to time.
 *
 * Whatever comes in goes through one queue, one after the other, also what comes while something
 * is dealt with, as callbacks may ask for more. What a step wants written is written in order, and
 * one sync at a time makes durable all that was written before it began. Messages that need no
 * sync leave at once, so an entry of a leader is on its way while its own disk works.
 *
 * A disk that fails ends all of it: nothing is said that could rest on what is not there.
 */

import type { Command, CouncilAnswer, Refusal } from '../council/command.ts'
import { CouncilClient, type ClientOutput } from '../council/council-client.ts'
import { CouncilDisk } from '../council/council-disk.ts'
import type { CouncilMessage } from '../council/council-message.ts'
import type { CouncilState } from '../council/council-state.ts'
import { COUNCIL_TICK_MS, CouncilVoter, type VoterOutput } from '../council/council-voter.ts'
import { decodePost, encodePost, type CouncilPost } from '../council/council-wire.ts'
import { foundedLog } from '../council/founding.ts'
import { RAFT_RULES } from '../council/raft-turn.ts'
import { RoostError } from '../errors.ts'
import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { bootMs } from '../io/boot-clock.ts'
import { every } from '../io/timer.ts'
import { present } from '../util/assert.ts'
import { Resource } from '../util/resource.ts'
import type { LeaseView } from '../volume/volume-io.ts'
import type { CouncilFigures, CouncilHostOptions } from './council-ports.ts'

type MessageOf<Kind extends CouncilMessage['kind']> = Extract<CouncilMessage, { kind: Kind }>

/** Entries in one message; one of them can be about thousands of volumes. */
const ENTRIES_PER_MESSAGE_MAX = 64
/** Until a replica asks again that is no member. */
const OPEN_AGAIN_MS = 250

export class CouncilHost extends Resource {
  readonly #options: CouncilHostOptions
  readonly #now: () => number
  #disk: CouncilDisk | undefined
  #voter: CouncilVoter | undefined
  #client: CouncilClient
  #stopTicking: () => void = () => undefined
  /** What is to be dealt with, in order. */
  readonly #inputs: (() => void)[] = []
  #isBusy = false
  #isOver = false
  /** Number of the last write handed to the disk, and of the last that is durable. */
  #written = 0
  #synced = 0
  #syncing: Promise<void> | undefined
  #leader: ReplicaId | 0 = 0
  #validUntil = 0
  /** Requests of sessions before; those of a client count from 1. */
  #requestsBefore = 0
  #requests = 0
  /** No session is asked for before. */
  #openFrom = 0
  #isRefused = false
  /** Called when the session has been ended in good order. */
  #left: (() => void) | undefined
  #endRequest = 0
  /** Members of whose nonsense the log knows. */
  readonly #garblers = new Set<ReplicaId>()

  constructor(options: CouncilHostOptions) {
    super()
    this.#options = options
    this.#now = options.now ?? bootMs
    this.#client = new CouncilClient(options.identity, [])
  }

  get state(): Readonly<CouncilState> {
    return this.#running.state
  }

  /** 0 before it is opened and after it has ended. */
  get session(): SessionId | 0 {
    return this.#client.session
  }

  get isLeader(): boolean {
    return this.#running.isLeader
  }

  /** Until when this replica may answer alone, by the host's clock; 0: not at all. */
  get validUntil(): number {
    return this.#left === undefined ? this.#client.validUntil : 0
  }

  get figures(): CouncilFigures {
    const { raft, position, state } = this.#running
    return {
      term: raft.term,
      leader: raft.leader,
      position,
      voters: state.voters,
      session: this.session,
      logBytes: present(this.#disk, 'log of the council').size
    }
  }

  /** A message of another member. What makes no sense is dropped, and told of once. */
  hear(from: ReplicaId, bytes: Buffer): void {
    let post: CouncilPost
    try {
      post = decodePost(bytes)
    } catch (error) {
      if (!(error instanceof RoostError)) throw error
      if (this.#garblers.has(from)) return
      this.#garblers.add(from)
      this.#options.logger.warn(`replica ${from} sends the council nonsense: ${error.message}`)
      return
    }
    this.#enter(() => {
      this.#deliver(from, post)
    })
  }

  /**
   * Puts a command, again and again until it is answered or the session has ended; without a
   * session it waits for the next.
   *
   * @returns its number, by which the answer comes
   */
  request(command: Command): number {
    const { number, outputs } = this.#client.request(command, this.#now())
    this.#requests = this.#requestsBefore + number
    this.#enter(() => {
      this.#obey(outputs)
    })
    return this.#requests
  }

  /** Asks the leader; the answer comes as `lease`. */
  read(volume: VolumeId): void {
    this.#enter(() => {
      this.#obey(this.#client.read(volume, this.#now()))
    })
  }

  /** What is known here; undefined where not even the members are. */
  leaseView(volume: VolumeId): LeaseView | undefined {
    const voter = this.#running
    const record = voter.leaseOf(volume)
    if (record === undefined) return undefined
    return { position: voter.position, record, holder: voter.holderOf(volume) }
  }

  /**
   * Ends the session, so that nobody has to wait until it has run out, and opens no other. It
   * answers nothing alone from this moment on.
   *
   * @returns when the council has ended it, which takes a majority of the voters
   */
  leave(): Promise<void> {
    return new Promise(resolve => {
      this.#left = resolve
      this.#enter(() => {
        this.#tellValidUntil()
      })
      const { session } = this
      if (session === 0) resolve()
      else this.#endRequest = this.request({ kind: 'end', ended: session })
    })
  }

  protected override async _open(): Promise<void> {
    const { disk, founded, random, identity, on } = this.#options
    const log = founded === undefined ? undefined : foundedLog(founded)
    this.#disk = await this.own(await CouncilDisk.open(disk, log))
    this.#voter = new CouncilVoter(this.#disk.durable, {
      self: identity.replica,
      chance: random,
      entriesPerMessageMax: ENTRIES_PER_MESSAGE_MAX,
      rules: RAFT_RULES
    })
    this.#enter(() => {
      on.members([...this.state.members.values()], this.state.voters)
      this.#tick()
    })
    this.#stopTicking = every(COUNCIL_TICK_MS, () => {
      this.#enter(() => {
        this.#tick()
      })
    })
  }

  protected override async _close(): Promise<void> {
    this.#isOver = true
    this.#stopTicking()
    this.#left?.()
    await this.#syncing
  }

  get #running(): CouncilVoter {
    return present(this.#voter, 'voter of a council that is open')
  }

  /** Nothing is dealt with inside something else: what it wants written would be in between. */
  #enter(input: () => void): void {
    if (this.#hasEnded()) return
    this.#inputs.push(input)
    if (this.#isBusy || this.#voter === undefined) return
    this.#isBusy = true
    try {
      while (!this.#hasEnded()) {
        const next = this.#inputs.shift()
        if (next === undefined) break
        next()
      }
    } finally {
      this.#isBusy = false
    }
    if (this.#synced < this.#written) this.#syncing ??= this.#sync()
  }

  /** Whatever is called may be what ends it. */
  #hasEnded(): boolean {
    return this.#isOver
  }

  #tick(): void {
    const voter = this.#running
    this.#follow(voter.step({ kind: 'tick' }))
    const now = this.#now()
    const { voters } = voter.state
    this.#client.voters = voters.length > 0 ? voters : (this.#options.hints ?? [])
    const mayOpen = now >= this.#openFrom && !this.#isRefused && this.#left === undefined
    if (this.#client.session !== 0 || mayOpen) this.#tickClient(now)
  }

  #tickClient(now: number): void {
    this.#obey(this.#client.tick(now, this.#options.health()))
  }

  #deliver(from: ReplicaId, post: CouncilPost): void {
    const voter = this.#running
    if (post.kind === 'raft') {
      return this.#follow(voter.step({ kind: 'raft', from, message: post.message }))
    }
    this.#follow(voter.step({ kind: 'message', from, message: post.message }))
    this.#obey(this.#client.hear(post.message, this.#now()))
  }

  #post(to: ReplicaId, post: CouncilPost): void {
    if (to !== this.#options.identity.replica) return this.#options.send(to, encodePost(post))
    this.#inputs.push(() => {
      this.#deliver(to, post)
    })
  }

  #follow(outputs: readonly VoterOutput[]): void {
    const { on } = this.#options
    const { raft } = this.#running
    for (const output of outputs) {
      if (this.#isOver) return
      switch (output.kind) {
        case 'raft':
          this.#post(output.to, { kind: 'raft', message: output.message })
          break
        case 'send':
          this.#post(output.to, { kind: 'council', message: output.message })
          break
        case 'write':
          this.#write(output)
          break
        case 'changed':
          this.#tellLeases(output.volumes)
          break
        case 'members':
          on.members([...this.state.members.values()], this.state.voters)
          break
      }
    }
    if (raft.leader !== this.#leader) this.#changeLeader(raft.leader)
  }

  #changeLeader(leader: ReplicaId | 0): void {
    this.#leader = leader
    this.#options.on.leader(leader)
    if (leader !== 0) this.#obey(this.#client.lead(leader, this.#now()))
  }

  #tellLeases(volumes: readonly VolumeId[] | 'all'): void {
    const { on } = this.#options
    if (volumes === 'all') return on.leasesChanged()
    for (const volume of volumes) {
      const view = this.leaseView(volume)
      if (view !== undefined) on.lease(volume, view)
    }
  }

  #write({ number, write }: Extract<VoterOutput, { kind: 'write' }>): void {
    try {
      present(this.#disk, 'log of the council').write(write)
      this.#written = number
    } catch (error) {
      this.#fail(error)
    }
  }

  async #sync(): Promise<void> {
    try {
      while (this.#synced < this.#written && !this.#isOver) {
        const write = this.#written
        await present(this.#disk, 'log of the council').sync()
        this.#synced = write
        this.#enter(() => {
          this.#follow(this.#running.step({ kind: 'synced', write }))
        })
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#syncing = undefined
    }
  }

  #obey(outputs: readonly ClientOutput[]): void {
    for (const output of outputs) {
      switch (output.kind) {
        case 'send':
          this.#post(output.to, { kind: 'council', message: output.message })
          break
        case 'opened':
          this.#opened(output.session)
          break
        case 'ended':
          this.#ended()
          break
        case 'refused':
          this.#refused(output.why)
          break
        case 'answered':
          this.#answered(this.#requestsBefore + output.number, output.answer)
          break
        case 'lease':
          this.#tellLease(output.lease)
          break
      }
    }
    this.#tellValidUntil()
  }

  #tellLease({ volume, position, record, holder }: MessageOf<'lease'>): void {
    if (record !== undefined) this.#options.on.lease(volume, { position, record, holder })
  }

  #tellValidUntil(): void {
    const { validUntil } = this
    if (validUntil === this.#validUntil) return
    this.#validUntil = validUntil
    this.#options.on.validUntil(validUntil)
  }

  #answered(number: number, answer: CouncilAnswer): void {
    if (number === this.#endRequest) this.#left?.()
    this.#options.on.answered(number, answer)
  }

  #opened(session: SessionId): void {
    // It was on its way when this replica left.
    if (this.#left !== undefined) {
      this.request({ kind: 'end', ended: session })
      return
    }
    this.#options.on.opened(session)
    this.#tickClient(this.#now())
  }

  #ended(): void {
    // Whatever is asked for by those who hear of it is for the session to come.
    if (this.#left === undefined) this.#begin()
    this.#left?.()
    this.#tellValidUntil()
    this.#options.on.ended()
  }

  #refused(why: Refusal): void {
    this.#openFrom = this.#now() + OPEN_AGAIN_MS
    if (why === 'sessionEnded') return this.#begin(this.#client.unanswered)
    this.#isRefused = why !== 'notMember'
    this.#options.on.refused(why)
  }

  /** Another client, for another session. @param commands not put so far, the last ones */
  #begin(commands: readonly Command[] = []): void {
    const { identity, nextBoot } = this.#options
    const { voters } = this.state
    try {
      const { boot, nonce } = nextBoot()
      this.#client = new CouncilClient({ ...identity, boot, nonce }, voters)
    } catch (cause) {
      return this.#fail(new RoostError('COUNCIL_FAILED', 'no other session begins', { cause }))
    }
    this.#requestsBefore = this.#requests - commands.length
    for (const command of commands) this.#client.request(command, this.#now())
    if (this.#leader !== 0) this.#obey(this.#client.lead(this.#leader, this.#now()))
  }

  #fail(error: unknown): void {
    if (!(error instanceof RoostError)) throw error
    this.#options.logger.error(error.message)
    if (this.#isOver) return
    this.#isOver = true
    this.#stopTicking()
    this.#options.on.failed(error)
  }
}
