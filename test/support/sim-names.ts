import type { SimFile } from './sim-file.ts'
import type { SimRandom } from './sim-random.ts'

export type SimNode = SimDirectory | SimFile

/** A directory: the names that programs see, and those that are on the platter. */
export class SimDirectory {
  current = new Map<string, SimNode>()
  durable = new Map<string, SimNode>()
}

/** One operation: the names it set, to undefined where it took them away. All or none survive. */
type Step = { directory: SimDirectory; name: string; node: SimNode | undefined }[]

/**
 * In what order names become durable.
 *
 * 'journal': as they were made, over all directories, as with the journal of ext4. 'directory':
 * in each directory for itself, which POSIX allows too; only what one operation did in two
 * directories stays together.
 */
export type NameOrder = 'journal' | 'directory'

/** The directory tree of a simulated disk, with the name operations that are not yet durable. */
export class SimNames {
  readonly root = new SimDirectory()
  readonly #order: NameOrder
  #journal: Step[] = []

  constructor(order: NameOrder) {
    this.#order = order
  }

  /** The node at a path, undefined if there is none. */
  find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.root
    for (const name of partsOf(path)) {
      if (!(node instanceof SimDirectory)) return undefined
      node = node.current.get(name)
    }
    return node
  }

  /** Sets the names that one operation changes. */
  record(step: Step): void {
    this.#journal.push(step)
    for (const { directory, name, node } of step) set(directory.current, name, node)
  }

  /** The moment up to which a sync that begins now must reach. */
  now(): Step | undefined {
    return this.#journal.at(-1)
  }

  /** Makes durable what was done up to `last`, in `directory` if one is given. */
  sync(last: Step | undefined, directory?: SimDirectory): void {
    const count = last === undefined ? 0 : this.#journal.indexOf(last) + 1
    const due = this.#journal.slice(0, count)
    if (directory === undefined) this.#commit(new Set(due))
    else this.#commit(this.#neededFor(directory, due))
  }

  crash(random: SimRandom): void {
    this.#commit(this.#survivors(random))
    this.#journal = []
    restore(this.root, random)
  }

  #commit(steps: Set<Step>): void {
    for (const step of this.#journal.filter(each => steps.has(each))) {
      for (const { directory, name, node } of step) set(directory.durable, name, node)
    }
    this.#journal = this.#journal.filter(step => !steps.has(step))
  }

  /** What has to become durable so that all of `due` in `directory` is. */
  #neededFor(directory: SimDirectory, due: Step[]): Set<Step> {
    const touched = new Set([directory])
    if (this.#order === 'journal') {
      const last = due.findLastIndex(step => step.some(each => each.directory === directory))
      return new Set(due.slice(0, last + 1))
    }
    const needed = due.toReversed().filter(step => {
      const isNeeded = step.some(each => touched.has(each.directory))
      if (isNeeded) for (const each of step) touched.add(each.directory)
      return isNeeded
    })
    return new Set(needed)
  }

  #survivors(random: SimRandom): Set<Step> {
    const length = random.pick([0, this.#journal.length, random.int(this.#journal.length + 1)])
    if (this.#order === 'journal') return new Set(this.#journal.slice(0, length))
    const endDirectories = new Set<SimDirectory>()
    const endChance = random.next() / 2
    const survivors = this.#journal.filter(step => {
      const isLost =
        random.chance(endChance) || step.some(each => endDirectories.has(each.directory))
      if (isLost) for (const each of step) endDirectories.add(each.directory)
      return !isLost
    })
    return new Set(survivors)
  }
}

/** The names on a path; '' and '.' name the directory itself. */
export function partsOf(path: string): string[] {
  return path.split('/').filter(part => part !== '' && part !== '.')
}

function set(names: Map<string, SimNode>, name: string, node: SimNode | undefined): void {
  if (node === undefined) names.delete(name)
  else names.set(name, node)
}

/** Makes the tree what the platter has, and every file what the power cut left of it. */
function restore(directory: SimDirectory, random: SimRandom): void {
  directory.current = new Map(directory.durable)
  for (const node of directory.current.values()) {
    if (node instanceof SimDirectory) {
      restore(node, random)
    } else {
      node.links = 1
      node.crash(random)
    }
  }
}
