/**
 * A store that keeps what is written to it in memory, over another one that stays as it is.
 */

import type { Store, StoreReader } from './store.ts'

export class OverlayStore implements Store {
  readonly #below: StoreReader
  /** What was written; undefined where a key was removed. */
  readonly #changes = new Map<string, Buffer | undefined>()
  /** Keys of the changes in order; undefined while they have to be sorted. */
  #order: string[] | undefined

  /** @param below closed with this store */
  constructor(below: StoreReader) {
    this.#below = below
  }

  get(key: string): Buffer | undefined {
    return this.#changes.has(key) ? this.#changes.get(key) : this.#below.get(key)
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    const changed = this.#changedIn(from, to)
    // Each change takes away one key from below at the most.
    const found = await this.#below.range(from, to, limit + changed.length)
    if (changed.length === 0) return found
    const last = found.at(-1)
    // Behind the last one found there may be more below, in front of the next change.
    const isWhole = found.length < limit + changed.length
    const kept = found.filter(([key]) => !this.#changes.has(key))
    for (const key of changed) {
      const value = this.#changes.get(key)
      if (value === undefined || (!isWhole && last !== undefined && key > last[0])) continue
      kept.push([key, value])
    }
    return kept.sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, limit)
  }

  async write(changes: Iterable<readonly [string, Buffer | undefined]>): Promise<void> {
    await Promise.resolve()
    for (const [key, value] of changes) {
      if (!this.#changes.has(key)) this.#order = undefined
      this.#changes.set(key, value)
    }
  }

  /** Nobody writes here while somebody reads, so that this is the store itself. */
  snapshot(): StoreReader {
    const close = (): Promise<void> => Promise.resolve()
    return { get: key => this.get(key), range: (...args) => this.range(...args), close }
  }

  close(): Promise<void> {
    return this.#below.close()
  }

  #changedIn(from: string, to: string): string[] {
    const order = (this.#order ??= [...this.#changes.keys()].sort())
    const first = firstFrom(order, from)
    return order.slice(first, firstFrom(order, to))
  }
}

function firstFrom(order: readonly string[], key: string): number {
  let [low, high] = [0, order.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((order[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
