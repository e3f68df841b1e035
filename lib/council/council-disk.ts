/**
 * A member's part of the council's log, on its disk.
 *
 * Writes are appended to one file, and are durable when the next `sync` has returned. A snapshot
 * begins another file, which takes the place of the old one once it is durable; until then the old
 * one has everything that was promised. So after a crash the log is as it was after one of the
 * writes, none of which is older than the last sync.
 *
 * What a voter has promised must not be forgotten, so what was durable and is bad now is refused
 * and never cut off. Of the very last writes before a power cut nobody knows whether they were
 * durable; closing marks them, and so does each write that follows.
 */

import { RoostError } from '../errors.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import { assert } from '../util/assert.ts'
import { decodeLog, encodeLogFrame, encodeLogHeader, LOG_HEADER_SIZE } from './council-log.ts'
import type { CouncilRequest } from './command.ts'
import { joiningLog } from './founding.ts'
import type { RaftEntry, RaftWrite } from './raft-io.ts'
import { applyRaftWrite, lastPlace, type DurableRaft } from './raft-state.ts'

type Durable = DurableRaft<CouncilRequest>
type Write = RaftWrite<CouncilRequest>

const DIRECTORY = 'council'
const LOG = `${DIRECTORY}/log`
/** A file that is not durable yet. */
const NEXT = `${DIRECTORY}/log.next`
/**
 * Zeros that are written ahead: a sync of a file that does not grow leaves the journal of the file
 * system below alone, and takes less than half the time.
 */
const AHEAD_SIZE = 256 * 1024
/** Entries of one frame in a new file. */
const ENTRIES_PER_FRAME = 256

export class CouncilDisk {
  readonly #disk: Disk
  /** With all writes applied, durable or not. */
  readonly #state: Durable
  #file: DiskFile
  /** Where the next frame goes, what was written ahead of it, and how far all is durable. */
  #end: number
  #allocated: number
  #durable: number
  /** The file has no name yet that anybody will look for. */
  #isNext: boolean
  /** Files whose place a new one takes; a sync of them may be under way. */
  readonly #retired: DiskFile[] = []
  #isSyncing = false
  #failed: RoostError | undefined

  /**
   * Reads what is there, or begins a log.
   *
   * @param founded what a new log begins with; undefined at a member that joins a cluster
   * @throws RoostError COUNCIL_DAMAGED, DATA_FORMAT; and what the disk throws
   */
  static async open(disk: Disk, founded: Durable | undefined): Promise<CouncilDisk> {
    if (!disk.exists(DIRECTORY)) {
      disk.makeDirectory(DIRECTORY)
      await disk.syncDirectory('')
    }
    if (disk.exists(NEXT)) disk.remove(NEXT)
    const found = disk.exists(LOG) ? readLog(disk) : undefined
    const opened = new CouncilDisk(disk, found?.state ?? founded ?? joiningLog(), found?.end)
    try {
      // Whatever lies behind the end could be taken for a part of what is written there.
      if (found?.isTorn !== false) opened.#beginFile()
      await opened.sync()
    } catch (error) {
      opened.#closeFiles()
      throw error
    }
    return opened
  }

  private constructor(disk: Disk, state: Durable, end: number | undefined) {
    this.#disk = disk
    this.#state = { ...state, entries: [...state.entries] }
    this.#isNext = end === undefined
    this.#file = disk.open(this.#isNext ? NEXT : LOG, 'create')
    this.#end = end ?? 0
    this.#allocated = this.#file.size()
    this.#durable = 0
  }

  /** A copy of the log, with all that was written. */
  get durable(): Durable {
    return { ...this.#state, entries: [...this.#state.entries] }
  }

  /** Bytes of the file that are in use. */
  get size(): number {
    return this.#end
  }

  /** Hands a write over. @throws RoostError COUNCIL_FAILED; after that nothing is written more */
  write(write: Write): void {
    this.#whileWhole('write', () => {
      applyRaftWrite(this.#state, write)
      if (write.kind !== 'snapshot' || this.#isNext || !this.#mayBeginFile()) this.#append(write)
    })
  }

  /**
   * Makes all durable that was written before the call. One at a time.
   *
   * @throws RoostError COUNCIL_FAILED; after that nothing is known of what the disk has
   */
  async sync(): Promise<void> {
    assert(!this.#isSyncing, 'a log of the council is synced twice at once')
    if (this.#failed !== undefined) throw this.#failed
    this.#isSyncing = true
    const [file, end, isNext] = [this.#file, this.#end, this.#isNext]
    try {
      await file.sync()
      if (isNext) {
        this.#disk.rename(NEXT, LOG)
        await this.#disk.syncDirectory(DIRECTORY)
        this.#isNext = false
        for (const old of this.#retired.splice(0)) old.close()
      }
      if (file === this.#file) this.#durable = end
    } catch (cause) {
      throw this.#fail('sync', cause)
    } finally {
      this.#isSyncing = false
    }
  }

  /** What is written and not durable is made so, unless the disk has failed. */
  async close(): Promise<void> {
    try {
      if (this.#failed !== undefined) return
      await this.sync()
      this.#whileWhole('write', () => {
        this.#append('mark')
      })
      await this.sync()
    } finally {
      this.#closeFiles()
    }
  }

  #closeFiles(): void {
    for (const file of [...this.#retired.splice(0), this.#file]) file.close()
  }

  #append(write: Write | 'mark'): void {
    const frame = encodeLogFrame(write, this.#end, this.#durable)
    const end = this.#end + frame.length
    if (end > this.#allocated) {
      const size = Math.ceil((end + 1) / AHEAD_SIZE) * AHEAD_SIZE
      this.#file.write(Buffer.alloc(size - this.#allocated), this.#allocated)
      this.#allocated = size
    }
    this.#file.write(frame, this.#end)
    this.#end = end
  }

  /** The old file goes on where there is no room for a new one. */
  #mayBeginFile(): boolean {
    try {
      this.#beginFile()
      return true
    } catch (error) {
      if (!isDiskFull(error)) throw error
      if (this.#disk.exists(NEXT)) this.#disk.remove(NEXT)
      return false
    }
  }

  /** Puts the whole log into a new file, to which everything goes from now on. */
  #beginFile(): void {
    const frames = framesOf(this.#state)
    const founded = LOG_HEADER_SIZE + frames.reduce((sum, { length }) => sum + length, 0)
    const size = Math.ceil((founded + 1) / AHEAD_SIZE) * AHEAD_SIZE
    const bytes = Buffer.concat([encodeLogHeader(founded), ...frames], size)
    const file = this.#isNext ? this.#file : this.#disk.open(NEXT, 'create')
    try {
      file.truncate(0)
      file.write(bytes, 0)
    } catch (error) {
      if (file !== this.#file) file.close()
      throw error
    }
    if (file !== this.#file) this.#retired.push(this.#file)
    this.#file = file
    this.#isNext = true
    this.#end = founded
    this.#allocated = size
    this.#durable = 0
  }

  #whileWhole(what: string, task: () => void): void {
    if (this.#failed !== undefined) throw this.#failed
    try {
      task()
    } catch (cause) {
      throw this.#fail(what, cause)
    }
  }

  #fail(what: string, cause: unknown): RoostError {
    const why = cause instanceof Error ? cause.message : String(cause)
    this.#failed ??= new RoostError('COUNCIL_FAILED', `${what} of the council's log: ${why}`, {
      cause
    })
    return this.#failed
  }
}

function readLog(disk: Disk): { state: Durable; end: number; isTorn: boolean } {
  const file = disk.openRead(LOG)
  try {
    const bytes = Buffer.alloc(file.size())
    file.read(bytes, 0)
    const { writes, end, isTorn } = decodeLog(bytes)
    const state = joiningLog()
    for (const write of writes) {
      if (!isNext(state, write)) {
        throw new RoostError('COUNCIL_DAMAGED', 'council/log: an entry is missing')
      }
      applyRaftWrite(state, write)
    }
    return { state, end, isTorn }
  } finally {
    file.close()
  }
}

function isNext(state: Durable, write: Write): boolean {
  const first = write.kind === 'append' ? write.entries[0] : undefined
  return first === undefined || first.index === lastPlace(state).index + 1
}

/** The log as a new file has it: snapshot, vote, entries. */
function framesOf({ term, votedFor, snapshot, entries }: Durable): Buffer[] {
  const writes: Write[] = [
    { kind: 'snapshot', snapshot, keepsTail: false },
    { kind: 'vote', term, votedFor },
    ...slicesOf(entries).map((slice): Write => ({ kind: 'append', entries: slice }))
  ]
  let at = LOG_HEADER_SIZE
  return writes.map(write => {
    const frame = encodeLogFrame(write, at, 0)
    at += frame.length
    return frame
  })
}

function slicesOf(entries: readonly RaftEntry<CouncilRequest>[]): RaftEntry<CouncilRequest>[][] {
  return Array.from({ length: Math.ceil(entries.length / ENTRIES_PER_FRAME) }, (_, i) =>
    entries.slice(i * ENTRIES_PER_FRAME, (i + 1) * ENTRIES_PER_FRAME)
  )
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC'
}
