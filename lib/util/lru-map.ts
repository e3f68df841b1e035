/** A map that forgets what was used longest ago when its contents weigh too much. */
export class LruMap<Key, Value> {
  readonly #weightMax: number
  readonly #weightOf: (value: Value) => number
  /** In the order of use, the longest ago first. */
  readonly #entries = new Map<Key, Value>()
  #weight = 0

  constructor(weightMax: number, weightOf: (value: Value) => number) {
    this.#weightMax = weightMax
    this.#weightOf = weightOf
  }

  get size(): number {
    return this.#entries.size
  }

  /** What its contents weigh together. */
  get weight(): number {
    return this.#weight
  }

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  /** @returns what had to go for it */
  set(key: Key, value: Value): [Key, Value][] {
    this.delete(key)
    this.#entries.set(key, value)
    this.#weight += this.#weightOf(value)
    const gone: [Key, Value][] = []
    for (const [oldKey, oldValue] of this.#entries) {
      if (this.#weight <= this.#weightMax || oldKey === key) break
      this.delete(oldKey)
      gone.push([oldKey, oldValue])
    }
    return gone
  }

  delete(key: Key): Value | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#weight -= this.#weightOf(value)
    this.#entries.delete(key)
    return value
  }

  /** Empties the map. @returns what was in it */
  clear(): [Key, Value][] {
    const all = [...this.#entries]
    this.#entries.clear()
    this.#weight = 0
    return all
  }
}
