/** Copies and names of plain values: objects, arrays, maps, strings, numbers. */

/** A copy that shares nothing with `value`. */
export function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  // Bytes are handed about and never changed.
  if (ArrayBuffer.isView(value)) return value
  if (Array.isArray(value)) return value.map(item => copyOf(item) as unknown) as T
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [key, copyOf(item) as unknown])) as T
  }
  const copy: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) copy[key] = copyOf(item)
  return copy as T
}

/** Equal for values that are equal, in whatever order a map was filled. */
export function nameOf(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item instanceof Map ? [...item].sort(([a], [b]) => (a < b ? -1 : 1)) : item
  )
}

/** Numbers for values: the same for equal ones. */
export class Interner<T> {
  readonly #numbers = new Map<string, number>()
  readonly #values: T[] = []

  get size(): number {
    return this.#values.length
  }

  numberOf(value: T): number {
    const name = nameOf(value)
    let number = this.#numbers.get(name)
    if (number === undefined) {
      number = this.#values.length
      this.#numbers.set(name, number)
      this.#values.push(value)
    }
    return number
  }

  valueOf(number: number): T {
    const value = this.#values[number]
    if (value === undefined) throw new RangeError(`nothing has number ${number}`)
    return value
  }
}
