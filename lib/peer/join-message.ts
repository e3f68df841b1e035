/** What is asked, and answered, when a replica asks to become a member. */

import { RoostError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import { decodeMember, hexField, roleField } from './cluster-identity.ts'
import type { FoundingMember, MemberRole } from './cluster-identity.ts'
import { listenField } from './hello.ts'
import type { VersionRange } from './hello.ts'
import { INVITE_BYTES } from './invite-token.ts'
import {
  decodeJson,
  encodeJson,
  fieldsOf,
  listField,
  numberField,
  textField
} from './json-frame.ts'

/** What a replica says of itself; its key is the one that its connection has proved. */
export interface JoinRequest {
  readonly invite: string
  /** Hex digits. */
  readonly proof: string
  readonly storeId: string
  readonly role: MemberRole
  /** Where it will listen. */
  readonly listen: string
  readonly versions: VersionRange
}

/** What a new member needs to begin. */
export interface Welcome {
  readonly clusterId: string
  /** The new member's number. */
  readonly replica: ReplicaId
  /** All members, the new one among them. */
  readonly members: readonly FoundingMember[]
  /** Directories this deep are roots of volumes, in the whole cluster. */
  readonly volumeDepth: number
  readonly copies: number
}

export type JoinAnswer = { readonly welcome: Welcome } | { readonly refusal: string }

export function encodeJoinRequest({ versions, ...rest }: JoinRequest): Buffer {
  return encodeJson({ ...rest, versionMin: versions.min, versionMax: versions.max })
}

/** @throws RoostError PROTOCOL */
export function decodeJoinRequest(bytes: Buffer): JoinRequest {
  const fields = decodeJson(bytes)
  const listen = listenField(fields)
  if (listen === undefined) throw new RoostError('PROTOCOL', 'it does not say where it listens')
  return {
    invite: hexField(fields, 'invite', 2 * INVITE_BYTES),
    proof: hexField(fields, 'proof', PROOF_DIGITS),
    storeId: textField(fields, 'storeId'),
    role: roleField(fields),
    listen,
    versions: { min: numberField(fields, 'versionMin'), max: numberField(fields, 'versionMax') }
  }
}

export function encodeJoinAnswer(answer: JoinAnswer): Buffer {
  return encodeJson(answer)
}

/** @throws RoostError PROTOCOL */
export function decodeJoinAnswer(bytes: Buffer): JoinAnswer {
  const fields = decodeJson(bytes)
  if (fields['refusal'] !== undefined) return { refusal: textField(fields, 'refusal', 1024) }
  const welcome = fieldsOf(fields['welcome'])
  return {
    welcome: {
      clusterId: textField(welcome, 'clusterId'),
      replica: numberField(welcome, 'replica') as ReplicaId,
      members: listField(welcome, 'members').map(value => decodeMember(fieldsOf(value))),
      volumeDepth: numberField(welcome, 'volumeDepth'),
      copies: numberField(welcome, 'copies')
    }
  }
}

const PROOF_DIGITS = 64
