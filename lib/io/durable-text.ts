/** Small files that are replaced as a whole: after a power cut there is the old one or the new. */

import type { Disk } from './disk.ts'

/** Replaces `name`, directly in the data directory; durable when the promise is kept. */
export async function writeDurableText(disk: Disk, name: string, text: string): Promise<void> {
  const temporary = `${name}.new`
  // A new one: what a sync failed for once cannot be trusted to be written by the next.
  if (disk.exists(temporary)) disk.remove(temporary)
  const file = disk.open(temporary, 'exclusive')
  try {
    file.write(Buffer.from(text), 0)
    await file.sync()
  } finally {
    file.close()
  }
  disk.rename(temporary, name)
  await disk.syncDirectory('')
}

/** Returns undefined where there is no such file. */
export function readText(disk: Disk, name: string): string | undefined {
  if (!disk.exists(name)) return undefined
  const file = disk.openRead(name)
  try {
    const bytes = Buffer.alloc(file.size())
    return bytes.toString('utf8', 0, file.read(bytes, 0))
  } finally {
    file.close()
  }
}
