/** What happens when, in simulated ms; at the same time, in the order in which it was put. */

interface Due {
  readonly at: number
  readonly order: number
  readonly task: () => void
}

export class EventQueue {
  readonly #heap: Due[] = []
  #order = 0
  #now = 0

  get now(): number {
    return this.#now
  }

  after(delay: number, task: () => void): void {
    const due = { at: this.#now + delay, order: this.#order++, task }
    const heap = this.#heap
    let at = heap.push(due) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(due, heap[above] as Due)) break
      heap[at] = heap[above] as Due
      at = above
    }
    heap[at] = due
  }

  /** Does what is next. @returns false when nothing is left */
  next(): boolean {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined) return false
    if (heap.length > 0) this.#sink(last)
    this.#now = Math.max(this.#now, first.at)
    first.task()
    return true
  }

  #sink(due: Due): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      const right = heap[below + 1]
      if (right !== undefined && isBefore(right, heap[below] as Due)) below++
      if (!isBefore(heap[below] as Due, due)) break
      heap[at] = heap[below] as Due
      at = below
    }
    heap[at] = due
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
