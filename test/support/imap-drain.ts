/**
 * An IMAP client that looks at nothing but how a command ends: what the server sends meanwhile is
 * counted and thrown away, so that a measurement is one of the server.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Long enough for what is measured, short against a hang. */
const PATIENCE_MS = 120_000
/** Bytes at the end of what was received in which a command's last line is looked for. */
const TAIL_BYTES = 1024

export interface Drained {
  readonly bytes: number
  readonly seconds: number
}

export class ImapDrain {
  readonly #socket: Socket
  #commands = 0

  /** Connects and logs in. */
  static async login(path: string, user: string, password: string): Promise<ImapDrain> {
    const socket = connect({ path })
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('the server says nothing')))
    // The greeting.
    await once(socket, 'data')
    const client = new ImapDrain(socket)
    await client.run(`LOGIN ${user} ${password}`)
    return client
  }

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Runs a command that must end with OK. */
  async run(command: string): Promise<Drained> {
    const tag = `d${String(++this.#commands)}`
    const end = new RegExp(`(?:^|\\r\\n)${tag} (OK|NO|BAD)([^\\r\\n]*)\\r\\n$`)
    const start = performance.now()
    this.#socket.write(`${tag} ${command}\r\n`)
    let bytes = 0
    let tail = ''
    for (;;) {
      const [chunk] = (await once(this.#socket, 'data')) as [Buffer]
      bytes += chunk.length
      tail = (tail + chunk.subarray(-TAIL_BYTES).toString('latin1')).slice(-TAIL_BYTES)
      const [, status, text] = end.exec(tail) ?? []
      if (status === undefined) continue
      if (status !== 'OK') throw new Error(`IMAP: ${command} was answered ${status}${String(text)}`)
      return { bytes, seconds: (performance.now() - start) / 1000 }
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}
