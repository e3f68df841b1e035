/** The store on LevelDB. */

import { Level } from 'level'
import { RoostError } from '../errors.ts'
import type { Store, StoreReader } from './store.ts'

type Snapshot = ReturnType<Level<Buffer, Buffer>['snapshot']>

/**
 * Bytes that LevelDB gathers in memory before it sorts them into a file. Larger than its default
 * of 4 MiB, because most keys of a mail spool (names in tmp/) are dead before they get there.
 */
const WRITE_BUFFER_SIZE = 16 * 1024 * 1024

/**
 * Tables kept open, of 2 MiB each as a rule. LevelDB maps them, and what was read of them counts as
 * memory of the process; this is the least that it takes (it keeps ten to itself).
 */
const OPEN_FILES_MAX = 64 + 10

export class LevelStore implements Store {
  readonly #level: Level<Buffer, Buffer>

  private constructor(level: Level<Buffer, Buffer>) {
    this.#level = level
  }

  /** @throws RoostError STORE_FAILED */
  static async open(path: string): Promise<LevelStore> {
    const level = new Level<Buffer, Buffer>(path, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      writeBufferSize: WRITE_BUFFER_SIZE,
      maxOpenFiles: OPEN_FILES_MAX,
      compression: false
    })
    try {
      await level.open()
    } catch (error) {
      throw new RoostError('STORE_FAILED', `the store at ${path} does not open`, { cause: error })
    }
    return new LevelStore(level)
  }

  get(key: string): Buffer | undefined {
    return this.#level.getSync(Buffer.from(key, 'latin1'))
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    return this.#pairsIn(rangeOf(from, to, limit))
  }

  snapshot(): StoreReader {
    const level = this.#level
    const snapshot = level.snapshot()
    return {
      get: key => level.getSync(Buffer.from(key, 'latin1'), { snapshot }),
      range: async (from, to, limit) => this.#pairsIn({ ...rangeOf(from, to, limit), snapshot }),
      close: () => snapshot.close()
    }
  }

  async write(changes: Iterable<readonly [string, Buffer | undefined]>): Promise<void> {
    const batch = Array.from(changes, ([name, value]) => {
      const key = Buffer.from(name, 'latin1')
      return value === undefined
        ? ({ type: 'del', key } as const)
        : ({ type: 'put', key, value } as const)
    })
    try {
      // Always synced: after a power cut LevelDB may skip an unsynced write and keep a later one.
      await this.#level.batch(batch, { sync: true })
    } catch (error) {
      throw new RoostError('STORE_FAILED', 'a write was refused', { cause: error })
    }
  }

  async close(): Promise<void> {
    await this.#level.close()
  }

  /** @throws RoostError STORE_FAILED */
  async #pairsIn(range: Range & { snapshot?: Snapshot }): Promise<[string, Buffer][]> {
    try {
      const pairs = await this.#level.iterator(range).all()
      return pairs.map(([key, value]) => [key.toString('latin1'), value])
    } catch (error) {
      throw new RoostError('STORE_FAILED', 'the store cannot be read', { cause: error })
    }
  }
}

interface Range {
  readonly gte: Buffer
  readonly lt: Buffer
  readonly limit: number
}

function rangeOf(from: string, to: string, limit: number): Range {
  return { gte: Buffer.from(from, 'latin1'), lt: Buffer.from(to, 'latin1'), limit }
}
