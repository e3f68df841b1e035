/** Serves a TinyFs on a mount, taking turns with whatever else this process does. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ERRNO } from '../../lib/errors.ts'
import { decodeRequest } from '../../lib/fuse/decode.ts'
import * as libc from '../../lib/io/libc.ts'
import type { TinyFs } from './tiny-fs.ts'

/** One request of 1 MiB, and its header. */
const BUFFER_SIZE = 1024 * 1024 + 4096
const POLL_MS = 5
/** How many requests of one kind are worth recording, and how long they may be. */
const RECORDS_MAX = 3
const RECORD_SIZE_MAX = 4096

export class TinyServer {
  readonly #fd: number
  readonly #fs: TinyFs
  readonly #buffer = Buffer.alloc(BUFFER_SIZE)
  readonly #recordDirectory: string | undefined
  /** When false, requests are taken and never answered, as by a daemon that hangs. */
  isAnswering = true
  /** Requests of this operation are answered later, by `release`. */
  held: string | undefined
  readonly #heldReplies: Buffer[] = []

  constructor(fd: number, fs: TinyFs, recordDirectory?: string) {
    this.#fd = fd
    this.#fs = fs
    this.#recordDirectory = recordDirectory
    if (recordDirectory !== undefined) mkdirSync(recordDirectory, { recursive: true })
  }

  /** Serves until the mount has ended. @returns the errno with which it did */
  async run(): Promise<number> {
    for (;;) {
      libc.poll2(this.#fd, -1, POLL_MS)
      const length = libc.read(this.#fd, this.#buffer, this.#buffer.length)
      if (length > 0) this.#serve(length)
      else if (![-ERRNO.EAGAIN, -ERRNO.EINTR, -ERRNO.ENOENT].includes(length)) return -length
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  #serve(length: number): void {
    const request = decodeRequest(this.#buffer, length)
    this.#record(request.op, length)
    const reply = this.isAnswering ? this.#fs.answer(request) : undefined
    if (reply === undefined) return
    if (request.op === this.held) this.#heldReplies.push(Buffer.from(reply))
    else this.#send(reply)
  }

  /** How many requests wait for `release`. */
  get heldCount(): number {
    return this.#heldReplies.length
  }

  release(): void {
    this.held = undefined
    for (const reply of this.#heldReplies.splice(0)) this.#send(reply)
  }

  #send(reply: Buffer): void {
    const result = libc.write(this.#fd, reply, reply.length)
    if (result !== reply.length) throw new Error(`a reply came to ${result}`)
  }

  #record(op: string, length: number): void {
    if (this.#recordDirectory === undefined || length > RECORD_SIZE_MAX) return
    const count = this.#fs.counts.get(op) ?? 0
    if (count >= RECORDS_MAX) return
    const path = join(this.#recordDirectory, `${op}-${count + 1}.bin`)
    writeFileSync(path, this.#buffer.subarray(0, length))
  }
}
