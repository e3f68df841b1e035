/** Messages to another thread, which each would wake: all of one step are sent at once. */

import type { MessagePort } from 'node:worker_threads'

export class GatheringPort<Message> {
  readonly #port: MessagePort
  #gathered: Message[] = []

  /** @param port whose other side takes arrays of messages */
  constructor(port: MessagePort) {
    this.#port = port
  }

  tell(message: Message): void {
    this.#gathered.push(message)
  }

  /** Sends what was told. To be called before the thread sleeps or ends. */
  post(): void {
    if (this.#gathered.length === 0) return
    this.#port.postMessage(this.#gathered)
    this.#gathered = []
  }
}
