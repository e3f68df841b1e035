/** Walks over the keys of one kind, in order, as far as asked. */

import type { TreeView } from '../keeper/tree-view.ts'

/** Keys fetched at once. */
const CHUNK = 500

export type Pair = [string, Buffer]

export class Cursor {
  readonly #view: TreeView
  readonly #end: string
  #next: string
  #chunk: Pair[] = []
  #at = 0
  #isDone = false

  /** @param prefix first character of the keys */
  constructor(view: TreeView, prefix: string) {
    this.#view = view
    this.#next = prefix
    this.#end = String.fromCharCode(prefix.charCodeAt(0) + 1)
  }

  /** The next key, without taking it. */
  async peek(): Promise<string | undefined> {
    if (this.#at === this.#chunk.length) await this.#fill()
    return this.#chunk[this.#at]?.[0]
  }

  async next(): Promise<Pair | undefined> {
    if (this.#at === this.#chunk.length) await this.#fill()
    return this.#chunk[this.#at++]
  }

  /** All pairs whose keys lie before `limit`. */
  async takeBelow(limit: string): Promise<Pair[]> {
    const taken: Pair[] = []
    for (;;) {
      const key = this.#at < this.#chunk.length ? this.#chunk[this.#at]?.[0] : await this.peek()
      if (key === undefined || key >= limit) return taken
      taken.push(this.#chunk[this.#at++] as Pair)
    }
  }

  async #fill(): Promise<void> {
    this.#at = 0
    this.#chunk = this.#isDone ? [] : await this.#view.range(this.#next, this.#end, CHUNK)
    this.#isDone ||= this.#chunk.length < CHUNK
    const last = this.#chunk.at(-1)
    // The least key behind the last one.
    if (last !== undefined) this.#next = `${last[0]}\0`
  }
}
