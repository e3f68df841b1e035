/**
 * One volume at one replica, with a disk that forgets on a crash what was not synced. All of it is
 * plain values, so that it can be copied, compared and gone back to.
 */

import type { HistoryPoint } from '../../lib/council/lease-record.ts'
import type { Epoch, ReplicaId } from '../../lib/ids.ts'
import {
  applyVolumeWrite,
  emptyDurableVolume,
  type DurableVolume,
  type VolumeWrite
} from '../../lib/volume/durable-volume.ts'
import { headOf, pointAt, type LogEntry } from '../../lib/volume/history.ts'
import type { VolumeInput, VolumeOutput } from '../../lib/volume/volume-io.ts'
import { stepVolume } from '../../lib/volume/volume-machine.ts'
import type { VolumeMessage } from '../../lib/volume/volume-message.ts'
import { VOLUME_RULES, type VolumeRules } from '../../lib/volume/volume-rules.ts'
import { startVolume, type VolumeState } from '../../lib/volume/volume-state.ts'
import type { VolumeSetup } from '../../lib/volume/volume-turn.ts'
import { chainEntry, chainPoint, goesThrough } from './chain-entry.ts'
import { copyOf } from './plain-values.ts'

export interface VolumeReplica {
  readonly disk: DurableVolume<LogEntry>
  /** Wanted, not synced. */
  pending: VolumeWrite<LogEntry>[]
  /** Hashes of the entries whose bodies are here. */
  bodies: string[]
  volume: VolumeState<LogEntry>
}

/** What somebody outside sees happen, and can check. */
export type VolumeEvent =
  | { readonly kind: 'send'; readonly to: ReplicaId; readonly message: VolumeMessage<LogEntry> }
  | Extract<VolumeOutput<LogEntry>, { kind: 'propose' }>
  /** Entries became history here. */
  | { readonly kind: 'taken'; readonly points: readonly HistoryPoint[] }
  | { readonly kind: 'committed'; readonly epoch: Epoch; readonly point: HistoryPoint }
  | { readonly kind: 'holding'; readonly epoch: Epoch; readonly point: HistoryPoint }
  | { readonly kind: 'exposed'; readonly isHolder: boolean; readonly point: HistoryPoint }
  | Extract<VolumeOutput<LogEntry>, { kind: 'poisoned' | 'fenced' | 'park' }>
  | Extract<VolumeOutput<LogEntry>, { kind: 'unpark' | 'readLease' | 'fetchCheckpoint' }>
  | Extract<VolumeOutput<LogEntry>, { kind: 'fetchBodies' | 'undone' }>

export class Violation extends Error {
  override readonly name = 'Violation'
}

export function emptyReplica(): VolumeReplica {
  const volume = startVolume<LogEntry>(emptyDurableVolume(), () => true)
  return { disk: emptyDurableVolume(), pending: [], bodies: [], volume }
}

export function setupOf(self: ReplicaId, rules: VolumeRules = VOLUME_RULES): VolumeSetup<LogEntry> {
  return {
    self,
    rules,
    entriesPerMessageMax: 1,
    beginEntry: (epoch, session, after) => chainEntry(epoch, after, `b${session}`)
  }
}

/** Changes `replica`. @throws Violation, or InvariantError of the machine */
export function stepReplica(
  replica: VolumeReplica,
  input: VolumeInput<LogEntry>,
  setup: VolumeSetup<LogEntry>
): VolumeEvent[] {
  const { volume } = replica
  const events: VolumeEvent[] = []
  for (const output of stepVolume(volume, input, setup)) {
    switch (output.kind) {
      case 'write':
        replica.pending.push(output.write)
        if (output.write.kind === 'append') {
          events.push({ kind: 'taken', points: output.write.entries.map(chainPoint) })
        }
        break
      case 'send':
        checkSaid(replica, output.message)
        events.push(output)
        break
      case 'committed':
        events.push({ kind: 'committed', epoch: epochOf(volume), point: output.point })
        break
      case 'holding': {
        const { epoch, begin } = output
        events.push({ kind: 'holding', epoch, point: pointOf(volume, begin) })
        break
      }
      case 'exposed': {
        const isHolder = volume.phase.kind === 'holding' || volume.phase.kind === 'handing'
        if (!isHolder) checkWhole(replica, output.through)
        events.push({ kind: 'exposed', isHolder, point: pointOf(volume, output.through) })
        break
      }
      case 'distrusted':
        throw new Violation(`what replica ${output.replica} sent is refused: it ${output.why}`)
      default:
        events.push(output)
    }
  }
  return events
}

/** Makes the first `count` of what is pending durable, and tells. */
export function syncReplica(
  replica: VolumeReplica,
  setup: VolumeSetup<LogEntry>,
  count = replica.pending.length
): VolumeEvent[] {
  const write = replica.volume.writes - replica.pending.length + count
  for (const each of replica.pending.splice(0, count)) applyVolumeWrite(replica.disk, copyOf(each))
  return stepReplica(replica, { kind: 'synced', write }, setup)
}

/** A crash that keeps the first `kept` of what was not synced, and a restart. */
export function crashReplica(replica: VolumeReplica, kept = 0): void {
  for (const each of replica.pending.slice(0, kept)) applyVolumeWrite(replica.disk, copyOf(each))
  replica.pending = []
  replica.volume = startVolume(copyOf(replica.disk), ({ hash }) => replica.bodies.includes(hash))
}

/** Nothing is said that a crash could make untrue. */
function checkSaid(
  { disk, bodies, volume }: VolumeReplica,
  message: VolumeMessage<LogEntry>
): void {
  if (message.kind === 'ack') {
    for (const { index, hash, hasBodies } of volume.history.entries) {
      if (index <= message.through && hasBodies && !bodies.includes(hash)) {
        throw new Violation(`acked ${message.through} without the bodies of ${index}`)
      }
    }
    if (disk.promised < message.epoch) throw new Violation('acked without a durable promise')
    const mine = pointAt(volume.history, message.through)
    const onDisk = pointAt(disk.history, message.through)
    const isBelow = message.through < volume.history.base.index
    if (!isBelow && (onDisk === undefined || onDisk.hash !== mine?.hash)) {
      throw new Violation(`acked ${message.through} before it was durable`)
    }
  } else if (message.kind === 'sealed') {
    if (disk.promised < message.epoch) throw new Violation('sealed without a durable promise')
    if (!goesThrough(headOf(disk.history), message.last)) {
      throw new Violation('sealed with what is not durable')
    }
  }
}

/** Nobody sees an entry whose bodies are not here. */
function checkWhole({ bodies, volume }: VolumeReplica, through: number): void {
  for (const { index, hash, hasBodies } of volume.history.entries) {
    if (index <= through && hasBodies && !bodies.includes(hash)) {
      throw new Violation(`shown through ${through} without the bodies of ${index}`)
    }
  }
}

function pointOf({ history }: VolumeState<LogEntry>, index: number): HistoryPoint {
  const point = pointAt(history, index)
  if (point === undefined) throw new Violation(`there is no entry ${index}`)
  return point
}

function epochOf({ phase }: VolumeState<LogEntry>): Epoch {
  if (!('epoch' in phase)) throw new Violation('acknowledged by a follower')
  return phase.epoch
}
