/**
 * The serving thread with a kernel of a few requests and a clock that stands still until it is
 * moved. The log and the store are real and lie in a directory of their own; nothing syncs the log
 * unless a test does.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Test } from 'tap'
import { ERRNO } from '../../lib/errors.ts'
import { FeedProgress } from '../../lib/feed/feed-progress.ts'
import {
  FUSE_MAJOR,
  FUSE_MINOR,
  IN_HEADER_SIZE,
  OPCODE,
  OUT_HEADER_SIZE
} from '../../lib/fuse/abi.ts'
import { NotifyCount } from '../../lib/fuse/notify-count.ts'
import type {
  FromFuseThread,
  FuseThreadInput,
  ServingMode,
  ToFuseThread
} from '../../lib/fuse/thread-messages.ts'
import { LoadAnswerer } from '../../lib/host/load-answerer.ts'
import { DEFAULT_TUNING } from '../../lib/host/tuning.ts'
import type { Ino, Position } from '../../lib/ids.ts'
import * as libc from '../../lib/io/libc.ts'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { WakeEvent } from '../../lib/io/wake-event.ts'
import { Keeper } from '../../lib/keeper/keeper.ts'
import { LevelStore } from '../../lib/store/level-store.ts'
import { ByteWriter } from '../../lib/util/bytes.ts'
import { DEFAULT_CACHE_LIMITS } from '../../lib/vfs/live-tree.ts'
import type { SteppedThreadInput } from './fuse-server-thread.ts'

const THREAD = new URL('fuse-server-thread.ts', import.meta.url)
const ROOT = 1 as Ino
const O_RDWR = 2

/** Fields of a request: numbers are u32, bigints u64, strings bytes as they are. */
type Field = number | bigint | string

/** What the kernel would get: the errno, 0 where all is well, and what follows. */
export interface SteppedReply {
  readonly errno: number
  readonly body: Buffer
}

export class SteppedServer {
  /** What was asked to be synced; `report` says that it was. */
  readonly progress = new FeedProgress()
  readonly #keeper: Keeper
  readonly #wake = WakeEvent.open()
  readonly #time = new SharedArrayBuffer(4)
  readonly #timeWords = new Int32Array(this.#time)
  readonly #fds = libc.socketpair()
  readonly #answerer: LoadAnswerer
  readonly #thread: Worker
  readonly #replies = new Map<number, SteppedReply>()
  readonly #in = Buffer.alloc(64 * 1024)
  #onAppended: (position: Position) => void = () => undefined
  #hasEnded = false
  #unique = 0

  private constructor(keeper: Keeper, directory: string, mode: ServingMode) {
    this.#keeper = keeper
    for (const fd of this.#fds) libc.setNonBlocking(fd, true)
    const silent = (): undefined => undefined
    const logger = { debug: silent, info: silent, warn: silent, error: silent }
    this.#answerer = new LoadAnswerer(keeper, logger, answer => {
      this.#tell({ type: 'loaded', answer })
    })
    const input: FuseThreadInput = {
      fuseFd: this.#fds[0],
      wake: this.#wake.parts,
      notified: new NotifyCount().shared,
      directory,
      session: keeper.session,
      progress: this.progress.shared,
      volumeDepth: 1,
      mode,
      xattrs: false,
      fileRules: DEFAULT_TUNING.fileRules,
      cacheLimits: DEFAULT_CACHE_LIMITS,
      syncAfterMs: DEFAULT_TUNING.syncAfterMs,
      owner: { uid: 0, gid: 0 },
      orphans: []
    }
    this.#thread = new Worker(THREAD, {
      workerData: { input, time: this.#time } satisfies SteppedThreadInput
    })
    this.#thread.on('message', (messages: readonly FromFuseThread[]) => {
      for (const message of messages) this.#hear(message)
    })
  }

  /** An empty store, served; it goes with the test. */
  static async start(t: Test, mode: ServingMode): Promise<SteppedServer> {
    const directory = await mkdtemp(join(tmpdir(), 'roost-'))
    t.teardown(() => rm(directory, { recursive: true }))
    const keeper = await Keeper.open({
      disk: new NodeDisk(directory),
      openStore: () => LevelStore.open(join(directory, 'store'))
    })
    const server = new SteppedServer(keeper, directory, mode)
    t.teardown(() => server.#close())
    await server.#ask(OPCODE.INIT, ROOT, [FUSE_MAJOR, FUSE_MINOR, 0, 0])
    return server
  }

  /** Moves the clock, and tells nobody. */
  set ms(ms: number) {
    Atomics.store(this.#timeWords, 0, ms)
  }

  get ms(): number {
    return Atomics.load(this.#timeWords, 0)
  }

  /** Returns when the server has looked at the clock since it was moved. */
  async turn(): Promise<void> {
    // It looks after each request, and so before it answers a second one.
    await this.getattr(ROOT)
    await this.getattr(ROOT)
  }

  /** Where the log ends. */
  async appended(): Promise<Position> {
    const appended = new Promise<Position>(resolve => (this.#onAppended = resolve))
    this.#tell({ type: 'figures', id: 1 })
    return appended
  }

  /** The log is durable through `position`. */
  report(position: Position): void {
    this.progress.report(position)
    this.#wake.tell()
  }

  async getattr(ino: Ino): Promise<SteppedReply> {
    return this.#ask(OPCODE.GETATTR, ino, [0, 0, 0n])
  }

  async mkdir(parent: Ino, name: string): Promise<Ino> {
    return inoIn(await this.#ask(OPCODE.MKDIR, parent, [0o755, 0, `${name}\0`]))
  }

  /** Makes a file, which stays open in mode 'shared'. */
  async create(parent: Ino, name: string): Promise<Ino> {
    return inoIn(await this.#ask(OPCODE.CREATE, parent, [O_RDWR, 0o644, 0, 0, `${name}\0`]))
  }

  async write(ino: Ino, text: string): Promise<SteppedReply> {
    return this.#ask(OPCODE.WRITE, ino, [0n, 0n, text.length, 0, 0n, O_RDWR, 0, text])
  }

  /** Sends FSYNCDIR. @returns the number by which `replyTo` knows it */
  beginFsyncdir(ino: Ino): Promise<number> {
    return this.#send(OPCODE.FSYNCDIR, ino, [0n, 0, 0])
  }

  /** @returns the reply, if it has come */
  replyTo(unique: number): SteppedReply | undefined {
    this.#receive()
    return this.#replies.get(unique)
  }

  async untilReply(unique: number): Promise<SteppedReply> {
    for (;;) {
      const reply = this.replyTo(unique)
      if (reply !== undefined) return reply
      await setImmediate()
    }
  }

  async #ask(opcode: number, ino: Ino, args: readonly Field[]): Promise<SteppedReply> {
    const reply = await this.untilReply(await this.#send(opcode, ino, args))
    if (reply.errno !== 0) throw new Error(`opcode ${String(opcode)}: errno ${reply.errno}`)
    return reply
  }

  /** The device gives one request to each read, and a socket all that there is: one at a time. */
  async #send(opcode: number, ino: Ino, args: readonly Field[]): Promise<number> {
    const unique = ++this.#unique
    const body = bytesOf(args)
    const header = [IN_HEADER_SIZE + body.length, opcode, BigInt(unique), BigInt(ino), 0, 0, 0, 0]
    const message = Buffer.concat([bytesOf(header), body])
    libc.write(this.#fds[1], message, message.length)
    while (libc.poll2(this.#fds[0], -1, 0) !== 0) await setImmediate()
    return unique
  }

  /** A stream has no borders between messages, so several may come at once. */
  #receive(): void {
    const length = libc.read(this.#fds[1], this.#in, this.#in.length)
    if (length === -ERRNO.EAGAIN) return
    for (let at = 0; at < length;) {
      const end = at + this.#in.readUInt32LE(at)
      const reply = {
        errno: -this.#in.readInt32LE(at + 4),
        body: Buffer.from(this.#in.subarray(at + OUT_HEADER_SIZE, end))
      }
      this.#replies.set(Number(this.#in.readBigUInt64LE(at + 8)), reply)
      at = end
    }
  }

  #hear(message: FromFuseThread): void {
    if (message.type === 'load') void this.#answerer.answer(message.load)
    else if (message.type === 'figures') this.#onAppended(message.figures.appended)
    else if (message.type === 'prepare') void this.#prepare(message.segment)
    else if (message.type === 'ended') this.#hasEnded = true
  }

  async #prepare(segment: number): Promise<void> {
    await this.#keeper.prepareSegment(segment)
    this.#tell({ type: 'prepared', segment, isThere: true })
  }

  #tell(message: ToFuseThread): void {
    this.#thread.postMessage(message)
    this.#wake.tell()
  }

  async #close(): Promise<void> {
    this.#tell({ type: 'stop' })
    while (!this.#hasEnded) await setImmediate()
    await this.#thread.terminate()
    await this.#keeper.close()
    this.#wake.close()
    for (const fd of this.#fds) libc.close(fd)
  }
}

function bytesOf(fields: readonly Field[]): Buffer {
  const writer = new ByteWriter()
  for (const field of fields) {
    if (typeof field === 'number') writer.u32(field)
    else if (typeof field === 'bigint') writer.u64(field)
    else writer.bytes(Buffer.from(field, 'latin1'))
  }
  return writer.take()
}

/** struct fuse_entry_out begins with the number. */
function inoIn({ body }: SteppedReply): Ino {
  return Number(body.readBigUInt64LE(0)) as Ino
}
