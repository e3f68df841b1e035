/** The hash of an entry, as the log and the chain have it. */

import type { Entry } from '../feed/entry.ts'
import { encodeEntry } from '../feed/entry-codec.ts'
import { ByteWriter } from '../util/bytes.ts'
import { sha256 } from '../util/hash.ts'

export function hashOfEntry(entry: Entry): Buffer {
  const out = new ByteWriter(256)
  encodeEntry(out, entry)
  return sha256(out.view())
}
