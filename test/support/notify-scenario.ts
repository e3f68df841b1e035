/**
 * What becomes of the kernel's caches when the notify thread speaks to it. Every look into the
 * mount is one of another process.
 */

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { encodeNotifyInvalEntry, encodeNotifyInvalInode } from '../../lib/fuse/encode.ts'
import type { FuseMount } from '../../lib/fuse/mount.ts'
import { openMount } from '../../lib/fuse/mount.ts'
import { NotifyCount } from '../../lib/fuse/notify-count.ts'
import { WakeEvent } from '../../lib/io/wake-event.ts'
import type { NotifyOutcome, NotifyThreadInput } from '../../lib/fuse/notify-thread.ts'
import type { Ino } from '../../lib/ids.ts'
import { TinyFs } from './tiny-fs.ts'
import { TinyServer } from './tiny-server.ts'

const NOTIFY_THREAD = new URL('../../lib/fuse/notify-thread.ts', import.meta.url)
const ROOT = 1 as Ino
const UNKNOWN = (2 ** 32 + 1_000_000) as Ino
const CHILD_MS = 30_000
/** write(2), by Node's name for the CPU. */
const WRITE_NUMBERS: Partial<Record<string, number>> = { x64: 1, arm64: 64 }

const run = promisify(execFile)

/** Mounts at `place`, and unmounts. */
export async function notifyScenario(place: string): Promise<unknown> {
  const fuse = await openMount({ mountpoint: place, fsname: 'tiny' })
  const thread = new Worker(NOTIFY_THREAD, {
    workerData: {
      queue: 'inodes',
      count: new NotifyCount().shared,
      wake: WakeEvent.open().parts,
      fuseFd: fuse.fd
    } satisfies NotifyThreadInput
  })
  const scenario = new NotifyScenario(place, fuse, thread)
  const ended = scenario.server.run()
  try {
    return {
      pages: await scenario.pages(),
      names: await scenario.names(),
      absent: await scenario.absent(),
      unknown: await scenario.unknown(),
      held: await scenario.held()
    }
  } finally {
    await fuse.unmount()
    await ended
    await thread.terminate()
    fuse.close()
  }
}

class NotifyScenario {
  readonly server: TinyServer
  readonly #fs = new TinyFs(0, 0)
  readonly #place: string
  readonly #fd: number
  readonly #thread: Worker
  readonly #results: number[] = []
  #sent = 0

  constructor(place: string, { fd }: FuseMount, thread: Worker) {
    this.#place = place
    this.#fd = fd
    this.#thread = thread
    this.server = new TinyServer(fd, this.#fs)
    thread.on('message', ({ result }: NotifyOutcome) => this.#results.push(result))
  }

  /** A cached file changes; its size stays, so that its attributes tell nothing. */
  async pages(): Promise<unknown> {
    await this.#sh('printf one >file')
    const before = await this.#cat('file')
    this.#fs.overwrite('file', 'two')
    const unasked = await this.#cat('file')
    await this.#tell(this.#invalInode(this.#fs.inoOf('file')))
    return { before, unasked, after: await this.#cat('file') }
  }

  /** A cached name leads to another file. */
  async names(): Promise<unknown> {
    await this.#sh('printf one >name; printf other >other')
    const before = await this.#cat('name')
    this.#fs.exchange('name', 'other')
    const unasked = await this.#cat('name')
    await this.#tell(this.#invalEntry('name'))
    return { before, unasked, after: await this.#cat('name') }
  }

  /** A name that was missing, which the kernel remembers, comes. */
  async absent(): Promise<unknown> {
    await this.#sh('printf come >source')
    const look = 'cat new 2>/dev/null || printf none'
    const before = await this.#sh(look)
    this.#fs.exchange('new', 'source')
    const unasked = await this.#sh(look)
    await this.#tell(this.#invalEntry('new'))
    return { before, unasked, after: await this.#sh(look) }
  }

  async unknown(): Promise<unknown> {
    const nonsense = this.#invalInode(UNKNOWN)
    nonsense.writeInt32LE(999, 4)
    return {
      inode: await this.#tell(this.#invalInode(UNKNOWN)),
      name: await this.#tell(this.#invalEntry('never heard of')),
      nonsense: await this.#tell(nonsense)
    }
  }

  /** A page is being read, so the kernel keeps the thread waiting until it has been. */
  async held(): Promise<unknown> {
    await this.#sh('printf 12345 >held')
    this.#fs.overwrite('held', 'three')
    await this.#tell(this.#invalInode(this.#fs.inoOf('held')))
    this.server.held = 'read'
    const reading = this.#cat('held')
    while (this.server.heldCount === 0) await setImmediate()
    this.#post(this.#invalInode(this.#fs.inoOf('held')))
    while (!this.#isWriting()) await setImmediate()
    const others = await this.#cat('file')
    const isTold = this.#results.length === this.#sent
    const busy = { isWaiting: this.#isWriting(), isTold, others }
    this.server.release()
    const read = await reading
    await this.#untilTold()
    this.#fs.overwrite('held', 'seven')
    await this.#tell(this.#invalInode(this.#fs.inoOf('held')))
    return { busy, read, then: await this.#cat('held') }
  }

  #invalInode(ino: Ino): Buffer {
    const message = Buffer.alloc(64)
    return message.subarray(0, encodeNotifyInvalInode(message, ino, 0, -1))
  }

  #invalEntry(name: string): Buffer {
    const message = Buffer.alloc(128)
    return message.subarray(0, encodeNotifyInvalEntry(message, ROOT, name))
  }

  #post(message: Buffer): void {
    this.#sent++
    this.#thread.postMessage({ message })
  }

  /** @returns what the thread says came of it */
  async #tell(message: Buffer): Promise<number | undefined> {
    this.#post(message)
    await this.#untilTold()
    return this.#results.at(-1)
  }

  async #untilTold(): Promise<void> {
    while (this.#results.length < this.#sent) await setImmediate()
  }

  /** Whether a thread of this process waits in a write to the device. */
  #isWriting(): boolean {
    const call = `${String(WRITE_NUMBERS[process.arch])} 0x${this.#fd.toString(16)} `
    return readdirSync('/proc/self/task').some(task =>
      readFileSync(join('/proc/self/task', task, 'syscall'), 'latin1').startsWith(call)
    )
  }

  #cat(name: string): Promise<string> {
    return this.#sh(`cat ${name}`)
  }

  async #sh(script: string): Promise<string> {
    const { stdout } = await run('sh', ['-c', `cd "$0" && ${script}`, this.#place], {
      timeout: CHILD_MS,
      killSignal: 'SIGKILL'
    })
    return stdout
  }
}
