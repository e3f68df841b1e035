/**
 * What was written into bodies and is not history yet, in a file that outlives this process.
 *
 * Programs were told that these bytes are written. Whoever takes the mount over after a crash
 * therefore reads them here and writes them again, before it answers anything. The file is never
 * synced: with the machine the programs go as well. It is as long as what is under way, since it
 * is written from its beginning again whenever nothing is.
 *
 *     record  kind, generation, inode, offset, time, length, epoch of the lease, then the bytes,
 *             generation and length once more
 *
 * A record whose end does not repeat its beginning was not written whole, so nobody was told of
 * it. A generation grows with each new beginning, which tells its records from older ones behind.
 */

import { FsError } from '../errors.ts'
import type { Epoch, Ino } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import type { Unsealed, UnsealedWrite } from '../vfs/ports.ts'

const PATH = 'unsealed'
const KIND = { WROTE: 1, SETTLED: 2 } as const
const HEAD_SIZE = 44
const TAIL_SIZE = 8
/** Bytes after which they should become history: a mail server has far less under way. */
const FULL_BYTES = 32 * 1024 * 1024

export class UnsealedFile implements Unsealed {
  readonly #file: DiskFile
  readonly #left: UnsealedWrite[] = []
  /** Inodes of which there are records that are not settled. */
  readonly #inos = new Set<Ino>()
  #out = Buffer.allocUnsafeSlow(64 * 1024)
  #position = 0
  #generation = 1
  /** What is being written is here already. */
  #isRestoring = false

  /** @param isTakeover what an earlier session wrote is of use; else it goes */
  constructor(disk: Disk, isTakeover: boolean) {
    this.#file = disk.open(PATH, 'create')
    if (isTakeover) this.#read()
    else this.#file.truncate(0)
  }

  /** Removes what a daemon has left behind that nobody took over from. */
  static discard(disk: Disk): void {
    if (disk.exists(PATH)) disk.remove(PATH)
  }

  /** What an earlier session was given and had not made history, in its order. */
  get left(): readonly UnsealedWrite[] {
    return this.#left
  }

  get isFull(): boolean {
    return this.#position >= FULL_BYTES && this.#inos.size > 0
  }

  /** Runs `restore`, which writes again what is kept here: it is not kept twice. */
  whileRestoring(restore: () => void): void {
    this.#isRestoring = true
    try {
      restore()
    } finally {
      this.#isRestoring = false
    }
  }

  wrote(write: UnsealedWrite): void {
    if (this.#isRestoring) return
    if (this.#inos.size === 0) {
      this.#position = 0
      this.#generation++
    }
    try {
      this.#append(KIND.WROTE, write)
    } catch (error) {
      throw new FsError((error as NodeJS.ErrnoException).code === 'ENOSPC' ? 'ENOSPC' : 'EIO')
    }
    this.#inos.add(write.ino)
  }

  settled(ino: Ino): void {
    if (this.#isRestoring || !this.#inos.delete(ino)) return
    try {
      this.#append(KIND.SETTLED, { ino, offset: 0, time: 0n, epoch: 0, bytes: NOTHING })
    } catch {
      // Better to have none of it than to bring back what was cut off since.
      this.#file.truncate(0)
      this.#inos.clear()
    }
  }

  close(): void {
    this.#file.close()
  }

  #append(kind: number, write: UnsealedWrite): void {
    const { ino, offset, time, epoch, bytes: data } = write
    const length = HEAD_SIZE + data.length + TAIL_SIZE
    if (this.#out.length < length) this.#out = Buffer.allocUnsafeSlow(2 * length)
    const out = this.#out
    out.writeUInt32LE(kind, 0)
    out.writeUInt32LE(this.#generation, 4)
    out.writeDoubleLE(ino, 8)
    out.writeDoubleLE(offset, 16)
    out.writeBigInt64LE(time, 24)
    out.writeDoubleLE(data.length, 32)
    out.writeUInt32LE(epoch, 40)
    out.set(data, HEAD_SIZE)
    out.writeUInt32LE(this.#generation, HEAD_SIZE + data.length)
    out.writeUInt32LE(data.length, HEAD_SIZE + data.length + 4)
    this.#file.write(out.subarray(0, length), this.#position)
    this.#position += length
  }

  #read(): void {
    const all = Buffer.allocUnsafeSlow(this.#file.size())
    const size = this.#file.read(all, 0)
    const writes = new Map<Ino, UnsealedWrite[]>()
    for (let at = 0; ;) {
      const record = recordAt(all.subarray(0, size), at)
      if (record === undefined || (at > 0 && record.generation !== this.#generation)) break
      this.#generation = record.generation
      const { kind, write } = record
      if (kind === KIND.SETTLED) writes.delete(write.ino)
      else writes.set(write.ino, [...(writes.get(write.ino) ?? []), write])
      at += HEAD_SIZE + write.bytes.length + TAIL_SIZE
      this.#position = at
    }
    for (const [ino, ofIno] of writes) {
      this.#inos.add(ino)
      this.#left.push(...ofIno)
    }
  }
}

const NOTHING = Buffer.alloc(0)

/** The record that begins at `at`, if it is whole. */
function recordAt(
  all: Buffer,
  at: number
): { generation: number; kind: number; write: UnsealedWrite } | undefined {
  if (at + HEAD_SIZE + TAIL_SIZE > all.length) return undefined
  const kind = all.readUInt32LE(at)
  const generation = all.readUInt32LE(at + 4)
  const length = all.readDoubleLE(at + 32)
  const end = at + HEAD_SIZE + length
  const isKind = kind === KIND.WROTE || kind === KIND.SETTLED
  if (!isKind || !Number.isSafeInteger(length) || length < 0) return undefined
  if (end + TAIL_SIZE > all.length) return undefined
  if (all.readUInt32LE(end) !== generation || all.readUInt32LE(end + 4) !== length) return undefined
  const write = {
    ino: all.readDoubleLE(at + 8) as Ino,
    offset: all.readDoubleLE(at + 16),
    time: all.readBigInt64LE(at + 24),
    epoch: all.readUInt32LE(at + 40) as Epoch | 0,
    bytes: all.subarray(at + HEAD_SIZE, end)
  }
  return { generation, kind, write }
}
