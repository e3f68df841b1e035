/**
 * The bytes of an entry, made once however often it is sent.
 *
 * They are kept with the entry itself: a WeakMap on the side, with an item for each entry, kept the
 * garbage collector busier than the encoding that it saved. What is large costs its copy whether it
 * was encoded before or not, and would only take up memory twice.
 */

import { ByteWriter } from '../util/bytes.ts'
import { encodeEntry } from './entry-codec.ts'
import type { LoggedEntry } from './entry.ts'

/** The largest entry whose bytes are kept for as long as it is. */
const KEPT_SIZE_MAX = 4096

const writer = new ByteWriter(KEPT_SIZE_MAX)

/** What `logged.hash` is the hash of. Must not be changed. */
export function encodedEntryOf(logged: LoggedEntry): Buffer {
  if (logged.encoded !== undefined) return logged.encoded
  writer.reset()
  encodeEntry(writer, logged.entry)
  const encoded = writer.take()
  if (encoded.length <= KEPT_SIZE_MAX) logged.encoded = encoded
  return encoded
}
