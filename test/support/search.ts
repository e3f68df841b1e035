/** Goes through all worlds that can come about, the nearest first, up to a bound. */

import { SearchWorlds, type SearchBounds, type World } from './search-world.ts'

export interface SearchResult {
  readonly worlds: number
  readonly steps: number
  readonly depth: number
  /** Whether nothing was left out. */
  readonly isExhausted: boolean
  /** What must not be, and how it came about. */
  readonly violation?: { readonly why: string; readonly trace: readonly string[] }
}

interface Found {
  readonly world: World
  readonly before: Found | undefined
  readonly name: string
}

export function search(bounds: SearchBounds, worldsMax: number): SearchResult {
  const worlds = new SearchWorlds(bounds)
  let frontier: Found[] = [{ world: worlds.start(), before: undefined, name: 'start' }]
  const seen = new Set(frontier.map(({ world }) => worlds.nameOf(world)))
  let [steps, depth] = [0, 0]
  for (; frontier.length > 0; depth++) {
    const further: Found[] = []
    for (const found of frontier) {
      for (const { name, take } of worlds.actions(found.world)) {
        steps++
        try {
          const world = take()
          const key = worlds.nameOf(world)
          if (seen.has(key)) continue
          worlds.check(world)
          seen.add(key)
          further.push({ world, before: found, name })
        } catch (error) {
          if (!isFinding(error)) throw error
          const violation = { why: error.message, trace: [...traceOf(found), name] }
          return { worlds: seen.size, steps, depth, isExhausted: false, violation }
        }
      }
      if (seen.size >= worldsMax) return { worlds: seen.size, steps, depth, isExhausted: false }
    }
    frontier = further
  }
  return { worlds: seen.size, steps, depth, isExhausted: true }
}

/** What a search looks for, as opposed to a mistake in the search. */
export function isFinding(error: unknown): error is Error {
  return error instanceof Error && ['Violation', 'InvariantError'].includes(error.name)
}

function traceOf(found: Found | undefined): string[] {
  const names: string[] = []
  for (let at = found; at?.before !== undefined; at = at.before) names.push(at.name)
  return names.reverse()
}
