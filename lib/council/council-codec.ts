/**
 * The council's state as bytes: equal states give equal bytes, whatever order they came about in.
 *
 * A voter that starts, or has been away for longer than the log is kept, begins with these.
 */

import { RoostError } from '../errors.ts'
import type { Epoch, Index, ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import type { CouncilAnswer, Refusal, Role } from './command.ts'
import type { CouncilState, Member, RequestTable } from './council-state.ts'
import type { HistoryPoint, LeaseRecord } from './lease-record.ts'

const FORMAT = 1

/** Numbers of these on disk are their places here; new ones go to the end. */
const ROLES: readonly Role[] = ['store', 'cache', 'witness']
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

export function encodeCouncil(state: CouncilState): Buffer {
  const out = new ByteWriter()
  out.u8(FORMAT)
  out.u32(state.copies)
  out.u32(state.nextSession)
  putList(out, byNumber(state.members), ([, member]) => putMember(out, member))
  putList(out, state.voters, voter => out.u32(voter))
  putList(out, byNumber(state.leases), ([volume, lease]) => putLease(out, volume, lease))
  putList(out, byNumber(state.requests), ([session, table]) => {
    out.u32(session)
    out.u53(table.settled)
    putList(out, byNumber(table.answers), ([number, answer]) => {
      out.u53(number)
      putAnswer(out, answer)
    })
  })
  return out.take()
}

/** @throws RoostError PROTOCOL unless `bytes` are one whole state. */
export function decodeCouncil(bytes: Buffer): CouncilState {
  const input = new ByteReader(bytes)
  const format = input.u8()
  if (format !== FORMAT) throw new RoostError('PROTOCOL', `unknown format ${format} of a council`)
  const state: CouncilState = {
    copies: input.u32(),
    nextSession: input.u32() as SessionId,
    members: new Map(takeList(input, () => takeMember(input)).map(m => [m.replica, m])),
    voters: takeList(input, () => input.u32() as ReplicaId),
    leases: new Map(takeList(input, () => takeLease(input))),
    requests: new Map(takeList(input, () => takeRequests(input)))
  }
  if (input.remaining > 0) throw new RoostError('PROTOCOL', 'bytes left after a council')
  return state
}

function putMember(out: ByteWriter, member: Member): void {
  out.u32(member.replica)
  out.text(member.key)
  out.text(member.storeId)
  out.u8(ROLES.indexOf(member.role))
  out.u53(member.boot)
  out.text(member.nonce)
  out.u32(member.session)
  out.u8(member.isAlive ? 1 : 0)
}

function takeMember(input: ByteReader): Member {
  return {
    replica: input.u32() as ReplicaId,
    key: input.text(),
    storeId: input.text(),
    role: takeWord(input, ROLES),
    boot: input.u53(),
    nonce: input.text(),
    session: input.u32() as SessionId | 0,
    isAlive: input.u8() === 1
  }
}

function putLease(out: ByteWriter, volume: VolumeId, lease: LeaseRecord): void {
  out.u32(volume)
  out.u32(lease.epoch)
  out.u32(lease.holder)
  putPoint(out, lease.base)
  putPoint(out, lease.handed)
  putList(out, lease.dataSet, replica => out.u32(replica))
  out.u32(lease.copies)
  out.u8(lease.isPossiblyCut ? 1 : 0)
}

function takeLease(input: ByteReader): [VolumeId, LeaseRecord] {
  const volume = input.u32() as VolumeId
  const lease = {
    epoch: input.u32() as Epoch,
    holder: input.u32() as SessionId | 0,
    base: takePoint(input),
    handed: takePoint(input),
    dataSet: takeList(input, () => input.u32() as ReplicaId),
    copies: input.u32(),
    isPossiblyCut: input.u8() === 1
  }
  return [volume, lease]
}

function putPoint(out: ByteWriter, point: HistoryPoint | undefined): void {
  out.u8(point === undefined ? 0 : 1)
  if (point === undefined) return
  out.u32(point.epoch)
  out.u53(point.index)
  out.text(point.hash)
}

function takePoint(input: ByteReader): HistoryPoint | undefined {
  if (input.u8() === 0) return undefined
  return { epoch: input.u32() as Epoch, index: input.u53() as Index, hash: input.text() }
}

function takeRequests(input: ByteReader): [SessionId, RequestTable] {
  const session = input.u32() as SessionId
  const settled = input.u53()
  const answers = takeList(input, (): [number, CouncilAnswer] => [input.u53(), takeAnswer(input)])
  return [session, { settled, answers: new Map(answers) }]
}

function putAnswer(out: ByteWriter, answer: CouncilAnswer): void {
  if (answer.kind === 'refused') {
    out.u8(REFUSED)
    return out.u8(REFUSALS.indexOf(answer.why))
  }
  out.u8(answer.session === undefined ? DONE : DONE_SESSION)
  if (answer.session !== undefined) out.u32(answer.session)
  putList(out, answer.refused, volume => out.u32(volume))
}

function takeAnswer(input: ByteReader): CouncilAnswer {
  const kind = input.u8()
  if (kind === REFUSED) return { kind: 'refused', why: takeWord(input, REFUSALS) }
  const session = kind === DONE_SESSION ? { session: input.u32() as SessionId } : {}
  return { kind: 'done', ...session, refused: takeList(input, () => input.u32() as VolumeId) }
}

function takeWord<Word>(input: ByteReader, words: readonly Word[]): Word {
  const number = input.u8()
  const word = words[number]
  if (word === undefined) throw new RoostError('PROTOCOL', `unknown word ${number} in a council`)
  return word
}

function putList<Item>(out: ByteWriter, items: readonly Item[], put: (item: Item) => void): void {
  out.u32(items.length)
  for (const item of items) put(item)
}

function takeList<Item>(input: ByteReader, take: () => Item): Item[] {
  const count = input.u32()
  // Each item has a byte at least, so that a false count asks for no memory.
  if (count > input.remaining) throw new RoostError('PROTOCOL', `a list of ${count} is cut off`)
  return Array.from({ length: count }, take)
}

function byNumber<Key extends number, Value>(map: ReadonlyMap<Key, Value>): [Key, Value][] {
  return [...map].sort(([a], [b]) => a - b)
}
