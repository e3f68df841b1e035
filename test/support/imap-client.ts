/**
 * A small IMAP client: commands by tag, literals both ways, IDLE.
 *
 * It keeps no state of the mailbox; a test reads what it needs from the untagged lines.
 */

import { LineSocket, type Address } from './line-socket.ts'

/** An untagged line. A literal shows as `{size}` in the text; its bytes are in `literals`. */
export interface ImapLine {
  readonly text: string
  readonly literals: readonly Buffer[]
}

/** The end of a command, with the untagged lines that came before it. */
export interface ImapReply {
  readonly status: 'OK' | 'NO' | 'BAD'
  readonly text: string
  readonly lines: readonly ImapLine[]
}

/** One fetched message: what `* n FETCH (…)` said. */
export interface FetchedMessage {
  readonly sequence: number
  readonly uid: number
  /** In the order of their names; \Recent is left out, for it belongs to the session. */
  readonly flags: readonly string[]
  /** The literal of the line, if there was one. */
  readonly body: Buffer | undefined
}

export class ImapClient {
  readonly #socket: LineSocket
  #tags = 0

  static async connect(address: Address): Promise<ImapClient> {
    const client = new ImapClient(await LineSocket.connect(address))
    await client.#socket.readLine()
    return client
  }

  constructor(socket: LineSocket) {
    this.#socket = socket
  }

  login(user: string, password: string): Promise<ImapReply> {
    return this.command(`LOGIN ${user} ${password}`)
  }

  /** Runs a command that must end with OK. A Buffer among the parts is sent as a literal. */
  async command(...parts: readonly (string | Buffer)[]): Promise<ImapReply> {
    const reply = await this.attempt(...parts)
    if (reply.status === 'OK') return reply
    const asked = parts.map(part => (typeof part === 'string' ? part : '{…}')).join('')
    throw new Error(`IMAP: ${asked} was answered with ${reply.status} ${reply.text}`)
  }

  /** As `command`, for a command which may end with NO or BAD. */
  async attempt(...parts: readonly (string | Buffer)[]): Promise<ImapReply> {
    const tag = this.#nextTag()
    const bytes = parts.map(part => (typeof part === 'string' ? part : literalOf(part)))
    this.#socket.write(Buffer.concat([tag, ' ', ...bytes, '\r\n'].map(bufferOf)))
    return this.#until(tag)
  }

  append(mailbox: string, flags: readonly string[], message: Buffer): Promise<ImapReply> {
    return this.command(`APPEND "${mailbox}" (${flags.join(' ')}) `, message)
  }

  /** Fetches `items` besides UID and FLAGS of the messages that `set` names by UID. */
  async fetch(set: string, items = ''): Promise<FetchedMessage[]> {
    const { lines } = await this.command(`UID FETCH ${set} (UID FLAGS ${items})`)
    return lines.flatMap(fetchedOf)
  }

  /** The UIDs that match, in the server's order. */
  async search(criteria: string): Promise<number[]> {
    const { lines } = await this.command(`UID SEARCH ${criteria}`)
    const found = lines.find(line => line.text.startsWith('* SEARCH'))
    return (found?.text.match(/\d+/g) ?? []).map(Number)
  }

  /** Begins IDLE; resolves when the server watches the mailbox. */
  async idle(): Promise<ImapIdle> {
    const tag = this.#nextTag()
    this.#socket.write(`${tag} IDLE\r\n`)
    const line = await this.#readLine()
    if (!line.text.startsWith('+')) throw new Error(`IMAP: IDLE was answered with ${line.text}`)
    return {
      next: async wanted => {
        for (;;) {
          const told = await this.#readLine()
          if (wanted.test(told.text)) return told.text
        }
      },
      done: () => {
        this.#socket.write('DONE\r\n')
        return this.#until(tag)
      }
    }
  }

  async logout(): Promise<void> {
    await this.command('LOGOUT')
    this.#socket.close()
  }

  close(): void {
    this.#socket.close()
  }

  #nextTag(): string {
    this.#tags += 1
    return `a${String(this.#tags)}`
  }

  async #until(tag: string): Promise<ImapReply> {
    const lines: ImapLine[] = []
    for (;;) {
      const line = await this.#readLine()
      if (!line.text.startsWith(`${tag} `)) {
        lines.push(line)
        continue
      }
      const [, status = '', text = ''] = /^\S+ (OK|NO|BAD) ?(.*)$/.exec(line.text) ?? []
      return { status: status as ImapReply['status'], text, lines }
    }
  }

  async #readLine(): Promise<ImapLine> {
    let text = ''
    const literals: Buffer[] = []
    for (;;) {
      text += (await this.#socket.readLine()).toString('latin1')
      const size = /\{(\d+)\}$/.exec(text)?.[1]
      if (size === undefined) return { text, literals }
      literals.push(await this.#socket.readBytes(Number(size)))
    }
  }
}

/** An IDLE under way: nothing else may be asked of the client before `done`. */
export interface ImapIdle {
  /** The next line that matches; fails when the server says nothing for the patience. */
  next(wanted: RegExp): Promise<string>
  done(): Promise<ImapReply>
}

/** LITERAL+: the bytes follow without waiting for the server's go-ahead. */
function literalOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`{${String(bytes.length)}+}\r\n`), bytes])
}

function bufferOf(part: string | Buffer): Buffer {
  return typeof part === 'string' ? Buffer.from(part, 'latin1') : part
}

function fetchedOf(line: ImapLine): FetchedMessage[] {
  const [, sequence, uid] = /^\* (\d+) FETCH \(.*?UID (\d+)/.exec(line.text) ?? []
  if (sequence === undefined || uid === undefined) return []
  const flags = /FLAGS \(([^)]*)\)/.exec(line.text)?.[1]?.split(' ') ?? []
  const kept = flags.filter(flag => flag !== '' && flag !== '\\Recent').sort()
  return [{ sequence: Number(sequence), uid: Number(uid), flags: kept, body: line.literals[0] }]
}
