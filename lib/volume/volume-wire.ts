/**
 * Messages about many volumes, to one peer, as bytes.
 *
 *     version u8 | count u32 | message: volume u32, kind u8, fields | message ...
 *
 * How long a batch may be is the business of whoever sends and receives it: what is decoded takes
 * no more memory than a small multiple of its bytes, which it shares.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import { RoostError } from '../errors.ts'
import { HASH_SIZE } from '../feed/entry.ts'
import {
  VOLUME_ID_MAX,
  type Epoch,
  type Index,
  type ReplicaId,
  type SessionId,
  type VolumeId
} from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import { putEntries, takeEntries } from './entry-wire.ts'
import type { EpochRun, HistoryTail } from './history.ts'
import type { ReplicatedEntry } from './replicated-entry.ts'
import type { AskAnswer, VolumeMessage } from './volume-message.ts'

export type ReplicaVolumeMessage = VolumeMessage<ReplicatedEntry>

/** A message, and which volume it is about. */
export interface AddressedMessage {
  readonly volume: VolumeId
  readonly message: ReplicaVolumeMessage
}

const VERSION = 1

/** Numbers of the kinds on the wire; never reused for another meaning. */
const KIND_CODE: Record<ReplicaVolumeMessage['kind'], number> = {
  append: 1,
  ack: 2,
  refused: 3,
  missing: 4,
  checkpoint: 5,
  seal: 6,
  sealed: 7,
  fetch: 8,
  fetched: 9,
  base: 10,
  ask: 11,
  answer: 12
}
type Kind = keyof typeof KIND_CODE
const KIND_OF_CODE = new Map(Object.entries(KIND_CODE).map(([k, c]) => [c, k as Kind]))

/** Numbers of the answers are their places here; new ones go to the end. */
const ANSWERS: readonly AskAnswer['kind'][] = ['granted', 'busy', 'later', 'notHolder']

const writer = new ByteWriter(64 * 1024)

export function encodeVolumeBatch(messages: readonly AddressedMessage[]): Buffer {
  writer.reset()
  writer.u8(VERSION)
  writer.u32(messages.length)
  for (const { volume, message } of messages) {
    writer.u32(volume)
    writer.u8(KIND_CODE[message.kind])
    putMessage(writer, message)
  }
  return writer.take()
}

/**
 * @param bytes is shared by the entries decoded, and must not be used again for anything else
 * @throws RoostError PROTOCOL unless `bytes` are one whole batch that makes sense
 */
export function decodeVolumeBatch(bytes: Buffer): AddressedMessage[] {
  const input = new ByteReader(bytes)
  const version = input.u8()
  if (version !== VERSION) throw new RoostError('PROTOCOL', `version ${version} of a batch`)
  const count = input.u32()
  const messages: AddressedMessage[] = []
  for (let i = 0; i < count; i++) messages.push(takeAddressed(input))
  if (input.remaining > 0) throw new RoostError('PROTOCOL', 'bytes left after a batch')
  return messages
}

function putMessage(out: ByteWriter, message: ReplicaVolumeMessage): void {
  switch (message.kind) {
    case 'append':
      out.u32(message.epoch)
      putPoint(out, message.commit)
      putPoint(out, message.previous)
      return putEntries(out, message.entries)
    case 'ack':
      out.u32(message.epoch)
      out.u53(message.through)
      return out.u53(message.commit)
    case 'refused':
      out.u32(message.epoch)
      return out.u32(message.promised)
    case 'missing':
      out.u32(message.epoch)
      return putTail(out, message.tail)
    case 'checkpoint':
      out.u32(message.epoch)
      return putPoint(out, message.point)
    case 'seal':
      return out.u32(message.epoch)
    case 'sealed':
      out.u32(message.epoch)
      putPoint(out, message.last)
      return putPoint(out, message.commit)
    case 'fetch':
      putPoint(out, message.through)
      return putTail(out, message.tail)
    case 'fetched':
      putPoint(out, message.through)
      putPoint(out, message.previous)
      return putEntries(out, message.entries)
    case 'base':
      putPoint(out, message.through)
      return putPoint(out, message.point)
    case 'ask':
      out.u32(message.session)
      out.u53(message.number)
      return out.u53(message.waited)
    case 'answer':
      out.u53(message.number)
      return putAnswer(out, message.answer)
    default:
      unreachable(message)
  }
}

function takeAddressed(input: ByteReader): AddressedMessage {
  const volume = input.u32() as VolumeId
  if (volume > VOLUME_ID_MAX) throw new RoostError('PROTOCOL', `there is no volume ${volume}`)
  const code = input.u8()
  const kind = KIND_OF_CODE.get(code)
  if (kind === undefined) throw new RoostError('PROTOCOL', `unknown kind of message ${code}`)
  return { volume, message: takeMessage(input, kind, volume) }
}

function takeMessage(input: ByteReader, kind: Kind, volume: VolumeId): ReplicaVolumeMessage {
  switch (kind) {
    case 'append':
      return takeAppend(input, volume)
    case 'ack': {
      const [epoch, through] = [takeEpoch(input), takeIndex(input)]
      return { kind, epoch, through, commit: takeIndex(input) }
    }
    case 'refused':
      return { kind, epoch: takeEpoch(input), promised: takeEpoch(input) }
    case 'missing':
      return { kind, epoch: takeEpoch(input), tail: takeTail(input) }
    case 'checkpoint':
      return { kind, epoch: takeEpoch(input), point: takePoint(input) }
    case 'seal':
      return { kind, epoch: takeEpoch(input) }
    case 'sealed': {
      const [epoch, last] = [takeEpoch(input), takePoint(input)]
      return { kind, epoch, last, commit: takePoint(input) }
    }
    case 'fetch':
      return { kind, through: takePoint(input), tail: takeTail(input) }
    case 'fetched': {
      const [through, previous] = [takePoint(input), takePoint(input)]
      return { kind, through, previous, entries: takeEntries(input, volume, previous) }
    }
    case 'base':
      return { kind, through: takePoint(input), point: takePoint(input) }
    case 'ask':
      return {
        kind,
        session: input.u32() as SessionId,
        number: input.u53(),
        waited: input.u53()
      }
    case 'answer':
      return { kind, number: input.u53(), answer: takeAnswer(input) }
    default:
      return unreachable(kind)
  }
}

function takeAppend(input: ByteReader, volume: VolumeId): ReplicaVolumeMessage {
  const [epoch, commit, previous] = [takeEpoch(input), takePoint(input), takePoint(input)]
  const entries = takeEntries(input, volume, previous)
  const last = entries.at(-1) ?? previous
  if (last.epoch > epoch) {
    throw new RoostError('PROTOCOL', `entry ${last.index} is of an epoch after its holder's`)
  }
  return { kind: 'append', epoch, previous, entries, commit }
}

function putPoint(out: ByteWriter, { epoch, index, hash }: HistoryPoint): void {
  out.u32(epoch)
  out.u53(index)
  out.bytes(Buffer.from(hash, 'hex'))
}

function takePoint(input: ByteReader): HistoryPoint {
  const [epoch, index] = [takeEpoch(input), takeIndex(input)]
  return { epoch, index, hash: input.bytes(HASH_SIZE).toString('hex') }
}

function putTail(out: ByteWriter, { commit, runs }: HistoryTail): void {
  out.u53(commit)
  out.u32(runs.length)
  for (const { epoch, last } of runs) {
    out.u32(epoch)
    out.u53(last)
  }
}

function takeTail(input: ByteReader): HistoryTail {
  const [commit, count] = [takeIndex(input), input.u32()]
  const runs: EpochRun[] = []
  let [epochBefore, lastBefore] = [-1, commit as number]
  for (let i = 0; i < count; i++) {
    const run = { epoch: takeEpoch(input), last: takeIndex(input) }
    if (run.epoch <= epochBefore || run.last <= lastBefore) {
      throw new RoostError('PROTOCOL', 'the epochs of a history do not ascend')
    }
    ;[epochBefore, lastBefore] = [run.epoch, run.last]
    runs.push(run)
  }
  return { commit, runs }
}

function putAnswer(out: ByteWriter, answer: AskAnswer): void {
  out.u8(ANSWERS.indexOf(answer.kind))
  switch (answer.kind) {
    case 'granted':
      return
    case 'busy':
    case 'later':
      return out.u32(answer.ticks)
    case 'notHolder':
      out.u8(answer.hint === undefined ? 0 : 1)
      return out.u32(answer.hint ?? 0)
    default:
      unreachable(answer)
  }
}

function takeAnswer(input: ByteReader): AskAnswer {
  const code = input.u8()
  const kind = ANSWERS[code]
  switch (kind) {
    case 'granted':
      return { kind }
    case 'busy':
    case 'later':
      return { kind, ticks: input.u32() }
    case 'notHolder': {
      const [hasHint, hint] = [input.u8(), input.u32() as ReplicaId]
      if (hasHint > 1) throw new RoostError('PROTOCOL', `${hasHint} is not a flag`)
      return { kind, hint: hasHint === 1 ? hint : undefined }
    }
    case undefined:
      throw new RoostError('PROTOCOL', `unknown answer ${code}`)
    default:
      return unreachable(kind)
  }
}

function takeEpoch(input: ByteReader): Epoch {
  return input.u32() as Epoch
}

function takeIndex(input: ByteReader): Index {
  return input.u53() as Index
}
