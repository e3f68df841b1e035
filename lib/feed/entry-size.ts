/** How much room an entry wants in the log, before it is encoded. */

import type { Entry } from './entry.ts'

/** More than an entry takes besides its names and bytes, with the frame around it. */
const ENTRY_OVERHEAD = 1024
/** More than an extent takes. */
const EXTENT_BYTES = 64
/** The length in front of a body. */
const BODY_OVERHEAD = 4

/** No less than the bytes that it takes, with the bodies that ride along. */
export function entrySizeOf({
  entry: { change },
  bodies
}: {
  readonly entry: Entry
  readonly bodies: readonly Uint8Array[]
}): number {
  let size = ENTRY_OVERHEAD
  for (const body of bodies) size += body.length + BODY_OVERHEAD
  if (change.kind === 'write') size += change.bytes.length
  if (change.kind === 'seal') size += change.extents.length * EXTENT_BYTES
  if (change.kind === 'create') size += change.target.length
  if (change.kind === 'setxattr') size += change.value.length
  return size
}
