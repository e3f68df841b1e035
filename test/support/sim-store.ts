import { RoostError } from '../../lib/errors.ts'
import type { Store } from '../../lib/store/store.ts'
import { assert } from '../../lib/util/assert.ts'
import { diskError, type SimDisk } from './sim-disk.ts'
import { SimRandom } from './sim-random.ts'

/**
 * A store in memory, on the same power as a simulated disk.
 *
 * A write is durable when its promise resolves; one during which the power is cut is there whole
 * or not at all. As LevelDB does, an opened store that has refused one write refuses all later
 * ones, until it is opened anew; reads go on.
 */
export class SimStore {
  readonly #disk: SimDisk
  readonly #random: SimRandom
  readonly #values = new Map<string, Buffer>()
  /** Keys in order, undefined while they have to be sorted. */
  #order: string[] | undefined
  #run = 0
  #failures = 0
  #openFailures = 0

  constructor(disk: SimDisk, random = new SimRandom(1)) {
    this.#disk = disk
    this.#random = random
  }

  get values(): ReadonlyMap<string, Buffer> {
    return this.#values
  }

  /** Lets the next writes fail as on a full disk. */
  failWrites(times: number): void {
    this.#failures = times
  }

  failOpens(times: number): void {
    this.#openFailures = times
  }

  /** The process is gone: what it had opened is void. */
  kill(): void {
    this.#run++
    this.#failures = 0
    this.#openFailures = 0
  }

  async open(): Promise<Store> {
    await Promise.resolve()
    if (this.#openFailures > 0) {
      this.#openFailures--
      const cause = diskError('ENOSPC', 'open', 'store')
      throw new RoostError('STORE_FAILED', 'the store does not open', { cause })
    }
    const run = ++this.#run
    let isOpen = true
    let isBroken = false
    const mustBeOpen = (): void => {
      assert(isOpen, 'a closed store is used')
      assert(run === this.#run, 'a store of a killed process is used')
    }
    return {
      get: key => {
        mustBeOpen()
        return this.#values.get(key)
      },
      range: async (from, to, limit) => {
        mustBeOpen()
        await Promise.resolve()
        return this.#range(from, to, limit)
      },
      snapshot: () => {
        mustBeOpen()
        const values = new Map(this.#values)
        return {
          get: key => values.get(key),
          range: async (from, to, limit) => {
            await Promise.resolve()
            return rangeIn([...values.keys()].sort(), values, from, to, limit)
          },
          close: () => Promise.resolve()
        }
      },
      write: async changes => {
        mustBeOpen()
        isBroken ||= this.#failures > 0
        if (isBroken) {
          this.#failures = Math.max(this.#failures - 1, 0)
          const cause = diskError('ENOSPC', 'write', 'store')
          throw new RoostError('STORE_FAILED', 'a write was refused', { cause })
        }
        await this.#write(run, [...changes])
      },
      close: async () => {
        await Promise.resolve()
        isOpen = false
      }
    }
  }

  async #write(run: number, changes: (readonly [string, Buffer | undefined])[]): Promise<void> {
    try {
      await this.#disk.changeElsewhere()
    } catch (error) {
      if (run === this.#run && this.#random.chance(0.5)) this.#apply(changes)
      throw error
    }
    this.#apply(changes)
  }

  #apply(changes: (readonly [string, Buffer | undefined])[]): void {
    for (const [key, value] of changes) {
      if (value === undefined) {
        if (this.#values.delete(key)) this.#order = undefined
      } else {
        if (!this.#values.has(key)) this.#order = undefined
        this.#values.set(key, value)
      }
    }
  }

  #range(from: string, to: string, limit: number): [string, Buffer][] {
    const order = (this.#order ??= [...this.#values.keys()].sort())
    return rangeIn(order, this.#values, from, to, limit)
  }
}

function rangeIn(
  order: readonly string[],
  values: ReadonlyMap<string, Buffer>,
  from: string,
  to: string,
  limit: number
): [string, Buffer][] {
  let [low, high] = [0, order.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((order[middle] as string) < from) low = middle + 1
    else high = middle
  }
  const found: [string, Buffer][] = []
  for (; found.length < limit; low++) {
    const key = order[low]
    if (key === undefined || key >= to) break
    found.push([key, values.get(key) as Buffer])
  }
  return found
}
