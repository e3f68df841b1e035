/**
 * Fetches bodies from peers, each from one after the other until one has it, and stages them.
 *
 * Whoever fetches a blob has a claim on it afterwards, as if it had staged it itself. Several that
 * want the same blob share one fetch, and have a claim each.
 */

import { RoostError } from '../errors.ts'
import type { BlobId, ReplicaId } from '../ids.ts'
import { sha256Hex } from '../util/hash.ts'
import { encodeBodyMessage } from './body-message.ts'
import type { BodyPort } from './body-port.ts'

/** Fetches at a time; with the size of a blob this bounds what is in memory and on its way. */
export const FETCHES_MAX = 16
/** A peer that sent nothing at all for so long is not waited for. */
const SILENCE_MS = 10_000

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface Fetch {
  readonly blob: BlobId
  readonly peers: ReplicaId[]
  readonly waiters: Waiter[]
}

/** A question to one peer. */
interface Question {
  readonly to: ReplicaId
  cancelTimer: () => void
  /** Takes the bytes, or in words why they do not come. */
  readonly settle: (outcome: Buffer | string) => void
}

export class BodyFetcher {
  readonly #port: BodyPort
  readonly #fetches = new Map<BlobId, Fetch>()
  #queue: Fetch[] = []
  readonly #questions = new Map<number, Question>()
  #lastQuestion = 0
  #active = 0
  #isClosed = false

  constructor(port: BodyPort) {
    this.#port = port
  }

  /** Fetches that are not over. */
  get count(): number {
    return this.#fetches.size
  }

  /**
   * Makes a blob durable here, from whichever of `from` has it, the first first.
   *
   * When it resolves the caller has a claim, which `BlobStore.unstage` gives back once the store
   * names the blob or nothing is going to.
   *
   * @throws RoostError BODY_MISSING saying why each peer did not serve; what staging throws
   */
  fetch(from: readonly ReplicaId[], blob: BlobId): Promise<void> {
    return new Promise((resolve, reject) => {
      let running = this.#fetches.get(blob)
      if (running === undefined) {
        running = { blob, peers: [], waiters: [] }
        this.#fetches.set(blob, running)
        this.#queue.push(running)
      }
      const { peers, waiters } = running
      peers.push(...from.filter(peer => !peers.includes(peer)))
      waiters.push({ resolve, reject })
      this.#startNext()
    })
  }

  /** A peer answered. An answer to what was never asked of it, or was given up, is nothing. */
  hear(from: ReplicaId, number: number, bytes: Buffer | undefined): void {
    for (const question of this.#questions.values()) {
      if (question.to === from) this.#watch(question)
    }
    const question = this.#questions.get(number)
    if (question?.to === from) question.settle(bytes ?? `replica ${from} does not have it`)
  }

  /** What was asked of this peer is asked of others. */
  peerDown(peer: ReplicaId): void {
    for (const question of this.#questions.values()) {
      if (question.to === peer) question.settle(`replica ${peer} is not connected`)
    }
  }

  /** Ends all fetches. */
  close(): void {
    this.#isClosed = true
    for (const question of this.#questions.values()) question.settle('this replica stops')
    for (const running of this.#queue) this.#refuse(running, ['this replica stops'])
    this.#queue = []
  }

  #startNext(): void {
    while (this.#active < FETCHES_MAX) {
      const running = this.#queue.shift()
      if (running === undefined) return
      this.#active++
      void this.#run(running).finally(() => {
        this.#active--
        this.#startNext()
      })
    }
  }

  async #run(running: Fetch): Promise<void> {
    try {
      if (await this.#claimOwn(running)) return
      const bytes = (await this.#port.lookup?.(running.blob)) ?? (await this.#ask(running))
      if (bytes !== undefined) await this.#stage(running, bytes)
    } catch (error) {
      this.#fetches.delete(running.blob)
      for (const { reject } of running.waiters) reject(error)
    }
  }

  /** What has a file here needs a claim only. @returns whether it has one */
  async #claimOwn({ blob, waiters }: Fetch): Promise<boolean> {
    const { blobs } = this.#port
    if (!(await blobs.claimFile(blob))) return false
    // Whoever comes from here on finds it as well.
    this.#fetches.delete(blob)
    const others = waiters.slice(1).map(() => blobs.claimFile(blob))
    await Promise.all(others)
    for (const { resolve } of waiters) resolve()
    return true
  }

  /** Asks one peer after the other; others may be added meanwhile. */
  async #ask(running: Fetch): Promise<Buffer | undefined> {
    const reasons: string[] = []
    for (const peer of running.peers) {
      if (this.#isClosed) break
      const outcome = await this.#askOne(peer, running.blob)
      if (typeof outcome !== 'string') return outcome
      reasons.push(outcome)
    }
    this.#refuse(running, reasons)
    return undefined
  }

  async #askOne(peer: ReplicaId, blob: BlobId): Promise<Buffer | string> {
    const number = ++this.#lastQuestion
    const outcome = await new Promise<Buffer | string>(resolve => {
      const question = { to: peer, cancelTimer: () => undefined, settle: resolve }
      this.#questions.set(number, question)
      this.#watch(question)
      void this.#send(question, encodeBodyMessage({ kind: 'want', number, blob }))
    })
    this.#questions.get(number)?.cancelTimer()
    this.#questions.delete(number)
    if (typeof outcome === 'string') return outcome
    if (sha256Hex(outcome) !== blob) return `replica ${peer} sent other bytes`
    return outcome
  }

  async #send({ to, settle }: Question, bytes: Buffer): Promise<void> {
    try {
      await this.#port.send(to, bytes)
    } catch {
      settle(`replica ${to} is not connected`)
    }
  }

  /** Gives the peer time anew: it may be busy with what was asked before. */
  #watch(question: Question): void {
    question.cancelTimer()
    question.cancelTimer = this.#port.after(SILENCE_MS, () => {
      question.settle(`replica ${question.to} did not answer`)
    })
  }

  async #stage({ blob, waiters }: Fetch, bytes: Buffer): Promise<void> {
    // Whoever comes from here on finds it staged.
    this.#fetches.delete(blob)
    await Promise.all(
      waiters.map(({ resolve, reject }) =>
        this.#port.blobs.stage(blob, bytes).then(resolve, reject)
      )
    )
  }

  #refuse({ blob, waiters }: Fetch, reasons: readonly string[]): void {
    this.#fetches.delete(blob)
    const why = reasons.length === 0 ? 'there is nobody to ask' : reasons.join('; ')
    for (const { reject } of waiters) {
      reject(new RoostError('BODY_MISSING', `blob ${blob} is not to be had: ${why}`))
    }
  }
}
