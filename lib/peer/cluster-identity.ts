/**
 * What makes a data directory a member of a cluster: its keys, its number, and with whom it began.
 *
 *     cluster.json   this; the secret key is in there, so only its owner may read it
 */

import { RoostError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { readText, writeDurableText } from '../io/durable-text.ts'
import { drawBytes } from '../io/random.ts'
import { addressOf } from '../io/tcp.ts'
import {
  decodeJson,
  fieldsOf,
  listField,
  numberField,
  optionalTextField,
  textField
} from './json-frame.ts'
import type { JsonFields } from './json-frame.ts'
import type { PeerMember } from './link.ts'
import { newKeyPair } from './secure-stream.ts'

const FILE = 'cluster.json'
/** Grows when an older Roost could not read the file any more. */
const VERSION = 1

export type MemberRole = PeerMember['role']

/** A member, and where it can be reached. */
export interface FoundingMember extends PeerMember {
  readonly addresses: readonly string[]
}

/** The half that a replica makes by itself, before it belongs to any cluster. */
export interface ReplicaKeys {
  /** 64 hex digits. */
  readonly publicKey: string
  /** 128 hex digits. */
  readonly secretKey: string
}

export interface ClusterIdentity extends ReplicaKeys {
  readonly clusterId: string
  readonly replica: ReplicaId
  /** For people. */
  readonly name: string | undefined
  /** Where it listens, as host:port. */
  readonly listen: string
  readonly role: MemberRole
  /** Copies that new volumes have. */
  readonly copies: number
  /**
   * Members when this one became one, itself among them: with these it begins to look for the
   * council, which then says who is a member now. One alone founded the cluster.
   */
  readonly founders: readonly FoundingMember[]
}

export function newReplicaKeys(): ReplicaKeys {
  const { publicKey, secretKey } = newKeyPair()
  return { publicKey: publicKey.toString('hex'), secretKey: secretKey.toString('hex') }
}

/** The identity of the first member of a new cluster, which has number 1. */
export function foundCluster(input: {
  readonly storeId: string
  readonly listen: string
  readonly copies: number
  readonly name?: string
}): ClusterIdentity {
  const { storeId, listen, copies, name } = input
  const keys = newReplicaKeys()
  const replica = 1 as ReplicaId
  const itself = { replica, key: keys.publicKey, storeId, role: 'store', addresses: [listen] }
  return {
    ...keys,
    clusterId: drawBytes(CLUSTER_ID_BYTES).toString('hex'),
    replica,
    name,
    listen,
    role: 'store',
    copies,
    founders: [itself as FoundingMember]
  }
}

/** Durable when the promise is kept. @throws RoostError DATA_UNUSABLE it is a member already */
export async function writeClusterIdentity(disk: Disk, identity: ClusterIdentity): Promise<void> {
  if (disk.exists(FILE)) {
    throw new RoostError('DATA_UNUSABLE', 'the data directory belongs to a cluster already')
  }
  const text = JSON.stringify({ version: VERSION, ...identity }, undefined, 2)
  await writeDurableText(disk, FILE, `${text}\n`)
}

/** Returns undefined for a replica without peers. @throws RoostError DATA_UNUSABLE, DATA_FORMAT */
export function readClusterIdentity(disk: Disk): ClusterIdentity | undefined {
  const text = readText(disk, FILE)
  if (text === undefined) return undefined
  try {
    return decodeIdentity(decodeJson(Buffer.from(text)))
  } catch (cause) {
    if (cause instanceof RoostError && cause.code === 'DATA_FORMAT') throw cause
    throw new RoostError('DATA_UNUSABLE', `${FILE} is not the identity of a member`, { cause })
  }
}

function decodeIdentity(fields: JsonFields): ClusterIdentity {
  const version = numberField(fields, 'version')
  if (version > VERSION) {
    const known = `this Roost knows versions up to ${VERSION}`
    throw new RoostError('DATA_FORMAT', `${FILE} has version ${version}; ${known}`)
  }
  const listen = textField(fields, 'listen')
  addressOf(listen)
  return {
    publicKey: hexField(fields, 'publicKey', KEY_DIGITS),
    secretKey: hexField(fields, 'secretKey', 2 * KEY_DIGITS),
    clusterId: textField(fields, 'clusterId'),
    replica: numberField(fields, 'replica') as ReplicaId,
    name: optionalTextField(fields, 'name'),
    listen,
    role: roleField(fields),
    copies: numberField(fields, 'copies'),
    founders: listField(fields, 'founders').map(value => decodeMember(fieldsOf(value)))
  }
}

/** @throws RoostError PROTOCOL */
export function decodeMember(fields: JsonFields): FoundingMember {
  return {
    replica: numberField(fields, 'replica') as ReplicaId,
    key: hexField(fields, 'key', KEY_DIGITS),
    storeId: textField(fields, 'storeId'),
    role: roleField(fields),
    addresses: listField(fields, 'addresses').map(address => textField({ address }, 'address'))
  }
}

/** @throws RoostError PROTOCOL */
export function roleField(fields: JsonFields): MemberRole {
  const role = ROLES.find(one => one === fields['role'])
  if (role === undefined) throw new RoostError('PROTOCOL', '"role" is not the role of a member')
  return role
}

/** @throws RoostError PROTOCOL unless it has so many hex digits in lower case */
export function hexField(fields: JsonFields, name: string, digits: number): string {
  const text = textField(fields, name)
  if (text.length === digits && /^[0-9a-f]*$/.test(text)) return text
  throw new RoostError('PROTOCOL', `"${name}" does not have ${digits} hex digits`)
}

export const KEY_DIGITS = 64
const CLUSTER_ID_BYTES = 16
const ROLES: readonly MemberRole[] = ['store', 'cache', 'witness']
