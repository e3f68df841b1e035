/**
 * The number that names a request in its reply and in an interrupt.
 *
 * The kernel counts in 64 bits and uses the lower ones. Its top bit says that the request was read
 * by a daemon that has died, and is sent again; the reply has to have it as well. In the number
 * that stands for it here this is UNIQUE_RESENT, so that a double holds it.
 */

import { UNIQUE_RESENT } from './abi.ts'

const U32_SPAN = 2 ** 32
const TOP_BIT = 2 ** 31

/** Whether whoever served the mount before may have done already what is asked. */
export function isResent(unique: number): boolean {
  return unique >= UNIQUE_RESENT
}

/** @returns undefined where the kernel has counted further than it ever will */
export function uniqueAt(buffer: Buffer, at: number): number | undefined {
  const high = buffer.readUInt32LE(at + 4)
  const rest = (high % TOP_BIT) * U32_SPAN + buffer.readUInt32LE(at)
  if (rest >= UNIQUE_RESENT) return undefined
  return high >= TOP_BIT ? rest + UNIQUE_RESENT : rest
}
