/**
 * Entries of old logs that the store has already, and whose files may need them once more.
 *
 * Of one index there may be several: what was cut, and copies of what came again. Which of them are
 * history shows from the end, where the store says which entry it stands at: each names the hash
 * of the one before. All that was applied since the checkpoint is in the log in one such row. So
 * they are kept until the row is complete, which is as much memory as the log between the
 * checkpoint and the end.
 */

import type { LoggedEntry } from '../feed/entry.ts'
import type { VolumeId } from '../ids.ts'
import type { LogPoint } from './pending-volume.ts'

export class KnownEntries {
  readonly #volumes = new Map<VolumeId, Map<number, LoggedEntry[]>>()

  get volumes(): VolumeId[] {
    return [...this.#volumes.keys()]
  }

  has(volume: VolumeId): boolean {
    return this.#volumes.has(volume)
  }

  note(logged: LoggedEntry): void {
    const { volume, index } = logged.entry
    const entries = this.#volumes.get(volume) ?? new Map<number, LoggedEntry[]>()
    this.#volumes.set(volume, entries)
    const same = entries.get(index) ?? []
    if (same.some(({ hash }) => hash.equals(logged.hash))) return
    same.push(logged)
    entries.set(index, same)
  }

  /** The row of entries that ends with `last`, from its first on. They are forgotten here. */
  takeRow(volume: VolumeId, last: LogPoint): LoggedEntry[] {
    const entries = this.#volumes.get(volume)
    this.#volumes.delete(volume)
    const row: LoggedEntry[] = []
    let hash = last.hash
    for (let index: number = last.index; ; index--) {
      const found = entries?.get(index)?.find(logged => logged.hash.equals(hash))
      if (found === undefined) return row.reverse()
      row.push(found)
      hash = found.entry.previous
    }
  }
}
