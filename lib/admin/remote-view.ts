/** A view of a running store, asked for over the control socket. */

import type { ViewAnswer, ViewQuestion } from '../host/views.ts'
import type { Ino } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { NodeDisk } from '../io/node-disk.ts'
import { every } from '../io/timer.ts'
import type { TreeView } from '../keeper/tree-view.ts'
import { decodeMark, type FeedMark } from '../store/records.ts'
import { ByteReader } from '../util/bytes.ts'
import { present } from '../util/assert.ts'
import { askControl } from './control.ts'

/** Shorter by far than what the daemon takes for the silence of the dead. */
const SIGN_OF_LIFE_MS = 10_000
/** Pairs and bytes of one answer. */
const PAIRS_MAX = 1000
const CONTAINER_BYTES_MAX = 1024 * 1024

export class RemoteView implements TreeView {
  readonly applied: FeedMark
  readonly checkpoint: FeedMark
  readonly disk: Disk
  readonly #directory: string
  readonly #id: number
  readonly #stop: () => void
  /** Waits between two questions, so that the daemon has time for others. */
  readonly #pause: () => Promise<void>

  private constructor(directory: string, answer: ViewAnswer, pause: () => Promise<void>) {
    this.#directory = directory
    this.#pause = pause
    this.disk = new NodeDisk(directory)
    this.#id = present(answer.id, 'view')
    this.applied = markIn(answer.applied)
    this.checkpoint = markIn(answer.checkpoint)
    this.#stop = every(SIGN_OF_LIFE_MS, () => {
      // What fails here fails again when something is asked.
      void this.confirm().catch(() => undefined)
    })
  }

  /** @throws RoostError CONTROL_FAILED nobody serves the directory; STORE_FAILED */
  static async open(directory: string, pause: () => Promise<void>): Promise<RemoteView> {
    return new RemoteView(directory, await ask(directory, { act: 'open' }), pause)
  }

  async get(key: string): Promise<Buffer | undefined> {
    const { isThere, bytes = '' } = await this.#ask({ act: 'get', id: this.#id, key })
    return isThere === true ? Buffer.from(bytes, 'base64') : undefined
  }

  async getAll(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    const { values = [] } = await this.#ask({ act: 'getAll', id: this.#id, keys })
    return values.map(value => (value === null ? undefined : Buffer.from(value, 'base64')))
  }

  async range(from: string, to: string, limit: number): Promise<[string, Buffer][]> {
    const pairs: [string, Buffer][] = []
    for (let next = from; pairs.length < limit;) {
      const wanted = Math.min(limit - pairs.length, PAIRS_MAX)
      const question = { act: 'range', id: this.#id, from: next, to, limit: wanted } as const
      const found = unpacked((await this.#ask(question)).bytes)
      pairs.push(...found)
      const last = found.at(-1)
      if (last === undefined || found.length < wanted) break
      next = `${last[0]}\0`
    }
    return pairs
  }

  async containerSizes(inos: readonly Ino[]): Promise<(number | undefined)[]> {
    const { sizes = [] } = await this.#ask({ act: 'sizes', id: this.#id, inos })
    return sizes.map(size => size ?? undefined)
  }

  async readContainer(ino: Ino, offset: number, length: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let done = 0; done < length;) {
      const wanted = Math.min(length - done, CONTAINER_BYTES_MAX)
      const place = { ino, offset: offset + done, length: wanted }
      const { bytes = '' } = await this.#ask({ act: 'container', id: this.#id, ...place })
      const part = Buffer.from(bytes, 'base64')
      parts.push(part)
      done += part.length
      if (part.length < wanted) break
    }
    return Buffer.concat(parts)
  }

  async confirm(): Promise<void> {
    await ask(this.#directory, { act: 'confirm', id: this.#id })
  }

  /** The log before the view may go from here on. */
  async releaseLog(): Promise<void> {
    await this.#ask({ act: 'releaseLog', id: this.#id })
  }

  async close(): Promise<void> {
    this.#stop()
    // A daemon that has gone has closed it.
    await ask(this.#directory, { act: 'close', id: this.#id }).catch(() => undefined)
  }

  async #ask(question: ViewQuestion): Promise<ViewAnswer> {
    await this.#pause()
    return ask(this.#directory, question)
  }
}

async function ask(directory: string, view: ViewQuestion): Promise<ViewAnswer> {
  return await askControl(directory, { verb: 'view', view })
}

function markIn(base64 = ''): FeedMark {
  return decodeMark(Buffer.from(base64, 'base64'))
}

function unpacked(base64 = ''): [string, Buffer][] {
  const input = new ByteReader(Buffer.from(base64, 'base64'))
  const pairs: [string, Buffer][] = []
  while (input.remaining > 0) {
    const key = input.text()
    pairs.push([key, input.bytes(input.u32())])
  }
  return pairs
}
