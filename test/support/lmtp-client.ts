/**
 * A small LMTP client: delivers messages over one connection, with one reply per recipient.
 *
 * A message is given as bytes with CRLF line ends; dots are stuffed here.
 */

import { LineSocket, type Address } from './line-socket.ts'

/** What the server answered for one recipient; 250 alone means that it has the message. */
export interface LmtpReply {
  readonly recipient: string
  readonly code: number
  readonly text: string
}

export class LmtpClient {
  readonly #socket: LineSocket

  static async connect(address: Address, patienceMs?: number): Promise<LmtpClient> {
    const socket = await LineSocket.connect(address, patienceMs)
    const client = new LmtpClient(socket)
    await client.#expect(220)
    socket.write('LHLO tests\r\n')
    await client.#expect(250)
    return client
  }

  constructor(socket: LineSocket) {
    this.#socket = socket
  }

  /** Delivers one message; a recipient refused at RCPT has that reply as its reply. */
  deliver(recipients: readonly string[], message: Buffer): Promise<LmtpReply[]> {
    return this.deliverStuffed(recipients, stuffed(message))
  }

  /** As `deliver`, for bytes that are as DATA wants them already, the last dot included. */
  async deliverStuffed(recipients: readonly string[], data: Buffer): Promise<LmtpReply[]> {
    const envelope = ['MAIL FROM:<sender@example.org>', ...recipients.map(r => `RCPT TO:<${r}>`)]
    this.#socket.write(`${envelope.join('\r\n')}\r\nDATA\r\n`)
    await this.#expect(250)
    const replies: LmtpReply[] = []
    for (const recipient of recipients) replies.push({ recipient, ...(await this.#reply()) })
    const goAhead = await this.#reply()
    if (goAhead.code !== 354) return replies
    this.#socket.write(data)
    for (const [at, reply] of replies.entries()) {
      if (reply.code !== 250) continue
      replies[at] = { recipient: reply.recipient, ...(await this.#reply()) }
    }
    return replies
  }

  async quit(): Promise<void> {
    this.#socket.write('QUIT\r\n')
    await this.#expect(221)
    this.#socket.close()
  }

  close(): void {
    this.#socket.close()
  }

  async #expect(code: number): Promise<void> {
    const reply = await this.#reply()
    if (reply.code === code) return
    throw new Error(`LMTP: expected ${String(code)}, got ${String(reply.code)} ${reply.text}`)
  }

  async #reply(): Promise<{ code: number; text: string }> {
    let line: string
    do line = (await this.#socket.readLine()).toString('latin1')
    while (line[3] === '-')
    return { code: Number(line.slice(0, 3)), text: line.slice(4) }
  }
}

/** The message as DATA wants it: a dot at the start of a line doubled, and the end marked. */
function stuffed(message: Buffer): Buffer {
  const text = message.toString('latin1').replace(/^\./gm, '..')
  return Buffer.from(text.endsWith('\r\n') ? `${text}.\r\n` : `${text}\r\n.\r\n`, 'latin1')
}
