/** What members say of themselves first, and whether they may go on. */

import { RoostError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import { addressOf } from '../io/tcp.ts'
import { decodeJson, encodeJson, numberField, optionalTextField, textField } from './json-frame.ts'
import type { JsonFields } from './json-frame.ts'

/** The versions of the protocol that one side speaks, from and to. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

/** What this Roost speaks. */
export const PROTOCOL_VERSIONS: VersionRange = { min: 1, max: 1 }

/** One run of a replica: `boot` counts them, `nonce` tells two with the same count apart. */
export interface Run {
  readonly boot: number
  readonly nonce: string
}

export interface Hello extends Run {
  readonly versions: VersionRange
  readonly clusterId: string
  readonly replica: ReplicaId
  readonly storeId: string
  /** Where it listens; undefined when it only dials. */
  readonly listen: string | undefined
}

/** What is known of whoever says hello: the member whose key it has, and its last run seen. */
export interface Acquaintance {
  readonly replica: ReplicaId
  readonly storeId: string
  readonly seen: Run | undefined
}

export function encodeHello(hello: Hello): Buffer {
  return encodeJson({
    versionMin: hello.versions.min,
    versionMax: hello.versions.max,
    clusterId: hello.clusterId,
    replica: hello.replica,
    storeId: hello.storeId,
    boot: hello.boot,
    nonce: hello.nonce,
    listen: hello.listen
  })
}

/** @throws RoostError PROTOCOL */
export function decodeHello(bytes: Buffer): Hello {
  const fields = decodeJson(bytes)
  return {
    versions: { min: numberField(fields, 'versionMin'), max: numberField(fields, 'versionMax') },
    clusterId: textField(fields, 'clusterId'),
    replica: numberField(fields, 'replica') as ReplicaId,
    storeId: textField(fields, 'storeId'),
    boot: numberField(fields, 'boot'),
    nonce: textField(fields, 'nonce'),
    listen: listenField(fields)
  }
}

/** @throws RoostError PROTOCOL unless it is an address, if there is one */
export function listenField(fields: JsonFields): string | undefined {
  const listen = optionalTextField(fields, 'listen')
  try {
    if (listen !== undefined) addressOf(listen)
  } catch (cause) {
    throw new RoostError('PROTOCOL', 'where a replica listens is no address', { cause })
  }
  return listen
}

/** The highest version that both speak; undefined when there is none. */
export function commonVersion(one: VersionRange, other: VersionRange): number | undefined {
  const version = Math.min(one.max, other.max)
  return version >= Math.max(one.min, other.min) ? version : undefined
}

/** Why `theirs` is refused, as a sentence for both sides; undefined when it is not. */
export function refusalOf(
  theirs: Hello,
  ours: Hello,
  { replica, storeId, seen }: Acquaintance
): string | undefined {
  const who = `replica ${replica}`
  if (commonVersion(theirs.versions, ours.versions) === undefined) {
    const age = theirs.versions.min > ours.versions.max ? 'too new' : 'too old'
    const spoken = `it speaks versions ${textOf(theirs.versions)} of the protocol`
    return `${who} is ${age}: ${spoken}, replica ${ours.replica} ${textOf(ours.versions)}`
  }
  if (theirs.clusterId !== ours.clusterId) return `${who} belongs to another cluster`
  if (theirs.replica !== replica) {
    return `what has the key of ${who} says that it is replica ${theirs.replica}`
  }
  if (theirs.storeId !== storeId) {
    return `the data directory of ${who} is another than the one that became a member`
  }
  if (seen === undefined || theirs.boot > seen.boot) return undefined
  if (theirs.boot < seen.boot) {
    const runs = `it is in run ${theirs.boot}, and run ${seen.boot} was seen`
    return `the data directory of ${who} was rolled back or copied: ${runs}`
  }
  if (theirs.nonce === seen.nonce) return undefined
  return `the data directory of ${who} was rolled back or copied: two runs have number ${seen.boot}`
}

function textOf({ min, max }: VersionRange): string {
  return min === max ? String(min) : `${min} to ${max}`
}
