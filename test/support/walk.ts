/** Goes a random way through the worlds of a search, far further than a search gets. */

import type { SearchResult } from './search.ts'
import { SearchWorlds, type Action, type SearchBounds, type World } from './search-world.ts'
import { SimRandom } from './sim-random.ts'

/** Worlds of one set of bounds; what one walk has computed the next one uses. */
export class Walker {
  readonly #worlds: SearchWorlds
  readonly #isFinding: (error: unknown) => error is Error

  constructor(bounds: SearchBounds, isFinding: (error: unknown) => error is Error) {
    this.#worlds = new SearchWorlds(bounds)
    this.#isFinding = isFinding
  }

  /** @param prelude names of what happens first, the first match of each */
  walk(seed: number, steps: number, prelude: readonly RegExp[] = []): SearchResult['violation'] {
    const random = new SimRandom(seed)
    const trace: string[] = []
    /** When each message was first there, and how often it was heard. */
    const born = new Map<number, number>()
    const heard = new Map<string, number>()
    const loss = random.pick([0, 0.2, 0.5])
    const lost = new Map<string, boolean>()
    const weightOf = new Map<Action['kind'], number>()
    for (const [kind, weight] of Object.entries(WEIGHTS)) {
      const isRare = RARE.has(kind) && random.chance(0.6)
      weightOf.set(kind as Action['kind'], isRare ? 0 : weight * (0.3 + 2 * random.next()))
    }
    let world = this.#after(prelude)
    let cutOff = 0
    const isCutting = random.chance(0.7)
    const cutting = random.pick([0.05, 0.1, 0.25])
    for (let step = 0; step < steps; step++) {
      if (random.chance(cutting)) cutOff = isCutting ? random.int(4) : 0
      const actions = [...this.#worlds.actions(world)]
      const weights = actions.map(({ name, kind, message, between = [] }) => {
        const weight = weightOf.get(kind) ?? 0
        if (message === undefined) return weight
        if (!lost.has(name)) lost.set(name, random.chance(loss))
        const isCut = between.some(replica => replica === cutOff)
        if (isCut || lost.get(name) === true) return weight / 1000
        if (!born.has(message)) born.set(message, step)
        const age = step - (born.get(message) ?? step)
        return weight / (1 + age / 8) / (1 + 20 * (heard.get(name) ?? 0))
      })
      const { name, take } = pickWeighted(random, actions, weights)
      heard.set(name, (heard.get(name) ?? 0) + 1)
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

  #after(prelude: readonly RegExp[]): World {
    let world = this.#worlds.start()
    for (const pattern of prelude) {
      const action = [...this.#worlds.actions(world)].find(({ name }) => pattern.test(name))
      if (action === undefined) throw new Error(`nothing is ${pattern.source}`)
      world = action.take()
    }
    return world
  }
}

/** How often each kind of step is taken, against the others that are possible. */
const WEIGHTS: Record<Action['kind'], number> = {
  hear: 10,
  decide: 10,
  deliver: 10,
  sync: 4,
  append: 3,
  claim: 1.5,
  opened: 1,
  crash: 0.3,
  ask: 0.5,
  giveBack: 0.5,
  resize: 1
}

/** What some walks go without, so that others have their way more often. */
const RARE = new Set<string>(['crash', 'ask', 'giveBack', 'resize'])

function pickWeighted<T>(random: SimRandom, items: readonly T[], weights: readonly number[]): T {
  let left = random.next() * weights.reduce((sum, weight) => sum + weight, 0)
  const at = weights.findIndex(weight => (left -= weight) < 0)
  return items[Math.max(0, at)] as T
}
