/** A stream whose bytes are looked at before its reader gets them. */

import { RoostError } from '../errors.ts'
import type { ByteStream } from '../io/tcp.ts'

/** Whatever an event brings; each listener knows what that is. */
type Listener = (value: never) => void

interface AnyEvents {
  on(event: string, listener: Listener): unknown
}

export interface Inspection {
  /** @throws RoostError PROTOCOL to end the stream there */
  readonly before: (bytes: Buffer) => void
  /** Runs when the reader is through with them. */
  readonly after?: () => void
  /** Makes room for a write, where the stream below can do that better. */
  readonly alloc?: (size: number) => Buffer
}

/**
 * Passes on everything but what `before` refuses; it has one reader, which comes before the first
 * bytes do, as those of both packages above do.
 */
export class InspectedStream {
  /** For whoever reads it: protomux writes itself in there. */
  userData: unknown = null
  destroyed = false
  readByteCount = 0
  writtenByteCount = 0
  readonly #inner: ByteStream
  readonly #inspection: Inspection

  constructor(inner: ByteStream, inspection: Inspection) {
    this.#inner = inner
    this.#inspection = inspection
    inner.on('close', () => (this.destroyed = true))
  }

  on(event: string, listener: Listener): this {
    if (event === 'data') this.#read(listener as (bytes: Buffer) => void)
    else (this.#inner as unknown as AnyEvents).on(event, listener)
    return this
  }

  write(bytes: Uint8Array): boolean {
    this.writtenByteCount += bytes.length
    return this.#inner.write(bytes)
  }

  alloc(size: number): Buffer {
    return this.#inspection.alloc?.(size) ?? Buffer.allocUnsafe(size)
  }

  end(): void {
    this.#inner.end()
  }

  destroy(error?: Error): void {
    this.destroyed = true
    this.#inner.destroy(error)
  }

  pause(): this {
    this.#inner.pause()
    return this
  }

  resume(): this {
    this.#inner.resume()
    return this
  }

  #read(listener: (bytes: Buffer) => void): void {
    this.#inner.on('data', (bytes: Buffer) => {
      if (this.destroyed) return
      this.readByteCount += bytes.length
      try {
        this.#inspection.before(bytes)
      } catch (error) {
        if (!(error instanceof RoostError)) throw error
        this.destroy(error)
        return
      }
      listener(bytes)
      this.#inspection.after?.()
    })
  }
}
