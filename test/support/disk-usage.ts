/** What files take, of a directory that is in use: what goes meanwhile counts for nothing. */

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Bytes of all files below a directory, their holes included. */
export function bytesBelow(directory: string): number {
  const entries = unlessGone(() => readdirSync(directory, { withFileTypes: true })) ?? []
  return entries.reduce((sum, entry) => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return sum + bytesBelow(path)
    return sum + (unlessGone(() => statSync(path).size) ?? 0)
  }, 0)
}

function unlessGone<T>(task: () => T): T | undefined {
  try {
    return task()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
