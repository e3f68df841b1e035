/**
 * The council's state as bytes: equal states give equal bytes, whatever order they came about in.
 *
 * A voter that starts, or has been away for longer than the log is kept, begins with these.
 */

import { RoostError } from '../errors.ts'
import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import type { CouncilAnswer } from './command.ts'
import {
  putAnswer,
  putFlag,
  putLease,
  putList,
  putReplicas,
  putWord,
  ROLES,
  takeAnswer,
  takeEnd,
  takeFlag,
  takeLease,
  takeList,
  takeReplicas,
  takeWord
} from './council-fields.ts'
import type { CouncilState, Member, RequestTable } from './council-state.ts'
import type { LeaseRecord } from './lease-record.ts'

const FORMAT = 1

export function encodeCouncil(state: CouncilState): Buffer {
  const out = new ByteWriter()
  out.u8(FORMAT)
  out.u32(state.copies)
  out.u32(state.nextSession)
  putList(out, byNumber(state.members), ([, member]) => putMember(out, member))
  putReplicas(out, state.voters)
  putList(out, byNumber(state.leases), ([volume, lease]) => {
    out.u32(volume)
    putLease(out, lease)
  })
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
    voters: takeReplicas(input),
    leases: new Map(takeList(input, () => takeVolume(input))),
    requests: new Map(takeList(input, () => takeRequests(input)))
  }
  takeEnd(input, 'a council')
  return state
}

function putMember(out: ByteWriter, member: Member): void {
  out.u32(member.replica)
  out.text(member.key)
  out.text(member.storeId)
  putWord(out, ROLES, member.role)
  out.u53(member.boot)
  out.text(member.nonce)
  out.u32(member.session)
  putFlag(out, member.isAlive)
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
    isAlive: takeFlag(input)
  }
}

function takeVolume(input: ByteReader): [VolumeId, LeaseRecord] {
  return [input.u32() as VolumeId, takeLease(input)]
}

function takeRequests(input: ByteReader): [SessionId, RequestTable] {
  const session = input.u32() as SessionId
  const settled = input.u53()
  const answers = takeList(input, (): [number, CouncilAnswer] => [input.u53(), takeAnswer(input)])
  return [session, { settled, answers: new Map(answers) }]
}

function byNumber<Key extends number, Value>(map: ReadonlyMap<Key, Value>): [Key, Value][] {
  return [...map].sort(([a], [b]) => a - b)
}
