import type { ErrnoName } from '../../lib/errors.ts'
import { ERRNO } from '../../lib/errors.ts'
import type { Disk, DiskFile } from '../../lib/io/disk.ts'
import { assert, present } from '../../lib/util/assert.ts'
import { BLOCK, SimFile } from './sim-file.ts'
import { partsOf, SimDirectory, SimNames } from './sim-names.ts'
import type { NameOrder, SimNode } from './sim-names.ts'
import type { SimRandom } from './sim-random.ts'

/** What a fault can be set for; 'sync' stands for syncNow too, 'read' for readAsync. */
export type DiskCall =
  | 'open'
  | 'list'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'removeDirectory'
  | 'syncDirectory'
  | 'syncAll'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'

export interface SimDiskOptions {
  /** Size of the disk, in blocks of 4 KiB that files take up. */
  capacityBytes?: number
  nameOrder?: NameOrder
  /** A disk that says it has synced and has not, as some do. */
  losesSyncs?: boolean
}

/** The power is off: nothing that began before it may go on. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut'
  readonly code = 'POWER_CUT'
}

/**
 * A disk in memory which forgets, when the power is cut, what a real one may forget.
 *
 * The same calls and the same seed give the same disk: promises settle within microtasks.
 */
export class SimDisk implements Disk {
  /** Calls so far that were to change the disk or to make a change durable. */
  mutations = 0
  /** The power is cut in place of the mutation that would get this number. */
  cutAtMutation = Infinity
  hasPageCache = true
  readonly #capacityBytes: number
  readonly #losesSyncs: boolean
  readonly #names: SimNames
  /** Files that take up space, also those without a name that are still open. */
  readonly #files = new Set<SimFile>()
  readonly #faults: { call: DiskCall; skip: number; times: number; errno: ErrnoName }[] = []
  /** How often the power was cut or the process was killed; handles of before are void. */
  #run = 0
  #isOff = false
  #cachedOpens = 0

  constructor(options: SimDiskOptions = {}) {
    this.#capacityBytes = options.capacityBytes ?? 2 ** 40
    this.#losesSyncs = options.losesSyncs ?? false
    this.#names = new SimNames(options.nameOrder ?? 'journal')
  }

  // ---- what tests do to a disk

  /**
   * Cuts the power and switches it on again: of what was not synced, a random part is left.
   * Every open file is void, and so is every promise that has not been kept.
   */
  crash(random: SimRandom): void {
    this.kill()
    this.#names.crash(random)
    const left = this.#filesBelow(this.#names.root)
    this.#files.clear()
    for (const file of left) this.#files.add(file)
    this.cutAtMutation = Infinity
    this.#isOff = false
  }

  /** The process ends, the machine does not: all that was written stays. */
  kill(): void {
    this.#run++
    for (const file of this.#files) {
      file.forgetHandles()
      this.#freeUnused(file)
    }
  }

  /** Lets calls of a kind fail: `times` of them, the first after `skip` that still succeed. */
  fail(call: DiskCall, errno: ErrnoName, options: { skip?: number; times?: number } = {}): void {
    this.#faults.push({ call, errno, skip: options.skip ?? 0, times: options.times ?? 1 })
  }

  /** Takes back every fault set by `fail`. */
  heal(): void {
    this.#faults.length = 0
  }

  /** Turns over one bit of a file, as decay does. */
  flipBit(path: string, position: number, bit = 0): void {
    this.#fileAt('open', path).flipBit(position, bit)
  }

  /** The bytes of a file as they would be if all that is not synced were lost. */
  durableBytes(path: string): Uint8Array {
    return this.#fileAt('open', path).durableBytes()
  }

  /** The bytes of a file as a program reads them. */
  bytes(path: string): Uint8Array {
    const { current } = this.#fileAt('open', path)
    return current.slice(0, current.size)
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    const below = (directory: SimDirectory, prefix: string): string[] =>
      [...directory.current].flatMap(([name, node]) =>
        node instanceof SimDirectory ? below(node, `${prefix}${name}/`) : [prefix + name]
      )
    return below(this.#names.root, '').sort()
  }

  /** Whether the power is off. */
  get isOff(): boolean {
    return this.#isOff
  }

  /** One change to something else that hangs on the same power, as a database does. */
  async changeElsewhere(): Promise<void> {
    this.#mustBeOn()
    await this.#whileDeviceWorks()
  }

  // ---- what programs do

  open(path: string, mode: 'existing' | 'create' | 'exclusive'): DiskFile {
    this.#enter('open', path)
    const node = this.#names.find(path)
    if (node instanceof SimDirectory) throw diskError('EISDIR', 'open', path)
    if (node !== undefined && mode === 'exclusive') throw diskError('EEXIST', 'open', path)
    if (node !== undefined) return this.#handle(node, true)
    const [directory, name] = this.#parentOf('open', path)
    if (mode === 'existing') throw diskError('ENOENT', 'open', path)
    this.#mutate()
    const file = new SimFile()
    file.links = 1
    this.#files.add(file)
    this.#names.record([{ directory, name, node: file }])
    return this.#handle(file, true)
  }

  openRead(path: string): DiskFile {
    this.#enter('open', path)
    return this.#handle(this.#fileAt('open', path), false)
  }

  openCached(path: string): DiskFile | undefined {
    this.#mustBeOn()
    const node = this.#names.find(path)
    const isCached = this.hasPageCache && ++this.#cachedOpens % 3 > 0
    return node instanceof SimFile && isCached ? this.#handle(node, false) : undefined
  }

  exists(path: string): boolean {
    this.#mustBeOn()
    return this.#names.find(path) !== undefined
  }

  makeDirectory(path: string): void {
    this.#enter('makeDirectory', path)
    let directory = this.#names.root
    for (const name of partsOf(path)) {
      let node = directory.current.get(name)
      if (node instanceof SimFile) throw diskError('EEXIST', 'makeDirectory', path)
      if (node === undefined) {
        this.#mutate()
        node = new SimDirectory()
        this.#names.record([{ directory, name, node }])
      }
      directory = node
    }
  }

  list(path: string): string[] {
    this.#enter('list', path)
    return [...this.#directoryAt('list', path).current.keys()]
  }

  rename(from: string, to: string): void {
    this.#enter('rename', from)
    const node = this.#nodeAt('rename', from)
    const [directory, name] = this.#parentOf('rename', from)
    const [newDirectory, newName] = this.#parentOf('rename', to)
    const replaced = newDirectory.current.get(newName)
    if (node === replaced) return
    refuseReplacing(node, replaced, to)
    if (isBelow(node, newDirectory)) throw diskError('EINVAL', 'rename', from)
    this.#mutate()
    this.#names.record([
      { directory, name, node: undefined },
      { directory: newDirectory, name: newName, node }
    ])
    if (replaced instanceof SimFile) this.#unlink(replaced)
  }

  remove(path: string): void {
    this.#enter('remove', path)
    const node = this.#fileAt('remove', path)
    const [directory, name] = this.#parentOf('remove', path)
    this.#mutate()
    this.#names.record([{ directory, name, node: undefined }])
    this.#unlink(node)
  }

  removeDirectory(path: string): void {
    this.#enter('removeDirectory', path)
    const node = this.#directoryAt('removeDirectory', path)
    if (node.current.size > 0) throw diskError('ENOTEMPTY', 'removeDirectory', path)
    const [directory, name] = this.#parentOf('removeDirectory', path)
    this.#mutate()
    this.#names.record([{ directory, name, node: undefined }])
  }

  async syncDirectory(path: string): Promise<void> {
    this.#enter('syncDirectory', path)
    const directory = this.#directoryAt('syncDirectory', path)
    const last = this.#names.now()
    await this.#whileDeviceWorks()
    if (!this.#losesSyncs) this.#names.sync(last, directory)
  }

  async syncAll(): Promise<void> {
    this.#enter('syncAll', '')
    const last = this.#names.now()
    const moments = [...this.#files].map(file => [file, file.now()] as const)
    await this.#whileDeviceWorks()
    if (this.#losesSyncs) return
    this.#names.sync(last)
    for (const [file, moment] of moments) file.syncThrough(moment)
  }

  space(): { freeBytes: number; totalBytes: number } {
    this.#mustBeOn()
    const freeBytes = Math.max(0, this.#capacityBytes - this.#usedBytes())
    return { freeBytes, totalBytes: this.#capacityBytes }
  }

  #usedBytes(): number {
    let blocks = 0
    for (const file of this.#files) blocks += file.blocks.size
    return blocks * BLOCK
  }

  #handle(file: SimFile, isWritable: boolean): DiskFile {
    const run = this.#run
    file.handles++
    return new SimHandle(file, isWritable, {
      mustBeThere: () => {
        this.#mustBeOn()
        if (run !== this.#run) throw new PowerCut('the file was opened before the power cut')
      },
      enter: call => {
        this.#enter(call, '')
      },
      mutate: () => {
        this.#mutate()
      },
      // How much of a write there is room for; the disk takes that much and then fails.
      room: (position, size) => {
        const blocks = file.newBlocks(position, size)
        if (blocks.length === 0) return size
        const refused = blocks[Math.floor(this.space().freeBytes / BLOCK)]
        return refused === undefined ? size : Math.max(0, refused * BLOCK - position)
      },
      sync: async () => {
        const moment = file.now()
        await this.#whileDeviceWorks()
        if (!this.#losesSyncs) file.syncThrough(moment)
      },
      syncNow: () => {
        this.#mutate()
        if (!this.#losesSyncs) file.syncThrough(file.now())
      },
      close: () => {
        if (run !== this.#run) return
        file.handles--
        this.#freeUnused(file)
      }
    })
  }

  /** Between the call and its effect the power may be cut. */
  async #whileDeviceWorks(): Promise<void> {
    const run = this.#run
    this.#mutate()
    await Promise.resolve()
    this.#mustBeOn()
    if (run !== this.#run) throw new PowerCut('the power was cut during a sync')
  }

  #enter(call: DiskCall, path: string): void {
    this.#mustBeOn()
    for (const fault of this.#faults) {
      if (fault.call !== call || fault.skip-- > 0) continue
      fault.skip = 0
      if (fault.times-- > 0) throw diskError(fault.errno, call, path)
    }
  }

  #mutate(): void {
    this.mutations++
    if (this.mutations >= this.cutAtMutation) this.#isOff = true
    this.#mustBeOn()
  }

  #mustBeOn(): void {
    if (this.#isOff) throw new PowerCut(`the power is off since mutation ${this.cutAtMutation}`)
  }

  #unlink(file: SimFile): void {
    file.links--
    this.#freeUnused(file)
  }

  #freeUnused(file: SimFile): void {
    if (file.links === 0 && file.handles === 0) this.#files.delete(file)
  }

  #filesBelow(directory: SimDirectory): Set<SimFile> {
    const files = new Set<SimFile>()
    for (const node of directory.current.values()) {
      if (node instanceof SimFile) files.add(node)
      else for (const file of this.#filesBelow(node)) files.add(file)
    }
    return files
  }

  #nodeAt(call: DiskCall, path: string): SimNode {
    const node = this.#names.find(path)
    if (node !== undefined) return node
    this.#parentOf(call, path)
    throw diskError('ENOENT', call, path)
  }

  #fileAt(call: DiskCall, path: string): SimFile {
    const node = this.#nodeAt(call, path)
    if (node instanceof SimDirectory) throw diskError('EISDIR', call, path)
    return node
  }

  #directoryAt(call: DiskCall, path: string): SimDirectory {
    const node = this.#nodeAt(call, path)
    if (node instanceof SimFile) throw diskError('ENOTDIR', call, path)
    return node
  }

  /** The directory in which the path's last name stands, or would stand. */
  #parentOf(call: DiskCall, path: string): [SimDirectory, string] {
    const parts = partsOf(path)
    const name = present(parts.pop(), 'name')
    let node: SimNode | undefined = this.#names.root
    for (const part of parts) {
      if (node instanceof SimFile) throw diskError('ENOTDIR', call, path)
      node = node.current.get(part)
      if (node === undefined) throw diskError('ENOENT', call, path)
    }
    if (node instanceof SimFile) throw diskError('ENOTDIR', call, path)
    return [node, name]
  }
}

/** What an open file needs of its disk. */
interface HandleHost {
  mustBeThere(): void
  enter(call: DiskCall): void
  mutate(): void
  room(position: number, size: number): number
  sync(): Promise<void>
  syncNow(): void
  close(): void
}

class SimHandle implements DiskFile {
  readonly #file: SimFile
  readonly #isWritable: boolean
  readonly #host: HandleHost
  #isOpen = true
  #cachedReads = 0

  constructor(file: SimFile, isWritable: boolean, host: HandleHost) {
    this.#file = file
    this.#isWritable = isWritable
    this.#host = host
  }

  read(target: Uint8Array, position: number): number {
    this.#enter('read')
    return this.#file.current.read(target, position)
  }

  readCached(target: Uint8Array, position: number): number {
    this.#mustBeOpen()
    const length = ++this.#cachedReads % 4 > 0 ? target.length : target.length >> 1
    return this.#file.current.read(target.subarray(0, length), position)
  }

  async readAsync(target: Uint8Array, position: number): Promise<number> {
    this.#enter('read')
    await Promise.resolve()
    this.#mustBeOpen()
    return this.#file.current.read(target, position)
  }

  write(source: Uint8Array, position: number): void {
    this.#enter('write')
    this.#mustBeWritable('write')
    this.#host.mutate()
    const room = this.#host.room(position, source.byteLength)
    this.#file.write(source.subarray(0, room), position)
    if (room < source.byteLength) throw diskError('ENOSPC', 'write', '')
  }

  truncate(size: number): void {
    this.#enter('truncate')
    this.#mustBeWritable('truncate')
    this.#host.mutate()
    this.#file.truncate(size)
  }

  size(): number {
    this.#mustBeOpen()
    return this.#file.current.size
  }

  async sync(): Promise<void> {
    this.#enterSync()
    await this.#host.sync()
  }

  syncNow(): void {
    this.#enterSync()
    this.#host.syncNow()
  }

  close(): void {
    assert(this.#isOpen, 'a closed file is used')
    this.#isOpen = false
    this.#host.close()
  }

  #enterSync(): void {
    try {
      this.#enter('sync')
    } catch (error) {
      this.#file.poison()
      throw error
    }
  }

  #enter(call: DiskCall): void {
    this.#mustBeOpen()
    this.#host.enter(call)
  }

  #mustBeOpen(): void {
    assert(this.#isOpen, 'a closed file is used')
    this.#host.mustBeThere()
  }

  #mustBeWritable(call: DiskCall): void {
    if (!this.#isWritable) throw diskError('EBADF', call, '')
  }
}

/** An error as node:fs makes it. */
export function diskError(code: ErrnoName, call: string, path: string): Error {
  const message = `${code}: simulated disk, ${call} '${path}'`
  return Object.assign(new Error(message), { code, errno: -ERRNO[code], syscall: call, path })
}

function refuseReplacing(node: SimNode, replaced: SimNode | undefined, path: string): void {
  if (replaced === undefined) return
  if (replaced instanceof SimFile) {
    if (node instanceof SimDirectory) throw diskError('ENOTDIR', 'rename', path)
  } else if (node instanceof SimFile) {
    throw diskError('EISDIR', 'rename', path)
  } else if (replaced.current.size > 0) {
    throw diskError('ENOTEMPTY', 'rename', path)
  }
}

/** Whether `directory` is `node` or lies below it. */
function isBelow(node: SimNode, directory: SimDirectory): boolean {
  if (node instanceof SimFile) return false
  return node === directory || [...node.current.values()].some(child => isBelow(child, directory))
}
