/** A network that delays, loses, repeats and reorders, and whose links are cut, one way or both. */

import type { ReplicaId } from '../../lib/ids.ts'
import type { ClusterOptions } from './cluster-options.ts'
import type { EventQueue } from './event-queue.ts'
import type { SimRandom } from './sim-random.ts'

export class ClusterNetwork {
  readonly #queue: EventQueue
  readonly #random: SimRandom
  readonly #options: ClusterOptions
  readonly #cut = new Set<string>()
  #isFaulty = true

  constructor(queue: EventQueue, random: SimRandom, options: ClusterOptions) {
    this.#queue = queue
    this.#random = random
    this.#options = options
  }

  isCut(from: ReplicaId, to: ReplicaId): boolean {
    return this.#cut.has(`${from} ${to}`)
  }

  send(from: ReplicaId, to: ReplicaId, deliver: () => void): void {
    const { loss, duplication, delayMax } = this.#options
    if (this.isCut(from, to) || (this.#isFaulty && this.#random.chance(loss))) return
    const count = this.#isFaulty && this.#random.chance(duplication) ? 2 : 1
    for (let i = 0; i < count; i++) {
      const isSlow = this.#isFaulty && this.#random.chance(0.01)
      const delay = 0.05 + this.#random.next() * (this.#isFaulty ? delayMax : 2)
      this.#queue.after(isSlow ? delay + this.#random.int(1000) : delay, () => {
        if (!this.isCut(from, to)) deliver()
      })
    }
  }

  /** Cuts one off from the others, or some, in one direction or both. */
  cut(all: readonly ReplicaId[], one: ReplicaId): void {
    const side = new Set(all.filter(each => each === one || this.#random.chance(0.1)))
    const isOneWay = this.#random.chance(0.2)
    for (const from of all) {
      for (const to of all) {
        if (side.has(from) && !side.has(to)) this.#cut.add(`${from} ${to}`)
        if (!isOneWay && side.has(to) && !side.has(from)) this.#cut.add(`${from} ${to}`)
      }
    }
  }

  heal(): void {
    this.#cut.clear()
  }

  /** Nothing goes wrong from here on. */
  calm(): void {
    this.heal()
    this.#isFaulty = false
  }
}
