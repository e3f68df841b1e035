/** The store on LevelDB. */

import { Level } from 'level'
import { RoostError } from '../errors.ts'
import type { Store, StoreReader } from './store.ts'

/**
 * Bytes that LevelDB gathers in memory before it sorts them into a file. Larger than its default
 * of 4 MiB, because most keys of a mail spool (names in tmp/) are dead before they get there.
 */
const WRITE_BUFFER_SIZE = 16 * 1024 * 1024

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
    return pairsOf(await this.#level.iterator(rangeOf(from, to, limit)).all())
  }

  snapshot(): StoreReader {
    const level = this.#level
    const snapshot = level.snapshot()
    return {
      get: key => level.getSync(Buffer.from(key, 'latin1'), { snapshot }),
      range: async (from, to, limit) => {
        const range = { ...rangeOf(from, to, limit), snapshot }
        return pairsOf(await level.iterator(range).all())
      },
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
}

function rangeOf(from: string, to: string, limit: number): { gte: Buffer; lt: Buffer; limit: number } {
  return { gte: Buffer.from(from, 'latin1'), lt: Buffer.from(to, 'latin1'), limit }
}

function pairsOf(pairs: readonly [Buffer, Buffer][]): [string, Buffer][] {
  return pairs.map(([key, value]) => [key.toString('latin1'), value])
}
