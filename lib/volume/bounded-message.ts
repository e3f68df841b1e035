/**
 * Cuts messages to a size that a connection takes: a few entries may have megabytes with them.
 *
 * The state machines need not know. Appends may come in parts as they come one after the other, and
 * who fetched and got a part of it asks for the rest.
 */

import { encodedEntryOf } from '../feed/encoded-entry.ts'
import type { ReplicatedEntry } from './replicated-entry.ts'
import type { ReplicaVolumeMessage } from './volume-wire.ts'

/**
 * What to send in place of a message, so that the entries of each have at most `bytesMax` bytes,
 * or it has one entry.
 */
export function boundedMessages(
  message: ReplicaVolumeMessage,
  bytesMax: number
): ReplicaVolumeMessage[] {
  if (message.kind !== 'append' && message.kind !== 'fetched') return [message]
  const [first, ...others] = partsOf(message.entries, bytesMax)
  if (first === undefined || others.length === 0) return [message]
  if (message.kind === 'fetched') return [{ ...message, entries: first }]
  let previous = message.previous
  return [first, ...others].map(entries => {
    const part = { ...message, previous, entries }
    const { epoch, index, hash } = entries.at(-1) ?? previous
    previous = { epoch, index, hash }
    return part
  })
}

function partsOf(entries: readonly ReplicatedEntry[], bytesMax: number): ReplicatedEntry[][] {
  const parts: ReplicatedEntry[][] = []
  let left = 0
  for (const entry of entries) {
    const size = sizeOf(entry)
    const part = parts.at(-1)
    if (part === undefined || size > left) {
      parts.push([entry])
      left = bytesMax - size
    } else {
      part.push(entry)
      left -= size
    }
  }
  return parts
}

function sizeOf({ logged }: ReplicatedEntry): number {
  return logged.bodies.reduce((sum, body) => sum + body.length, encodedEntryOf(logged).length)
}
