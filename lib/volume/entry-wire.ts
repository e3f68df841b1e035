/**
 * Entries of one volume on the wire: as the log has them, each with the bodies that ride with it.
 *
 *     count u32 | entry: length u32, bytes | its riding bodies: length u32, bytes | entry ...
 *
 * A receiver computes each entry's hash itself and checks that the entries follow each other, so
 * that nothing gets into a history here that is not the history of whoever made it.
 */

import type { HistoryPoint } from '../council/lease-record.ts'
import { RoostError } from '../errors.ts'
import { encodedEntryOf } from '../feed/encoded-entry.ts'
import { decodeEntry } from '../feed/entry-codec.ts'
import type { Entry } from '../feed/entry.ts'
import type { VolumeId } from '../ids.ts'
import type { ByteReader, ByteWriter } from '../util/bytes.ts'
import { sha256Hex } from '../util/hash.ts'
import { replicatedEntry, type ReplicatedEntry } from './replicated-entry.ts'

export function putEntries(out: ByteWriter, entries: readonly ReplicatedEntry[]): void {
  out.u32(entries.length)
  for (const { logged } of entries) {
    putSized(out, encodedEntryOf(logged))
    for (const body of logged.bodies) putSized(out, body)
  }
}

/**
 * Takes what `putEntries` put; it shares the memory of what is read.
 *
 * @throws RoostError PROTOCOL unless they are entries of `volume` that follow `previous`, with
 *   the bodies that they name
 */
export function takeEntries(
  input: ByteReader,
  volume: VolumeId,
  previous: HistoryPoint
): ReplicatedEntry[] {
  const count = input.u32()
  const entries: ReplicatedEntry[] = []
  let last = previous
  // A false count asks for no memory: the bytes end before.
  for (let i = 0; i < count; i++) {
    const entry = takeEntry(input)
    mustFollow(entry, volume, last)
    entries.push(entry)
    last = entry
  }
  return entries
}

function takeEntry(input: ByteReader): ReplicatedEntry {
  const encoded = input.bytes(input.u32())
  const entry = decodeEntry(encoded)
  // A digest of Node.js' own Buffer costs more than the hash; there are thirty for a delivery.
  const hash = Buffer.from(sha256Hex(encoded), 'hex')
  return replicatedEntry({ entry, hash, bodies: takeBodies(input, entry), encoded })
}

function takeBodies(input: ByteReader, { change }: Entry): Buffer[] {
  if (change.kind !== 'seal') return []
  return change.riding.map(at => {
    const body = input.bytes(input.u32())
    const extent = change.extents[at]
    if (extent === undefined || sha256Hex(body) !== extent.blob) {
      throw new RoostError('PROTOCOL', 'a body has another hash than its entry names')
    }
    if (extent.blobOffset + extent.length > body.length) {
      throw new RoostError('PROTOCOL', 'a body is shorter than what its entry takes of it')
    }
    return body
  })
}

function mustFollow(next: ReplicatedEntry, volume: VolumeId, last: HistoryPoint): void {
  if (next.logged.entry.volume !== volume) {
    throw new RoostError('PROTOCOL', `an entry of another volume than ${volume}`)
  }
  const follows =
    next.index === last.index + 1 && next.previous === last.hash && next.epoch >= last.epoch
  if (!follows) {
    throw new RoostError('PROTOCOL', `entry ${next.index} does not follow ${last.index}`)
  }
}

function putSized(out: ByteWriter, bytes: Uint8Array): void {
  out.u32(bytes.length)
  out.bytes(bytes)
}
