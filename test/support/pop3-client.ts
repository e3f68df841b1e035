/**
 * A small POP3 client. An answer of -ERR is an exception.
 */

import { LineSocket, type Address } from './line-socket.ts'

export class Pop3Client {
  readonly #socket: LineSocket

  static async connect(address: Address): Promise<Pop3Client> {
    const client = new Pop3Client(await LineSocket.connect(address))
    await client.#answer('the greeting')
    return client
  }

  constructor(socket: LineSocket) {
    this.#socket = socket
  }

  async login(user: string, password: string): Promise<void> {
    await this.command(`USER ${user}`)
    await this.command(`PASS ${password}`)
  }

  /** Sends a command with an answer of one line; returns what follows +OK. */
  command(text: string): Promise<string> {
    this.#socket.write(`${text}\r\n`)
    return this.#answer(text)
  }

  /** Sends a command with an answer of many lines; returns their bytes, dots unstuffed. */
  async multiline(text: string): Promise<Buffer> {
    await this.command(text)
    const parts: Buffer[] = []
    for (;;) {
      const line = await this.#socket.readLine()
      if (line.length === 1 && line[0] === 0x2e) return Buffer.concat(parts)
      parts.push(line[0] === 0x2e ? line.subarray(1) : line, Buffer.from('\r\n'))
    }
  }

  /** How many messages there are and their size in bytes. */
  async stat(): Promise<{ count: number; sizeBytes: number }> {
    const [count, sizeBytes] = (await this.command('STAT')).split(' ').map(Number)
    return { count: count ?? NaN, sizeBytes: sizeBytes ?? NaN }
  }

  /** Ends the session: the deletions take effect now. */
  async quit(): Promise<void> {
    await this.command('QUIT')
    this.#socket.close()
  }

  close(): void {
    this.#socket.close()
  }

  async #answer(asked: string): Promise<string> {
    const line = (await this.#socket.readLine()).toString('latin1')
    if (line.startsWith('+OK')) return line.slice(4)
    throw new Error(`POP3: ${asked} was answered with ${line}`)
  }
}
