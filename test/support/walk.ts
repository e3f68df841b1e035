/** Goes a random way through the worlds of a search, far further than a search gets. */

import type { SearchResult } from './search.ts'
import { SearchWorlds, type Action, type SearchBounds } from './search-world.ts'
import { SimRandom } from './sim-random.ts'

/** Worlds of one set of bounds; what one walk has computed the next one uses. */
export class Walker {
  readonly #worlds: SearchWorlds
  readonly #isFinding: (error: unknown) => error is Error

  constructor(bounds: SearchBounds, isFinding: (error: unknown) => error is Error) {
    this.#worlds = new SearchWorlds(bounds)
    this.#isFinding = isFinding
  }

  walk(seed: number, steps: number): SearchResult['violation'] {
    const random = new SimRandom(seed)
    const trace: string[] = []
    let world = this.#worlds.start()
    for (let step = 0; step < steps; step++) {
      const kinds = new Map<string, Action[]>()
      for (const action of this.#worlds.actions(world)) {
        const kind = kindOf(action)
        kinds.set(kind, [...(kinds.get(kind) ?? []), action])
      }
      const left = [...kinds.values()]
      if (left.length === 0) return undefined
      const { name, take } = random.pick(random.pick(left))
      try {
        const next = take()
        if (this.#worlds.nameOf(next) === this.#worlds.nameOf(world)) continue
        world = next
        trace.push(name)
        this.#worlds.check(world)
      } catch (error) {
        if (!this.#isFinding(error)) throw error
        return { why: error.message, trace: [...trace, name] }
      }
    }
    return undefined
  }
}

/** Messages are many and the rest is few; each kind gets its turn as often. */
function kindOf({ name }: Action): string {
  return /"kind":"(\w+)"/.exec(name)?.[1] ?? name.replace(/^\d /, '')
}
