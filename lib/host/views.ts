/**
 * Views of the running store for tools in other processes: opened, asked and closed by messages.
 *
 * A tool that is gone does not close its view, so a view that nobody asks for a while counts as
 * not used, and the keeper gives it up when it is in the way.
 */

import { RoostError } from '../errors.ts'
import type { Ino } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import type { LiveView } from '../keeper/live-view.ts'
import { encodeMark } from '../store/records.ts'
import { ByteWriter } from '../util/bytes.ts'

/** What can be asked of a view. Keys are as in the store, one byte a character. */
export type ViewQuestion =
  | { readonly act: 'open' }
  | { readonly act: 'get'; readonly id: number; readonly key: string }
  | { readonly act: 'getAll'; readonly id: number; readonly keys: readonly string[] }
  | {
      readonly act: 'range'
      readonly id: number
      readonly from: string
      readonly to: string
      readonly limit: number
    }
  | { readonly act: 'sizes'; readonly id: number; readonly inos: readonly Ino[] }
  | {
      readonly act: 'container'
      readonly id: number
      readonly ino: Ino
      readonly offset: number
      readonly length: number
    }
  | { readonly act: 'confirm' | 'releaseLog' | 'close'; readonly id: number }

/** Bytes are base64. */
export interface ViewAnswer {
  readonly id?: number
  /** Marks of a view that was opened. */
  readonly applied?: string
  readonly checkpoint?: string
  /** What was found; of a range every pair: length and key, length and value. */
  readonly bytes?: string
  /** What `get` found; what `getAll` found, in its order. */
  readonly isThere?: boolean
  readonly values?: readonly (string | null)[]
  readonly sizes?: readonly (number | null)[]
}

/** A view that nobody asks for so long is not used any more. */
const IDLE_MS = 60_000
/** Most that is answered at once, whatever was asked for. */
const PAIRS_MAX = 1000
const CONTAINER_BYTES_MAX = 1024 * 1024

interface Held {
  readonly view: LiveView
  askedMs: number
}

export class Views {
  readonly #clock: Clock
  readonly #open: (isUsed: () => boolean) => Promise<LiveView>
  readonly #held = new Map<number, Held>()
  #lastId = 0

  /** @param open opens a view of all that was answered so far */
  constructor(clock: Clock, open: (isUsed: () => boolean) => Promise<LiveView>) {
    this.#clock = clock
    this.#open = open
  }

  /** @throws RoostError VIEW_LOST, STORE_FAILED, CONTROL_FAILED */
  async answer(question: ViewQuestion): Promise<ViewAnswer> {
    if (question.act === 'open') return this.#openOne()
    const held = this.#held.get(question.id)
    if (held === undefined) throw new RoostError('VIEW_LOST', 'the daemon knows of no such view')
    held.askedMs = this.#clock.monotonicMs()
    return this.#ask(held.view, question)
  }

  async #openOne(): Promise<ViewAnswer> {
    const id = ++this.#lastId
    const askedMs = this.#clock.monotonicMs()
    const held: { askedMs: number; view?: LiveView } = { askedMs }
    const view = await this.#open(() => this.#clock.monotonicMs() - held.askedMs < IDLE_MS)
    held.view = view
    this.#held.set(id, held as Held)
    const [applied, checkpoint] = [encodeMark(view.applied), encodeMark(view.checkpoint)]
    return { id, applied: applied.toString('base64'), checkpoint: checkpoint.toString('base64') }
  }

  async #ask(
    view: LiveView,
    question: Exclude<ViewQuestion, { act: 'open' }>
  ): Promise<ViewAnswer> {
    switch (question.act) {
      case 'get': {
        const value = await view.get(question.key)
        return { isThere: value !== undefined, bytes: value?.toString('base64') ?? '' }
      }
      case 'getAll': {
        const values = await view.getAll(question.keys)
        return { values: values.map(value => value?.toString('base64') ?? null) }
      }
      case 'range': {
        const { from, to, limit } = question
        return { bytes: packed(await view.range(from, to, Math.min(limit, PAIRS_MAX))) }
      }
      case 'sizes':
        return { sizes: (await view.containerSizes(question.inos)).map(size => size ?? null) }
      case 'container': {
        const length = Math.min(question.length, CONTAINER_BYTES_MAX)
        const bytes = await view.readContainer(question.ino, question.offset, length)
        return { bytes: bytes.toString('base64') }
      }
      case 'confirm':
        await view.confirm()
        return {}
      case 'releaseLog':
        view.holdsLog = false
        return {}
      case 'close':
        this.#held.delete(question.id)
        await view.close()
        return {}
      default:
        throw new RoostError('CONTROL_FAILED', 'no such question of a view')
    }
  }
}

function packed(pairs: readonly [string, Buffer][]): string {
  const out = new ByteWriter()
  for (const [key, value] of pairs) {
    out.text(key)
    out.u32(value.length)
    out.bytes(value)
  }
  return out.view().toString('base64')
}
