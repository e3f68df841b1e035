/**
 * Parts that the council's formats have in common, as bytes: put by a writer, taken by a reader.
 *
 * What is taken throws RoostError PROTOCOL where the bytes make no sense.
 */

import { RoostError } from '../errors.ts'
import type { Epoch, Index, ReplicaId, SessionId, VolumeId } from '../ids.ts'
import type { ByteReader, ByteWriter } from '../util/bytes.ts'
import type { CouncilAnswer, Refusal, Role } from './command.ts'
import type { HistoryPoint, LeaseRecord } from './lease-record.ts'

/** Numbers of these on disk are their places here; new ones go to the end. */
export const ROLES: readonly Role[] = ['store', 'cache', 'witness']
const REFUSALS: readonly Refusal[] = [
  'boot',
  'dataSet',
  'inUse',
  'notHolder',
  'notMember',
  'notNew',
  'sessionAlive',
  'sessionEnded',
  'settled',
  'storeId',
  'tooMany'
]

/** What an answer begins with: done, done with a session, or refused. */
const DONE = 0
const DONE_SESSION = 1
const REFUSED = 2

export function putWord<Word>(out: ByteWriter, words: readonly Word[], word: Word): void {
  out.u8(words.indexOf(word))
}

export function takeWord<Word>(input: ByteReader, words: readonly Word[]): Word {
  const number = input.u8()
  const word = words[number]
  if (word === undefined) throw new RoostError('PROTOCOL', `unknown word ${number} in a council`)
  return word
}

export function putFlag(out: ByteWriter, flag: boolean): void {
  out.u8(flag ? 1 : 0)
}

export function takeFlag(input: ByteReader): boolean {
  const flag = input.u8()
  if (flag > 1) throw new RoostError('PROTOCOL', `a flag of ${flag} in a council`)
  return flag === 1
}

export function putOptional<Value>(
  out: ByteWriter,
  value: Value | undefined,
  put: (value: Value) => void
): void {
  putFlag(out, value !== undefined)
  if (value !== undefined) put(value)
}

export function takeOptional<Value>(input: ByteReader, take: () => Value): Value | undefined {
  return takeFlag(input) ? take() : undefined
}

export function putList<Item>(
  out: ByteWriter,
  items: readonly Item[],
  put: (item: Item) => void
): void {
  out.u32(items.length)
  for (const item of items) put(item)
}

export function takeList<Item>(input: ByteReader, take: () => Item): Item[] {
  const count = input.u32()
  // Each item has a byte at least, so that a false count asks for no memory.
  if (count > input.remaining) throw new RoostError('PROTOCOL', `a list of ${count} is cut off`)
  return Array.from({ length: count }, take)
}

export function putReplicas(out: ByteWriter, replicas: readonly ReplicaId[]): void {
  putList(out, replicas, replica => out.u32(replica))
}

export function takeReplicas(input: ByteReader): ReplicaId[] {
  return takeList(input, () => input.u32() as ReplicaId)
}

export function putPoint(out: ByteWriter, { epoch, index, hash }: HistoryPoint): void {
  out.u32(epoch)
  out.u53(index)
  out.text(hash)
}

export function takePoint(input: ByteReader): HistoryPoint {
  return { epoch: input.u32() as Epoch, index: input.u53() as Index, hash: input.text() }
}

export function putLease(out: ByteWriter, lease: LeaseRecord): void {
  out.u32(lease.epoch)
  out.u32(lease.holder)
  putOptional(out, lease.base, point => putPoint(out, point))
  putOptional(out, lease.handed, point => putPoint(out, point))
  putReplicas(out, lease.dataSet)
  out.u32(lease.copies)
  putFlag(out, lease.isPossiblyCut)
}

export function takeLease(input: ByteReader): LeaseRecord {
  return {
    epoch: input.u32() as Epoch,
    holder: input.u32() as SessionId | 0,
    base: takeOptional(input, () => takePoint(input)),
    handed: takeOptional(input, () => takePoint(input)),
    dataSet: takeReplicas(input),
    copies: input.u32(),
    isPossiblyCut: takeFlag(input)
  }
}

export function putAnswer(out: ByteWriter, answer: CouncilAnswer): void {
  if (answer.kind === 'refused') {
    out.u8(REFUSED)
    return putWord(out, REFUSALS, answer.why)
  }
  out.u8(answer.session === undefined ? DONE : DONE_SESSION)
  if (answer.session !== undefined) out.u32(answer.session)
  putList(out, answer.refused, volume => out.u32(volume))
}

export function takeAnswer(input: ByteReader): CouncilAnswer {
  const kind = input.u8()
  if (kind === REFUSED) return { kind: 'refused', why: takeWord(input, REFUSALS) }
  if (kind > REFUSED) throw new RoostError('PROTOCOL', `unknown answer ${kind} of a council`)
  const session = kind === DONE_SESSION ? { session: input.u32() as SessionId } : {}
  return { kind: 'done', ...session, refused: takeList(input, () => input.u32() as VolumeId) }
}

/** Nothing may follow. @throws RoostError PROTOCOL */
export function takeEnd(input: ByteReader, of: string): void {
  if (input.remaining > 0) throw new RoostError('PROTOCOL', `bytes left after ${of}`)
}
