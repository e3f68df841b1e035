/**
 * The few messages that are JSON: what both sides say of themselves before anything else, so that
 * versions which do not know each other can still read why they part.
 */

import { RoostError } from '../errors.ts'

/** Longest that is taken: a welcome with a thousand members has room. */
export const JSON_BYTES_MAX = 1024 * 1024

export type JsonFields = Readonly<Record<string, unknown>>

export function encodeJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** @throws RoostError PROTOCOL unless `bytes` are one object */
export function decodeJson(bytes: Buffer): JsonFields {
  let value: unknown
  try {
    value = bytes.length > JSON_BYTES_MAX ? undefined : JSON.parse(bytes.toString())
  } catch {
    value = undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RoostError('PROTOCOL', 'a message is not an object in JSON')
  }
  return value as JsonFields
}

/** @throws RoostError PROTOCOL unless it is a string of at most `lengthMax` characters */
export function textField(fields: JsonFields, name: string, lengthMax = 256): string {
  const value = fields[name]
  if (typeof value === 'string' && value.length <= lengthMax) return value
  throw new RoostError('PROTOCOL', `"${name}" is not a text of at most ${lengthMax} characters`)
}

/** @throws RoostError PROTOCOL unless it is an integer from 0 to 2^53 - 1 */
export function numberField(fields: JsonFields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new RoostError('PROTOCOL', `"${name}" is not a number`)
}

/** @throws RoostError PROTOCOL unless it is a list */
export function listField(fields: JsonFields, name: string): readonly unknown[] {
  const value = fields[name]
  if (Array.isArray(value)) return value as unknown[]
  throw new RoostError('PROTOCOL', `"${name}" is not a list`)
}

/** @throws RoostError PROTOCOL unless `value` is an object */
export function fieldsOf(value: unknown): JsonFields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as JsonFields
  }
  throw new RoostError('PROTOCOL', 'a list has something that is no object')
}

/** Only the names that are there. */
export function optionalTextField(fields: JsonFields, name: string): string | undefined {
  return fields[name] === undefined ? undefined : textField(fields, name)
}
