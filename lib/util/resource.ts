import { assert } from './assert.ts'

/** What a resource may own: something to close, and to open first where it can be opened. */
export interface Ownable {
  open?(): Promise<void>
  close(): Promise<void> | void
}

/**
 * Something that is opened once, closed once, and closes what it owns.
 *
 * The constructor sets every field, touches nothing outside and cannot fail. Both `open` and
 * `close` can be called any number of times and do their work once; close waits for an open that
 * is under way. What is owned is closed in the reverse of the order in which it was taken, because
 * what came later may still need what came before. A failed open owns nothing.
 */
export abstract class Resource implements Ownable {
  readonly #owned: Ownable[] = []
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined

  /** @throws InvariantError when it is closed, or about to be: there is no second life. */
  open(): Promise<void> {
    this.#opening ??= this.#openOnce()
    return this.#opening
  }

  /** Never opened, it is closed all the same. @throws AggregateError of all that went wrong. */
  close(): Promise<void> {
    this.#closing ??= this.#closeOnce()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What opening takes; what it acquires without `own` it must release when it fails. */
  protected _open(): Promise<void> | void {}

  /** Runs after a successful open, before what is owned closes. */
  protected _close(): Promise<void> | void {}

  /** Opens `child` and closes it with this resource; a child that fails to open is not owned. */
  protected async own<Child extends Ownable>(child: Child): Promise<Child> {
    await child.open?.()
    this.#owned.push(child)
    return child
  }

  async #openOnce(): Promise<void> {
    assert(this.#closing === undefined, 'a closed resource is opened')
    try {
      await this._open()
    } catch (error) {
      const errors = await this.#release()
      throw errors.length === 0 ? error : new AggregateError([error, ...errors], messageOf(error))
    }
  }

  async #closeOnce(): Promise<void> {
    if (!(await this.#isOpened())) return
    const errors: unknown[] = []
    await attempt(errors, () => this._close())
    errors.push(...(await this.#release()))
    if (errors.length > 0) throw new AggregateError(errors, errors.map(messageOf).join('; '))
  }

  /** Whoever opens hears of a failure; whoever closes finds nothing left to do. */
  async #isOpened(): Promise<boolean> {
    try {
      await this.#opening
      return this.#opening !== undefined
    } catch {
      return false
    }
  }

  /** Closes what is owned, the latest first, and goes on when one fails. */
  async #release(): Promise<unknown[]> {
    const errors: unknown[] = []
    for (let child = this.#owned.pop(); child !== undefined; child = this.#owned.pop()) {
      const last = child
      await attempt(errors, () => last.close())
    }
    return errors
  }
}

async function attempt(errors: unknown[], task: () => Promise<void> | void): Promise<void> {
  try {
    await task()
  } catch (error) {
    errors.push(error)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
