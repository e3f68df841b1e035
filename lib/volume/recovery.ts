/**
 * From the council's word that this replica holds the volume to its first entry.
 *
 * Either the history to go on with was handed over, or the data set is asked: with answers of
 * any |D| - k + 1 of its members, one of them has all that was acknowledged, and the history with
 * the greatest (epoch, index) among them contains it.
 */

import { sealSizeOf, type HistoryPoint, type LeaseRecord } from '../council/lease-record.ts'
import type { Epoch, Index, ReplicaId } from '../ids.ts'
import { present } from '../util/assert.ts'
import { mergeEntries, sealedPoint } from './acceptor.ts'
import { hasPoint, tailOf, type LogEntry } from './history.ts'
import { startHolding } from './holding.ts'
import type { VolumeMessageOf } from './volume-message.ts'
import type { CopyRule } from './volume-rules.ts'
import type { Recovering, WaitingBase } from './volume-state.ts'
import type { VolumeTurn } from './volume-turn.ts'

/** Ticks after which a question is asked again, or of somebody else. */
const ASK_AGAIN_TICKS = 20

export function takeOver<E extends LogEntry>(turn: VolumeTurn<E>, record: LeaseRecord): void {
  const { state } = turn
  const { epoch, handed, dataSet, copies } = record
  const rule = { dataSet, copies }
  if (!turn.rules.mayAccept(state.promised, epoch)) {
    state.retired = epoch
    return
  }
  if (handed !== undefined) {
    state.phase = { kind: 'waitingBase', epoch, rule, base: handed, asked: 0, ticks: 0 }
    if (!hasPoint(state.history, handed)) askForBase(turn, state.phase)
    return
  }
  turn.promise(epoch)
  state.phase = {
    kind: 'recovering',
    epoch,
    rule,
    promise: state.urgent,
    answers: new Map(),
    chosen: undefined,
    ticks: 0
  }
  askForSeals(turn, state.phase)
}

export function onSealed<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { epoch, last, commit }: VolumeMessageOf<E, 'sealed'>
): void {
  const { phase } = turn.state
  if (phase.kind !== 'recovering' || phase.epoch !== epoch || phase.chosen !== undefined) return
  if (phase.rule.dataSet.includes(from)) phase.answers.set(from, { last, commit })
}

export function onFetched<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { through, previous, entries }: VolumeMessageOf<E, 'fetched'>
): void {
  const { phase, history } = turn.state
  if (phase.kind !== 'waitingBase' && phase.kind !== 'recovering') return
  if (goalOf(phase)?.hash !== through.hash || !hasPoint(history, previous)) return
  mergeEntries(turn, from, entries)
  phase.ticks = 0
  if (!hasPoint(history, through) && entries.length > 0) askFor(turn, from, through)
}

/** What was fetched has its start in a checkpoint. */
export function onBase<E extends LogEntry>(
  turn: VolumeTurn<E>,
  from: ReplicaId,
  { through, point }: VolumeMessageOf<E, 'base'>
): void {
  const { phase, history } = turn.state
  if (phase.kind !== 'waitingBase' && phase.kind !== 'recovering') return
  if (goalOf(phase)?.hash !== through.hash) return
  phase.ticks = 0
  if (hasPoint(history, point)) askFor(turn, from, through)
  else turn.emit({ kind: 'fetchCheckpoint', from, point })
}

/** Begins the epoch as soon as its history is here. */
export function evaluateRecovery<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { phase, history, promised } = turn.state
  if (phase.kind === 'waitingBase') {
    if (!hasPoint(history, phase.base)) return
    if (!turn.rules.mayAccept(promised, phase.epoch)) return
    turn.learnCommit(phase.base)
    beginBehind(turn, phase.epoch, phase.rule, phase.base.index)
  }
  if (phase.kind !== 'recovering') return
  answerForSelf(turn, phase)
  if (phase.chosen === undefined) choose(turn, phase)
  if (phase.chosen === undefined || !hasPoint(history, phase.chosen.last)) return
  for (const { commit } of phase.answers.values()) turn.learnCommit(commit)
  beginBehind(turn, phase.epoch, phase.rule, phase.chosen.last.index)
}

export function tickRecovery<E extends LogEntry>(turn: VolumeTurn<E>): void {
  const { phase } = turn.state
  if (phase.kind !== 'waitingBase' && phase.kind !== 'recovering') return
  if (++phase.ticks < ASK_AGAIN_TICKS) return
  phase.ticks = 0
  if (phase.kind === 'waitingBase') return askForBase(turn, phase)
  // Whoever had it does not answer any more; others may do as well.
  if (phase.chosen !== undefined) phase.answers.delete(phase.chosen.owner)
  phase.chosen = undefined
  askForSeals(turn, phase)
}

function answerForSelf<E extends LogEntry>(turn: VolumeTurn<E>, phase: Recovering): void {
  if (!phase.rule.dataSet.includes(turn.self) || turn.state.synced < phase.promise) return
  if (phase.answers.has(turn.self)) return
  phase.answers.set(turn.self, { last: sealedPoint(turn), commit: turn.state.commit })
}

function choose<E extends LogEntry>(turn: VolumeTurn<E>, phase: Recovering): void {
  const { dataSet, copies } = phase.rule
  if (phase.answers.size < sealSizeOf(dataSet, copies)) return
  for (const [owner, { last }] of phase.answers) {
    const { chosen } = phase
    if (chosen === undefined || turn.rules.isNewer(last, chosen.last))
      phase.chosen = { owner, last }
  }
  if (phase.chosen === undefined) return
  const { owner, last } = phase.chosen
  const { history, commit } = turn.state
  if (owner !== turn.self && (last.index < commit.index || last.epoch > phase.epoch)) {
    // All that is acknowledged is in the newest history, so what was said of it is not true.
    phase.answers.delete(owner)
    phase.chosen = undefined
    const why = `says that epoch ${phase.epoch} is to begin behind entry ${last.index}`
    turn.emit({ kind: 'distrusted', replica: owner, why })
    return
  }
  if (hasPoint(history, last)) return
  phase.ticks = 0
  askFor(turn, owner, last)
}

function beginBehind<E extends LogEntry>(
  turn: VolumeTurn<E>,
  epoch: Epoch,
  rule: CopyRule,
  index: Index
): void {
  turn.cutTo(index)
  startHolding(turn, epoch, epoch, rule)
}

function goalOf(phase: WaitingBase | Recovering): HistoryPoint | undefined {
  return phase.kind === 'waitingBase' ? phase.base : phase.chosen?.last
}

function askForBase<E extends LogEntry>(turn: VolumeTurn<E>, phase: WaitingBase): void {
  const others = [...new Set([...phase.rule.dataSet, ...turn.state.peers])]
  const candidates = others.filter(replica => replica !== turn.self)
  if (candidates.length === 0) return
  const candidate = present(candidates[phase.asked % candidates.length], 'candidate')
  phase.asked++
  askFor(turn, candidate, phase.base)
}

function askForSeals<E extends LogEntry>(turn: VolumeTurn<E>, phase: Recovering): void {
  for (const member of phase.rule.dataSet) {
    if (member === turn.self || phase.answers.has(member)) continue
    turn.send(member, { kind: 'seal', epoch: phase.epoch })
  }
}

function askFor<E extends LogEntry>(
  turn: VolumeTurn<E>,
  owner: ReplicaId,
  through: HistoryPoint
): void {
  const { history, commit } = turn.state
  turn.send(owner, { kind: 'fetch', through, tail: tailOf(history, commit.index) })
}
