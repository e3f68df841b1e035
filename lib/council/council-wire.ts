/** What members of a council say to each other, as bytes: one message, with its version. */

import { RoostError } from '../errors.ts'
import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import { putRequest, takeRequest } from './command-codec.ts'
import type { CouncilRequest } from './command.ts'
import {
  putAnswer,
  putFlag,
  putLease,
  putOptional,
  putWord,
  takeAnswer,
  takeEnd,
  takeFlag,
  takeLease,
  takeOptional,
  takeWord
} from './council-fields.ts'
import type { CouncilMessage } from './council-message.ts'
import { putRaftMessage, takeRaftMessage } from './raft-codec.ts'
import type { RaftMessage } from './raft-io.ts'

const VERSION = 1

/** A message of the log, or of a client or to one. */
export type CouncilPost =
  | { readonly kind: 'raft'; readonly message: RaftMessage<CouncilRequest> }
  | { readonly kind: 'council'; readonly message: CouncilMessage }

/** Numbers of these are their places here; new ones go to the end. */
const POSTS: readonly CouncilPost['kind'][] = ['raft', 'council']
const MESSAGES: readonly CouncilMessage['kind'][] = [
  'request',
  'answer',
  'renew',
  'renewed',
  'read',
  'lease',
  'elsewhere'
]

export function encodePost(post: CouncilPost): Buffer {
  const out = new ByteWriter()
  out.u8(VERSION)
  putWord(out, POSTS, post.kind)
  if (post.kind === 'raft') putRaftMessage(out, post.message)
  else putMessage(out, post.message)
  return out.take()
}

/** @throws RoostError PROTOCOL unless `bytes` are one whole message */
export function decodePost(bytes: Buffer): CouncilPost {
  const input = new ByteReader(bytes)
  const version = input.u8()
  if (version !== VERSION) {
    throw new RoostError('PROTOCOL', `version ${version} of a council's messages is unknown`)
  }
  const kind = takeWord(input, POSTS)
  const post: CouncilPost =
    kind === 'raft'
      ? { kind, message: takeRaftMessage(input) }
      : { kind, message: takeMessage(input) }
  takeEnd(input, 'a message of a council')
  return post
}

function putMessage(out: ByteWriter, message: CouncilMessage): void {
  putWord(out, MESSAGES, message.kind)
  out.u53(message.id)
  switch (message.kind) {
    case 'request':
      return putRequest(out, message.request)
    case 'answer':
      return putAnswer(out, message.answer)
    case 'renew':
      return out.u32(message.session)
    case 'renewed':
      return putFlag(out, message.isAlive)
    case 'read':
      return out.u32(message.volume)
    case 'lease':
      out.u32(message.volume)
      out.u53(message.position)
      putOptional(out, message.record, record => putLease(out, record))
      return out.u32(message.holder ?? 0)
    case 'elsewhere':
      return out.u32(message.leader)
    default:
      return unreachable(message)
  }
}

function takeMessage(input: ByteReader): CouncilMessage {
  const kind = takeWord(input, MESSAGES)
  const id = input.u53()
  switch (kind) {
    case 'request':
      return { kind, id, request: takeRequest(input) }
    case 'answer':
      return { kind, id, answer: takeAnswer(input) }
    case 'renew':
      return { kind, id, session: input.u32() as SessionId }
    case 'renewed':
      return { kind, id, isAlive: takeFlag(input) }
    case 'read':
      return { kind, id, volume: input.u32() as VolumeId }
    case 'lease': {
      const volume = input.u32() as VolumeId
      const position = input.u53()
      const record = takeOptional(input, () => takeLease(input))
      const replica = input.u32() as ReplicaId | 0
      const holder = replica === 0 ? undefined : replica
      return { kind, id, volume, position, record, holder }
    }
    case 'elsewhere':
      return { kind, id, leader: input.u32() as ReplicaId | 0 }
    default:
      return unreachable(kind)
  }
}
