/** How the kernel is to treat an open file. */

import type { Handle } from '../vfs/handle-table.ts'
import { FOPEN } from './abi.ts'

/** Bits of FOPEN for the reply that gives out the handle. */
export function openFlagsOf({ lockless }: Handle): number {
  return lockless ? FOPEN.KEEP_CACHE | FOPEN.NOFLUSH : FOPEN.KEEP_CACHE
}
