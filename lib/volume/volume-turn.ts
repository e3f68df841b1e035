/**
 * One step of a volume: its state, what is to come of the step, and the few ways in which history
 * and promises change.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import type { Epoch, Index, ReplicaId, SessionId } from '../ids.ts'
import { assert, present } from '../util/assert.ts'
import { cutDurable, noteSynced, sayWhenSynced } from '../util/write-queue.ts'
import type { VolumeWrite } from './durable-volume.ts'
import { appendEntries, cutHistory, hasPoint, headOf, pointAt, type LogEntry } from './history.ts'
import type { VolumeOutput, VolumeProposal } from './volume-io.ts'
import type { VolumeMessage } from './volume-message.ts'
import type { VolumeRules } from './volume-rules.ts'
import { heldThrough, type VolumeState } from './volume-state.ts'

/** What a volume at a replica is made with. */
export interface VolumeSetup<E extends LogEntry> {
  readonly self: ReplicaId
  readonly rules: VolumeRules
  /** A peer that lacks more is sent it in one message after the other. */
  readonly entriesPerMessageMax: number
  /** Ticks that a volume stays at least; HOLD_TICKS_MIN where this is not given. */
  readonly holdTicksMin?: number
  /** The first entry of an epoch, behind `after`. */
  readonly beginEntry: (epoch: Epoch, session: SessionId, after: HistoryPoint) => E
}

export class VolumeTurn<E extends LogEntry> {
  readonly state: VolumeState<E>
  readonly setup: VolumeSetup<E>
  readonly outputs: VolumeOutput<E>[] = []
  readonly #say = (output: VolumeOutput<E>): void => this.emit(output)

  constructor(state: VolumeState<E>, setup: VolumeSetup<E>) {
    this.state = state
    this.setup = setup
  }

  get self(): ReplicaId {
    return this.setup.self
  }

  get rules(): VolumeRules {
    return this.setup.rules
  }

  get head(): HistoryPoint {
    return headOf(this.state.history)
  }

  /** What this replica may say it has: durable, and with all bodies. */
  get ackable(): Index {
    const durable = this.rules.durableThrough(this.state.durable, this.head.index)
    return Math.min(durable, heldThrough(this.state)) as Index
  }

  emit(output: VolumeOutput<E>): void {
    this.outputs.push(output)
  }

  send(to: ReplicaId, message: VolumeMessage<E>): void {
    this.emit({ kind: 'send', to, message })
  }

  /** Sends when all is durable that has been wanted so far. */
  sendWhenDurable(to: ReplicaId, message: VolumeMessage<E>): void {
    const output = { kind: 'send', to, message } as const
    sayWhenSynced(this.state, this.state.urgent, output, this.#say)
  }

  propose(proposal: VolumeProposal): number {
    const number = ++this.state.proposals
    this.state.isProposing = true
    this.emit({ kind: 'propose', number, proposal })
    return number
  }

  promise(epoch: Epoch): void {
    const { state } = this
    if (state.promised >= epoch) return
    state.promised = epoch
    this.#write({ kind: 'promise', epoch })
  }

  append(entries: readonly E[], isOwn: boolean): void {
    if (entries.length === 0) return
    const { state } = this
    appendEntries(state.history, entries)
    const write = this.#write({ kind: 'append', entries })
    state.unsynced.push({ write, index: this.head.index })
    if (isOwn) return
    for (const { index, hasBodies } of entries) if (hasBodies) state.lacking.push(index)
  }

  /** Drops what follows `index`; nothing of it is acknowledged. */
  cutTo(index: Index): void {
    const { state } = this
    if (index >= this.head.index) return
    assert(index >= state.commit.index, `acknowledged history is cut to ${index}`)
    const to = present(pointAt(state.history, index), 'point of a cut')
    const dropped = cutHistory(state.history, index)
    // Whoever asked what is here has begun without the answer, or somebody after it has.
    state.waiting = state.waiting.filter(({ output }) => !isSealed(output))
    state.lacking = state.lacking.filter(each => each <= index)
    this.#forgetDurable(index)
    this.#write({ kind: 'cut', to, dropped })
    this.#undo(to, dropped)
  }

  /** Puts a checkpoint in the place of all history. */
  install(point: HistoryPoint): void {
    const { state } = this
    const dropped = cutHistory(state.history, state.history.base.index)
    state.history.base = point
    state.lacking = []
    // Until the write is durable too, a restart would find what was there before.
    this.#forgetDurable(state.commit.index)
    state.commit = point
    const write = this.#write({ kind: 'install', point, dropped })
    state.unsynced.push({ write, index: point.index })
    const fork = dropped.findIndex(({ index }) => index > point.index)
    if (fork >= 0) this.#undo(point, dropped.slice(fork))
  }

  /**
   * Learns that history through `point` is acknowledged, as far as this is the history here.
   *
   * @returns whether that was news
   */
  learnCommit(point: HistoryPoint): boolean {
    const { state } = this
    if (point.index <= state.commit.index || !hasPoint(state.history, point)) return false
    if (point.index < state.history.base.index) return false
    // Of what was said only the hash is compared: the epoch is taken from here.
    const own = present(pointAt(state.history, point.index), 'acknowledged point')
    state.commit = own
    this.#write({ kind: 'commit', point: own })
    return true
  }

  expose(through: Index): void {
    // A checkpoint is shown as a whole, when it is durable.
    if (through <= this.state.exposed || through < this.state.history.base.index) return
    this.state.exposed = through
    this.emit({ kind: 'exposed', through })
  }

  synced(write: number): void {
    noteSynced(this.state, write, this.#say)
  }

  #write(write: VolumeWrite<E>): number {
    const number = ++this.state.writes
    if (write.kind !== 'commit') this.state.urgent = number
    this.emit({ kind: 'write', number, write })
    return number
  }

  #forgetDurable(index: Index): void {
    const { state } = this
    cutDurable(state, index)
    if (state.accepted !== undefined && state.accepted.through > index) state.accepted = undefined
  }

  /** What was shown as the holder's own, before it was acknowledged, is taken back. */
  #undo(to: HistoryPoint, dropped: readonly E[]): void {
    if (this.state.exposed <= to.index) return
    this.state.exposed = to.index
    this.emit({ kind: 'undone', to, dropped })
  }
}

function isSealed<E extends LogEntry>(output: VolumeOutput<E>): boolean {
  return output.kind === 'send' && output.message.kind === 'sealed'
}
