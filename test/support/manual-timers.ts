/** Timers that go off when a test says so. */
export class ManualTimers {
  readonly #tasks = new Map<number, () => void>()
  #last = 0

  get count(): number {
    return this.#tasks.size
  }

  readonly after = (_ms: number, task: () => void): (() => void) => {
    const number = ++this.#last
    this.#tasks.set(number, task)
    return () => {
      this.#tasks.delete(number)
    }
  }

  /** All that wait now go off. */
  fireAll(): void {
    const tasks = [...this.#tasks.values()]
    this.#tasks.clear()
    for (const task of tasks) task()
  }
}
