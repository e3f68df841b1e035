/**
 * A volume at a replica: what it does with each thing that it hears.
 *
 * Events change state; then one evaluation decides what follows. There is no clock, disk or
 * network in it: time comes as ticks, writes and messages go out as values. Writes take effect on
 * disk in the order in which they are wanted, and nothing is said that rests on one that is not
 * durable.
 *
 * Invariants: at most one session appends in an epoch, and only at the end; the same epoch and
 * index is the same entry everywhere; what is acknowledged is in the history of every later holder;
 * a promise never goes back; a follower shows nothing but what is acknowledged.
 */

import type { Index } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import {
  acceptAppend,
  acceptCheckpoint,
  acceptInstalled,
  answerFetch,
  answerSeal,
  sendAck
} from './acceptor.ts'
import { onHeld, onUnheld, tickBodies } from './bodies.ts'
import * as handOver from './hand-over.ts'
import { raiseBase, type LogEntry } from './history.ts'
import * as holding from './holding.ts'
import { leaveEpoch } from './leaving.ts'
import { nonsenseOf } from './nonsense-of.ts'
import * as recovery from './recovery.ts'
import type { LeaseView, VolumeInput, VolumeOutput } from './volume-io.ts'
import type { VolumeMessageOf } from './volume-message.ts'
import { heldThrough, type VolumeState } from './volume-state.ts'
import { VolumeTurn, type VolumeSetup } from './volume-turn.ts'
import { evaluateWant, onAnswer, setWanted, tickWant } from './want.ts'

type InputOf<E extends LogEntry, Kind extends VolumeInput<E>['kind']> = Extract<
  VolumeInput<E>,
  { readonly kind: Kind }
>

/** Changes `state` by `input`. @returns what is to be done, in this order */
export function stepVolume<E extends LogEntry>(
  state: VolumeState<E>,
  input: VolumeInput<E>,
  setup: VolumeSetup<E>
): readonly VolumeOutput<E>[] {
  const turn = new VolumeTurn(state, setup)
  hear(turn, input)
  recovery.evaluateRecovery(turn)
  holding.evaluateHolding(turn)
  handOver.evaluateNext(turn)
  handOver.evaluateHandOver(turn)
  sendAck(turn)
  expose(turn)
  evaluateWant(turn)
  return turn.outputs
}

function hear<E extends LogEntry>(turn: VolumeTurn<E>, input: VolumeInput<E>): void {
  const { state } = turn
  switch (input.kind) {
    case 'message':
      return hearMessage(turn, input)
    case 'synced':
      return turn.synced(input.write)
    case 'held':
      return onHeld(turn, input.point)
    case 'unheld':
      return onUnheld(turn)
    case 'installed':
      return acceptInstalled(turn, input.point)
    case 'append':
      return holding.appendOwn(turn, input.entries)
    case 'lease':
      return hearLease(turn, input.view)
    case 'outcome':
      return hearOutcome(turn, input)
    case 'opened':
      leaveEpoch(turn)
      state.session = input.session
      state.isProposing = false
      return
    case 'ended':
      leaveEpoch(turn)
      state.session = 0
      state.isProposing = false
      return
    case 'peers':
      return holding.setPeers(turn, input.peers)
    case 'want':
      return setWanted(turn, input.isWanted)
    case 'parked':
      return handOver.onParked(turn, input.isFree)
    case 'giveBack':
      return handOver.giveBack(turn)
    case 'resize':
      return holding.wantResize(turn, input.rule)
    case 'forget':
      return forget(turn, input.through)
    case 'tick':
      return tick(turn)
    default:
      return unreachable(input)
  }
}

function hearMessage<E extends LogEntry>(
  turn: VolumeTurn<E>,
  { from, message }: InputOf<E, 'message'>
): void {
  const nonsense = nonsenseOf(turn, message)
  if (nonsense !== undefined) {
    turn.emit({ kind: 'distrusted', replica: from, why: nonsense })
    return
  }
  switch (message.kind) {
    case 'append':
      return acceptAppend(turn, from, message)
    case 'checkpoint':
      return acceptCheckpoint(turn, from, message)
    case 'seal':
      return answerSeal(turn, from, message)
    case 'fetch':
      return answerFetch(turn, from, message)
    case 'ack':
      return holding.onAck(turn, from, message)
    case 'missing':
      return holding.onMissing(turn, from, message)
    case 'refused':
      return hearRefused(turn, message)
    case 'sealed':
      return recovery.onSealed(turn, from, message)
    case 'fetched':
      return recovery.onFetched(turn, from, message)
    case 'base':
      return recovery.onBase(turn, from, message)
    case 'ask':
      return handOver.onAsk(turn, from, message)
    case 'answer':
      return onAnswer(turn, message)
    default:
      return unreachable(message)
  }
}

/** Somebody has promised a later epoch: the volume was claimed again, and is not ours. */
function hearRefused<E extends LogEntry>(
  turn: VolumeTurn<E>,
  { epoch, promised }: VolumeMessageOf<E, 'refused'>
): void {
  const { phase } = turn.state
  if ('epoch' in phase && phase.epoch === epoch && promised > epoch) leaveEpoch(turn)
}

/** The council's record is where every epoch at a holder begins, and by which each may end. */
function hearLease<E extends LogEntry>(turn: VolumeTurn<E>, view: LeaseView): void {
  const { state } = turn
  if (state.lease !== undefined && view.position <= state.lease.position) return
  const isNews = state.lease === undefined || isOtherHolder(state.lease, view)
  state.lease = view
  if (isNews && state.want !== undefined) state.want.ticks = 0
  const { record } = view
  const isMine = state.session !== 0 && record.holder === state.session
  const { phase } = state
  if (phase.kind !== 'follower' && phase.kind !== 'fenced') {
    if (phase.epoch === record.epoch && isMine) return
    if (phase.kind === 'holding' && isMine && phase.epoch === record.epoch - 1) {
      // Only we propose anything while we hold, and only a change of the data set.
      if (turn.rules.mayAccept(state.promised, record.epoch)) {
        return holding.continueHolding(turn, phase, record)
      }
    }
    if (phase.epoch > record.epoch) return
    handOver.tellGranted(turn)
    leaveEpoch(turn)
  }
  if (isMine && record.epoch > state.retired) recovery.takeOver(turn, record)
}

function isOtherHolder(before: LeaseView, now: LeaseView): boolean {
  return before.record.epoch !== now.record.epoch || before.holder !== now.holder
}

function hearOutcome<E extends LogEntry>(
  turn: VolumeTurn<E>,
  { proposal, isDone }: InputOf<E, 'outcome'>
): void {
  const { state } = turn
  if (proposal !== state.proposals || !state.isProposing) return
  state.isProposing = false
  const { phase } = state
  if (isDone) return
  if (phase.kind === 'holding' && phase.resize?.proposal === proposal) phase.resize = undefined
  if (phase.kind === 'handing') handOver.onHandOverRefused(turn)
}

function forget<E extends LogEntry>({ state }: VolumeTurn<E>, through: Index): void {
  const needed = Math.min(state.commit.index, state.durable, heldThrough(state))
  raiseBase(state.history, Math.min(through, needed))
}

function tick<E extends LogEntry>(turn: VolumeTurn<E>): void {
  recovery.tickRecovery(turn)
  tickBodies(turn)
  holding.tickHolding(turn)
  tickWant(turn)
}

/** A holder shows what it appends; whoever follows, what is acknowledged, with its bodies. */
function expose<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { state } = turn
  if (holding.holdingOf(turn) !== undefined) return
  const durable = Math.min(state.durable, heldThrough(state)) as Index
  turn.expose(turn.rules.exposedThrough(durable, state.commit.index))
}
