import type { LoggedEntry } from '../feed/entry.ts'
import { decodeEntry, encodeEntry } from '../feed/entry-codec.ts'
import { ByteWriter } from '../util/bytes.ts'
import { joinBytes } from '../util/join-bytes.ts'

const writer = new ByteWriter(4096)

/** The same entry in memory of its own, not in a part of what was read with it. */
export function ownCopy({ entry, hash, bodies }: LoggedEntry): LoggedEntry {
  writer.reset()
  encodeEntry(writer, entry)
  return {
    entry: decodeEntry(joinBytes([writer.view()])),
    hash,
    bodies: bodies.map(body => joinBytes([body]))
  }
}
