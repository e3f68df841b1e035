import { FsError, ERRNO, type ErrnoName } from '../../lib/errors.ts'
import type { Ino } from '../../lib/ids.ts'
import { MODEL_ROOT, type ModelNode, type ModelTree } from './model-tree.ts'
import type { SimRandom } from './sim-random.ts'
import type { SimReplica } from './sim-replica.ts'
import type { WorkloadHistory } from './workload-history.ts'
import { RangeWorkload } from './workload-ranges.ts'

const ME = { uid: 1000, gid: 1000 }
const O_RDWR = 2
const O_APPEND = 0o2000
const O_TRUNC = 0o1000
const RENAME_EXCHANGE = 2
/** Files grow no further, so that their copies fit into memory. */
const FILE_SIZE_MAX = 3 * 1024 * 1024
/** The kernel sends no more at once. */
const WRITE_MAX = 1024 * 1024

const USERS = ['anna', 'bert', 'cleo']
const FOLDERS = ['cur', 'new', 'tmp', 'INBOX', '.Sent']
/** Of every class: kept in history, bodies, bodies that are appended to, and undecided. */
const FILES = ['dovecot.index.log', 'dovecot-uidlist', 'x.lock', 'm.1', 'u.1', 'note', 'data', 'l']

interface OpenFile {
  readonly fh: number
  readonly id: number
}

/** How often each kind of op comes, beside the others. */
export interface WorkloadWeights {
  /** Writes of more than what rides in the log. */
  readonly large: number
  /** Writes of more than one window of a body. */
  readonly huge: number
  /** How often a segment of the log is filled almost to its end. */
  readonly fill?: number
}

export const USUAL: WorkloadWeights = { large: 0.04, huge: 0.004 }

/** What mail servers do to files, and nastier people: the same ops on a replica and a model. */
export class Workload {
  readonly model: ModelTree
  readonly #random: SimRandom
  readonly #history: WorkloadHistory
  readonly #weights: WorkloadWeights
  readonly #ranges: RangeWorkload
  #replica: SimReplica
  #open: OpenFile[] = []
  /** The op under way, for whoever has to explain a failure. */
  readonly trace: string[] = []

  constructor(
    model: ModelTree,
    history: WorkloadHistory,
    replica: SimReplica,
    random: SimRandom,
    weights = USUAL
  ) {
    this.model = model
    this.#history = history
    this.#replica = replica
    this.#random = random
    this.#weights = weights
    this.#ranges = new RangeWorkload(model, random, op => {
      this.#say(op)
    })
  }

  /** Goes on with a replica that was started anew: nobody has anything open. */
  resume(replica: SimReplica): void {
    this.#replica = replica
    this.#open = []
  }

  /** One op or one step of the machinery. */
  async step(): Promise<void> {
    if (this.#random.chance(this.#weights.fill ?? 0)) await this.#fillSegment()
    const [chance, random] = [this.#random.next(), this.#random]
    if (chance < 0.62) await this.#changeFile()
    else if (chance < 0.84) await this.#changeNames()
    else if (chance < 0.9) await this.#machinery()
    else if (chance < 0.94) this.#replica.deliver(random.int(4))
    else if (chance < 0.97) await this.#replica.answerLoads(random.int(3))
    else if (random.chance(0.5)) this.#replica.vfs.sealIdle()
    else this.#replica.vfs.sealClosed()
    this.#history.settle()
  }

  /** A first user with folders, so that there is something to do. */
  async begin(): Promise<void> {
    this.#history.settle()
    await this.#make(MODEL_ROOT, 'anna', 'directory')
    this.#history.settle()
    const anna = this.model.find(MODEL_ROOT, 'anna') as ModelNode
    for (const folder of ['cur', 'tmp']) {
      if (anna.kind === 'directory') await this.#make(anna.id, folder, 'directory')
      this.#history.settle()
    }
  }

  /** Closes everything that is open. */
  async closeAll(): Promise<void> {
    while (this.#open.length > 0) await this.#close(0)
    this.#history.settle()
  }

  async #machinery(): Promise<void> {
    const random = this.#random
    const chance = random.next()
    // What the daemon does every 50 ms: nobody is told, but it is durable.
    if (chance < 0.4) await this.#replica.syncThrough()
    else if (chance < 0.85) await this.#replica.applyBatch()
    else if (chance < 0.95) await this.#replica.keeper.writeCheckpoint()
    else await this.#replica.catchUp()
  }

  // ---- files

  async #changeFile(): Promise<void> {
    const random = this.#random
    if (this.#open.length === 0 || random.chance(0.2)) return this.#openFile()
    const at = random.int(this.#open.length)
    const { id } = this.#open[at] as OpenFile
    const chance = random.next()
    if (chance < 0.42) await this.#write(id)
    else if (chance < 0.5) await this.#ranges.step(this.#replica, id, random.pick(this.#open).id)
    else if (chance < 0.6) await this.#truncate(id)
    else if (chance < 0.75) await this.#fsync(id)
    else if (chance < 0.85) await this.#read(id)
    else await this.#close(at)
  }

  async #openUnnamed(directory: ModelNode): Promise<void> {
    this.#say(`make an unnamed file in ${directory.id}`)
    const { data } = this.#replica.vfs
    const made = await this.#replica.run(() =>
      data.createUnnamed(directory.id as Ino, 0o600, O_RDWR, ME)
    )
    const id = made.node.attr.ino
    this.model.makeUnnamed(directory.id, id, 0o600)
    this.#noteOpen(made.handle.fh, id)
  }

  async #openFile(): Promise<void> {
    const random = this.#random
    const directory = this.#anyDirectory()
    if (random.chance(0.1)) return this.#openUnnamed(directory)
    const name = this.#nameOfFile(directory)
    const existing = this.model.find(directory.id, name)
    if (existing?.kind === 'file') {
      const flags = random.chance(0.1) ? O_RDWR | O_TRUNC : O_RDWR
      this.#say(`open ${existing.id} ${flags}`)
      const handle = await this.#replica.run(() =>
        this.#replica.vfs.data.open(existing.id as Ino, flags)
      )
      if ((flags & O_TRUNC) !== 0) this.model.truncate(existing.id, 0)
      this.#noteOpen(handle.fh, existing.id)
      return
    }
    this.#say(`create ${directory.id}/${name}`)
    const refusal = this.model.refusalOfMaking(directory.id, name)
    const made = await this.#expect(refusal, () =>
      this.#replica.vfs.data.create(directory.id as Ino, name, 0o600, O_RDWR | 0o200, ME)
    )
    if (made === undefined) return
    const id = made.node.attr.ino
    this.model.make(directory.id, name, { id, kind: 'file', permissions: 0o600 })
    this.#noteOpen(made.handle.fh, id)
  }

  #noteOpen(fh: number, id: number): void {
    const node = this.#replica.vfs.known(id as Ino)
    // As the reply does that tells the kernel of the inode.
    if (!this.#replica.tracksOpens && node !== undefined) node.nlookup++
    this.model.open(id)
    this.#open.push({ fh, id })
  }

  async #write(id: number): Promise<void> {
    const random = this.#random
    const size = this.model.node(id).bytes.length
    const data = this.#bytes()
    const appends = random.chance(0.5) && size < FILE_SIZE_MAX
    const beyond = random.chance(0.1) ? random.int(200_000) : 0
    const offset = appends ? size : random.chance(0.4) ? 0 : random.int(size + 1) + beyond
    const flags = appends ? O_RDWR | O_APPEND : O_RDWR
    this.#say(`write ${id} ${offset}+${data.length}`)
    // The kernel says where it thinks the end is; the file system knows better.
    const said = appends ? random.int(size + 1) : offset
    await this.#replica.run(() =>
      this.#replica.vfs.data.write({ ino: id as Ino, offset: said, data, flags })
    )
    this.model.write(id, offset, data)
  }

  #bytes(): Uint8Array {
    const random = this.#random
    const { large, huge } = this.#weights
    const chance = random.next()
    if (chance < huge) return this.#filled(900_000 + random.int(WRITE_MAX - 900_000))
    if (chance < huge + large) return this.#filled(50_000 + random.int(60_000))
    if (chance < 0.2) return this.#filled(4096 + random.int(8192))
    return this.#filled(1 + random.int(300))
  }

  /** Bytes that differ from write to write, and cost little to make; some come again. */
  #filled(size: number): Uint8Array {
    const random = this.#random
    if (random.chance(0.8)) return Buffer.alloc(size, random.bytes(13))
    // The same message to several users.
    return Buffer.alloc(size < 40_000 ? 1000 : 70_000, 'the same again ')
  }

  async #truncate(id: number): Promise<void> {
    const random = this.#random
    const before = this.model.node(id).bytes.length
    const up = random.chance(0.1) ? random.int(150_000) : random.int(5000)
    const size = random.chance(0.3)
      ? 0
      : random.chance(0.4)
        ? Math.min(before, FILE_SIZE_MAX) + up
        : random.int(before + 1)
    this.#say(`truncate ${id} ${size}`)
    await this.#replica.run(() => this.#replica.vfs.attrs.setattr(id as Ino, { size }))
    this.model.truncate(id, size)
  }

  async #fsync(id: number): Promise<void> {
    this.#say(`fsync ${id}`)
    await this.#replica.fsync(id as Ino)
  }

  async #read(id: number): Promise<void> {
    const { bytes } = this.model.node(id)
    const random = this.#random
    const offset = random.chance(0.5) ? 0 : random.int(bytes.length + 1)
    const length = random.chance(0.5) ? bytes.length : random.int(bytes.length + 10)
    this.#say(`read ${id} ${offset}+${length}`)
    const read = await this.#replica.run(() =>
      this.#replica.vfs.data.read(id as Ino, offset, length)
    )
    if (!read.equals(bytes.subarray(offset, offset + length))) {
      throw new Error(`file ${id} read at ${offset} gives other bytes than were written`)
    }
  }

  async #close(at: number): Promise<void> {
    const { fh, id } = this.#open[at] as OpenFile
    this.#say(`close ${id}`)
    const { vfs, tracksOpens } = this.#replica
    if (!tracksOpens && vfs.forget(id as Ino, 1)) {
      await this.#replica.run(() => {
        vfs.data.dropForgotten(id as Ino)
      })
    }
    if (tracksOpens) {
      await this.#replica.run(() => {
        vfs.data.release(fh)
      })
    }
    this.#open.splice(at, 1)
    this.model.close(id)
  }

  /** Fills the log by writing the same megabyte of a file over and over. */
  async #fillSegment(): Promise<void> {
    const name = 'fill.lock'
    if (this.model.find(MODEL_ROOT, name) === undefined) {
      const made = await this.#replica.run(() =>
        this.#replica.vfs.data.create(MODEL_ROOT as Ino, name, 0o600, O_RDWR, ME)
      )
      const id = made.node.attr.ino
      this.model.make(MODEL_ROOT, name, { id, kind: 'file', permissions: 0o600 })
      this.#noteOpen(made.handle.fh, id)
      this.#history.settle()
    }
    const node = this.model.find(MODEL_ROOT, name)
    if (node?.kind !== 'file') return
    // By a rename or an exchange the name may stand for a body, which does not go into the log.
    const { attr } = await this.#replica.run(() => this.#replica.vfs.attrs.getattr(node.id as Ino))
    if (attr.fileClass !== 'log') return
    this.#say('fill a segment')
    while (this.#replica.roomInSegment > 1.5 * WRITE_MAX) {
      const data = Buffer.alloc(WRITE_MAX, this.#random.bytes(3))
      const request = { ino: node.id as Ino, offset: 0, data, flags: O_RDWR }
      await this.#replica.run(() => this.#replica.vfs.data.write(request))
      this.model.write(node.id, 0, data)
      this.#history.settle()
    }
  }

  // ---- names

  async #changeNames(): Promise<void> {
    const random = this.#random
    const chance = random.next()
    const directory = this.#anyDirectory()
    if (chance < 0.1) return this.#makeDirectory(directory)
    if (chance < 0.15) return this.#make(directory.id, this.#nameOfFile(directory), 'symlink')
    if (chance < 0.4) return this.#rename(directory)
    if (chance < 0.45) return this.#exchange(directory)
    if (chance < 0.55) return this.#link(directory)
    if (chance < 0.8) return this.#unlink(directory)
    if (chance < 0.88) return this.#rmdir(directory)
    return this.#random.chance(0.5) ? this.#chmod(directory) : this.#changeXattr(directory)
  }

  async #makeDirectory(directory: ModelNode): Promise<void> {
    const isRoot = directory.id === MODEL_ROOT || this.#random.chance(0.2)
    if (isRoot) return this.#make(MODEL_ROOT, this.#random.pick(USERS), 'directory')
    await this.#make(directory.id, this.#random.pick(FOLDERS), 'directory')
  }

  async #make(parent: number, name: string, kind: 'directory' | 'symlink'): Promise<void> {
    this.#say(`make ${kind} ${parent}/${name}`)
    const target = kind === 'symlink' ? `../${name}` : ''
    const { names } = this.#replica.vfs
    const made = await this.#expect(this.model.refusalOfMaking(parent, name), () =>
      kind === 'directory'
        ? names.mkdir(parent as Ino, name, 0o700, ME)
        : names.symlink(parent as Ino, name, target, ME)
    )
    if (made === undefined) return
    const permissions = kind === 'directory' ? 0o700 : 0o777
    this.model.make(parent, name, { id: made.attr.ino, kind, permissions, target })
  }

  async #rename(directory: ModelNode): Promise<void> {
    const name = this.#nameIn(directory)
    const to = this.#random.chance(0.5) ? directory : this.#anyDirectory()
    const isFile = this.model.find(directory.id, name)?.kind === 'file'
    const newName = this.#random.chance(0.4)
      ? this.#nameIn(to)
      : isFile
        ? this.#nameOfFile(to)
        : this.#random.pick(FOLDERS)
    this.#say(`rename ${directory.id}/${name} ${to.id}/${newName}`)
    await this.#both(
      () => this.model.rename(directory.id, name, to.id, newName),
      () => {
        this.#replica.vfs.names.rename(directory.id as Ino, name, to.id as Ino, newName, 0)
      }
    )
  }

  async #exchange(directory: ModelNode): Promise<void> {
    const name = this.#nameIn(directory)
    const to = this.#random.chance(0.5) ? directory : this.#anyDirectory()
    const newName = this.#nameIn(to)
    this.#say(`exchange ${directory.id}/${name} ${to.id}/${newName}`)
    const { names } = this.#replica.vfs
    await this.#both(
      () => this.model.exchange(directory.id, name, to.id, newName),
      () => {
        names.rename(directory.id as Ino, name, to.id as Ino, newName, RENAME_EXCHANGE)
      }
    )
  }

  async #link(directory: ModelNode): Promise<void> {
    const from = this.#anyDirectory()
    const isOpen = this.#open.length > 0 && this.#random.chance(0.4)
    const node = isOpen
      ? this.model.node(this.#random.pick(this.#open).id)
      : this.model.find(from.id, this.#nameIn(from))
    if (node === undefined) return
    const name = this.#nameOfFile(directory)
    this.#say(`link ${node.id} ${directory.id}/${name}`)
    await this.#both(
      () => this.model.link(node.id, directory.id, name),
      () => {
        this.#replica.vfs.names.link(node.id as Ino, directory.id as Ino, name)
      }
    )
  }

  async #unlink(directory: ModelNode): Promise<void> {
    const name = this.#nameIn(directory)
    this.#say(`unlink ${directory.id}/${name}`)
    await this.#both(
      () => this.model.unlink(directory.id, name),
      () => {
        this.#replica.vfs.names.unlink(directory.id as Ino, name)
      }
    )
  }

  async #rmdir(directory: ModelNode): Promise<void> {
    const name = this.#nameIn(directory)
    this.#say(`rmdir ${directory.id}/${name}`)
    await this.#both(
      () => this.model.rmdir(directory.id, name),
      () => {
        this.#replica.vfs.names.rmdir(directory.id as Ino, name)
      }
    )
  }

  async #chmod(directory: ModelNode): Promise<void> {
    const node = this.model.find(directory.id, this.#nameIn(directory))
    if (node === undefined || node.kind === 'symlink') return
    const mode = this.#random.pick([0o600, 0o644, 0o700, 0o755])
    this.#say(`chmod ${node.id} ${mode.toString(8)}`)
    await this.#replica.run(() => this.#replica.vfs.attrs.setattr(node.id as Ino, { mode }))
    this.model.chmod(node.id, mode)
  }

  async #changeXattr(directory: ModelNode): Promise<void> {
    const node = this.model.find(directory.id, this.#nameIn(directory))
    if (node === undefined) return
    const [ino, name] = [node.id as Ino, `user.${this.#random.pick(['a', 'b', 'c'])}`]
    const { xattrs } = this.#replica.vfs
    const value = this.#random.chance(0.6) ? String(this.#random.int(1e6)) : undefined
    this.#say(`xattr ${ino} ${name} ${value ?? 'removed'}`)
    if (value === undefined) {
      return this.#both(
        () => this.model.removeXattr(ino, name),
        () => {
          xattrs.remove(ino, name)
        }
      )
    }
    await this.#replica.run(() => {
      xattrs.set(ino, name, Buffer.from(value), 0)
    })
    this.model.setXattr(ino, name, value)
  }

  // ---- choices

  #anyDirectory(): ModelNode {
    const all = [...this.model.nodes.values()].filter(({ kind }) => kind === 'directory')
    return this.#random.pick(all)
  }

  /** A name that is there, mostly. */
  #nameIn(directory: ModelNode): string {
    const names = [...directory.names.keys()]
    if (names.length === 0 || this.#random.chance(0.1)) return this.#random.pick(FILES)
    return this.#random.pick(names)
  }

  #nameOfFile(directory: ModelNode): string {
    const name = this.#random.pick(FILES)
    return this.#random.chance(0.3) ? `${name}.${directory.names.size}` : name
  }

  // ---- expectations

  /** Runs an op on the replica, then on the model: both succeed, or fail alike. */
  async #both(onModel: () => ErrnoName | undefined, op: () => void): Promise<void> {
    const errno = await this.#outcome(op)
    const expected = onModel()
    if (errno !== (expected === undefined ? 0 : ERRNO[expected])) {
      throw new Error(`errno ${errno} where the model says ${expected ?? 'success'}`)
    }
  }

  async #outcome(op: () => void): Promise<number> {
    try {
      await this.#replica.run(op)
      return 0
    } catch (error) {
      if (error instanceof FsError) return error.errno
      throw error
    }
  }

  async #expect<T>(expected: ErrnoName | undefined, op: () => T): Promise<T | undefined> {
    try {
      const result = await this.#replica.run(op)
      if (expected !== undefined) throw new Error(`success where the model says ${expected}`)
      return result
    } catch (error) {
      if (!(error instanceof FsError) || expected === undefined) throw error
      if (error.errno !== ERRNO[expected]) throw error
      return undefined
    }
  }

  #say(op: string): void {
    this.trace.push(op)
  }
}
