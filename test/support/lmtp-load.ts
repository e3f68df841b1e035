/**
 * A load of LMTP deliveries: what the bench measures with and the kill tests count on.
 *
 * Only an answer of 250 counts as delivered. A message whose answer never came, because the
 * server died or the load was stopped, is neither delivered nor failed: it may be there or not.
 *
 * As a program of its own, it prints its result as JSON (with --json the ids of the messages too)
 * and stops at SIGTERM:
 *
 *   TS_NODE_TRANSPILE_ONLY=1 node --import @tapjs/typescript/import test/support/lmtp-load.ts \
 *     --socket PATH --clients 8 --messages 2000 --size 8192 --users 20 --warm-up
 */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LmtpClient, type LmtpReply } from './lmtp-client.ts'

export interface LmtpLoadOptions {
  readonly socketPath: string
  /** Message n goes to user n modulo their count. */
  readonly users: readonly string[]
  /** Connections, each with one message under way at a time. */
  readonly clients: number
  /** Of all clients together; Infinity to go on until the signal. */
  readonly messages: number
  /** Of each body; the header comes on top. */
  readonly sizeBytes: number
  /**
   * First one message to each user, one after the other and not counted. For new users: when two
   * deliveries at once are the first of a dbox user, Dovecot 2.3 locks itself out on any file
   * system, for both create INBOX and take two locks in opposite order.
   */
  readonly warmUp?: boolean | undefined
  /** Part of each Message-ID, so that the loads of one test can be told apart. */
  readonly run?: string | undefined
  readonly onAccepted?: ((user: string, messageId: string) => void) | undefined
  /** Stops the load at once: the messages under way stay without an answer. */
  readonly signal?: AbortSignal | undefined
}

/** One message of the load. Its header X-Roost-Seq is `seq`. */
export interface LoadMessage {
  readonly user: string
  readonly messageId: string
  readonly seq: number
}

export interface LmtpLoadResult {
  readonly delivered: number
  readonly failed: number
  readonly seconds: number
  readonly perSecond: number
  readonly latenciesMs: { readonly p50: number; readonly p99: number }
  /** Answered with 250, in the order of the answers. */
  readonly acceptedIds: readonly LoadMessage[]
  /** Sent at least in part, without an answer. */
  readonly unanswered: readonly LoadMessage[]
  /** How often each text was answered for a failed message, and each error of a connection. */
  readonly failures: Readonly<Record<string, number>>
}

const LINE = `${'All work and no play makes a dull mail store. '.repeat(2).slice(0, 76)}\r\n`

/** Delivers the messages; returns when all are answered or no connection is left. */
export async function runLmtpLoad(options: LmtpLoadOptions): Promise<LmtpLoadResult> {
  const load = new LmtpLoad(options)
  if (options.warmUp === true) await warmUp(options)
  const start = performance.now()
  await Promise.all(Array.from({ length: options.clients }, () => load.runClient()))
  return load.result((performance.now() - start) / 1000)
}

async function warmUp({ socketPath, users }: LmtpLoadOptions): Promise<void> {
  const client = await LmtpClient.connect({ path: socketPath })
  for (const user of new Set(users)) {
    const [reply] = await client.deliver([user], Buffer.from('Subject: the first\r\n\r\n'))
    if (reply?.code === 250) continue
    throw new Error(`LMTP refuses mail for ${user}: ${String(reply?.text)}`)
  }
  await client.quit()
}

class LmtpLoad {
  readonly #options: LmtpLoadOptions
  readonly #body: Buffer
  readonly #run: string
  #sent = 0
  #failed = 0
  readonly #accepted: LoadMessage[] = []
  readonly #unanswered: LoadMessage[] = []
  readonly #latenciesMs: number[] = []
  readonly #failures: Record<string, number> = {}

  constructor(options: LmtpLoadOptions) {
    this.#options = options
    this.#body = bodyOf(options.sizeBytes)
    this.#run = options.run ?? `${String(process.pid)}.${Date.now().toString(36)}`
  }

  async runClient(): Promise<void> {
    const { socketPath, signal, messages } = this.#options
    let client: LmtpClient | undefined
    const stop = (): void => client?.close()
    signal?.addEventListener('abort', stop)
    try {
      client = await LmtpClient.connect({ path: socketPath })
      while (this.#sent < messages && signal?.aborted !== true) await this.#deliverNext(client)
    } catch (error) {
      if (signal?.aborted !== true) this.#count(String(error))
    } finally {
      signal?.removeEventListener('abort', stop)
      client?.close()
    }
  }

  result(seconds: number): LmtpLoadResult {
    const delivered = this.#accepted.length
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b)
    const rankOf = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0
    return {
      delivered,
      failed: this.#failed,
      seconds,
      perSecond: delivered / seconds,
      latenciesMs: { p50: rankOf(0.5), p99: rankOf(0.99) },
      acceptedIds: this.#accepted,
      unanswered: this.#unanswered,
      failures: this.#failures
    }
  }

  async #deliverNext(client: LmtpClient): Promise<void> {
    const message = this.#nextMessage()
    const start = performance.now()
    let reply: LmtpReply | undefined
    try {
      const data = Buffer.concat([headerOf(message), this.#body])
      reply = (await client.deliverStuffed([message.user], data))[0]
    } catch (error) {
      this.#unanswered.push(message)
      throw error
    }
    if (reply?.code !== 250) {
      this.#failed += 1
      this.#count(`${String(reply?.code)} ${(reply?.text ?? '').replace(/\S*\d\S*/g, '#')}`)
      return
    }
    this.#latenciesMs.push(performance.now() - start)
    this.#accepted.push(message)
    this.#options.onAccepted?.(message.user, message.messageId)
  }

  #nextMessage(): LoadMessage {
    const { users } = this.#options
    const seq = this.#sent
    this.#sent += 1
    const messageId = `<${this.#run}.${String(seq)}@load.example>`
    return { user: users[seq % users.length] ?? '', messageId, seq }
  }

  #count(failure: string): void {
    this.#failures[failure] = (this.#failures[failure] ?? 0) + 1
  }
}

function headerOf({ user, messageId, seq }: LoadMessage): Buffer {
  return Buffer.from(
    `From: Load <load@example.org>\r\nTo: <${user}>\r\nSubject: message ${String(seq)}\r\n` +
      `Message-ID: ${messageId}\r\nX-Roost-Seq: ${String(seq)}\r\n\r\n`,
    'latin1'
  )
}

/** Exactly that many bytes of lines that begin with no dot, and the dot that ends DATA. */
export function bodyOf(sizeBytes: number): Buffer {
  const lines = LINE.repeat(Math.ceil(sizeBytes / LINE.length))
  return Buffer.from(`${lines.slice(0, Math.max(0, sizeBytes - 2))}\r\n.\r\n`, 'latin1')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string' },
      clients: { type: 'string', default: '1' },
      messages: { type: 'string', default: '100' },
      size: { type: 'string', default: '8192' },
      users: { type: 'string', default: '1' },
      run: { type: 'string' },
      'warm-up': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false }
    }
  })
  if (values.socket === undefined) throw new Error('--socket PATH is missing')
  const stopped = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.on(signal, () => {
      stopped.abort()
    })
  const result = await runLmtpLoad({
    socketPath: values.socket,
    clients: Number(values.clients),
    messages: Number(values.messages),
    sizeBytes: Number(values.size),
    users: Array.from({ length: Number(values.users) }, (_, at) => `user${String(at + 1)}`),
    run: values.run,
    warmUp: values['warm-up'],
    signal: stopped.signal
  })
  const short = { ...result, acceptedIds: undefined, unanswered: result.unanswered.length }
  const told = values.json ? result : short
  process.stdout.write(`${JSON.stringify(told)}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
