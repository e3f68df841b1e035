/**
 * A connection to a server that speaks in lines: what the LMTP, IMAP and POP3 clients stand on.
 *
 * One reader at a time. A read that gets nothing within the patience fails and closes the
 * connection, so that a mail store which hangs fails the test instead of stopping it.
 */

import { connect, type Socket } from 'node:net'

/** Where a server listens: the path of a unix socket, or a port on this machine. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number }

/** Long against any answer of a healthy server on a busy machine, short against a test run. */
export const PATIENCE_MS = 60_000

const LF = 0x0a
const CR = 0x0d

interface Waiter {
  readonly take: () => Buffer | undefined
  readonly resolve: (bytes: Buffer) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

export class LineSocket {
  readonly #socket: Socket
  /** Bytes received and not yet read, from #offset on. */
  #buffer: Buffer = Buffer.alloc(0)
  #offset = 0
  #waiter: Waiter | undefined
  #failure: Error | undefined
  readonly #patienceMs: number

  static async connect(address: Address, patienceMs = PATIENCE_MS): Promise<LineSocket> {
    const socket = connect({ ...address })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new LineSocket(socket, patienceMs)
  }

  constructor(socket: Socket, patienceMs: number) {
    this.#socket = socket
    this.#patienceMs = patienceMs
    socket.removeAllListeners('error')
    socket.on('data', chunk => {
      this.#receive(chunk)
    })
    socket.on('error', error => {
      this.#fail(error)
    })
    socket.on('close', () => {
      this.#fail(new Error('the server closed the connection'))
    })
  }

  write(bytes: Buffer | string): void {
    if (typeof bytes === 'string') this.#socket.write(bytes, 'latin1')
    else this.#socket.write(bytes)
  }

  /** The next line, without its line end. */
  readLine(patienceMs = this.#patienceMs): Promise<Buffer> {
    return this.#read(() => this.#takeLine(), patienceMs)
  }

  readBytes(count: number): Promise<Buffer> {
    return this.#read(() => this.#takeBytes(count), this.#patienceMs)
  }

  close(): void {
    this.#socket.destroy()
    this.#fail(new Error('this side closed the connection'))
  }

  #read(take: () => Buffer | undefined, patienceMs: number): Promise<Buffer> {
    if (this.#waiter !== undefined) throw new Error('a connection has one reader at a time')
    const there = take()
    if (there !== undefined) return Promise.resolve(there)
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(new Error(`the server gave no answer within ${String(patienceMs)} ms`))
        this.#socket.destroy()
      }, patienceMs)
      this.#waiter = { take, resolve, reject, timer }
    })
  }

  #receive(chunk: Buffer): void {
    const rest = this.#buffer.length - this.#offset
    this.#buffer = rest === 0 ? chunk : Buffer.concat([this.#buffer.subarray(this.#offset), chunk])
    this.#offset = 0
    const waiter = this.#waiter
    const bytes = waiter?.take()
    if (waiter === undefined || bytes === undefined) return
    this.#waiter = undefined
    clearTimeout(waiter.timer)
    waiter.resolve(bytes)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    const waiter = this.#waiter
    if (waiter === undefined) return
    this.#waiter = undefined
    clearTimeout(waiter.timer)
    waiter.reject(this.#failure)
  }

  #takeLine(): Buffer | undefined {
    const at = this.#buffer.indexOf(LF, this.#offset)
    if (at < 0) return undefined
    const end = at > this.#offset && this.#buffer[at - 1] === CR ? at - 1 : at
    const line = this.#buffer.subarray(this.#offset, end)
    this.#offset = at + 1
    return line
  }

  #takeBytes(count: number): Buffer | undefined {
    if (this.#buffer.length - this.#offset < count) return undefined
    const bytes = this.#buffer.subarray(this.#offset, this.#offset + count)
    this.#offset += count
    return bytes
  }
}
