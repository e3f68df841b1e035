import type { Ino } from '../../lib/ids.ts'
import type { Handle } from '../../lib/vfs/handle-table.ts'
import type { Node } from '../../lib/vfs/node.ts'
import type { SimReplica } from './sim-replica.ts'

const ROOT = 1 as Ino
const ME = { uid: 0, gid: 0 }
const O_RDWR = 2

/** Paths instead of inode numbers, for tests that tell a story. */
export class SimReplicaShell {
  readonly #replica: SimReplica

  constructor(replica: SimReplica) {
    this.#replica = replica
  }

  async node(path: string): Promise<Node> {
    let ino = ROOT
    for (const name of partsOf(path)) {
      ino = (await this.#replica.run(() => this.#replica.vfs.names.lookup(ino, name))).attr.ino
    }
    return this.#replica.run(() => this.#replica.vfs.attrs.getattr(ino))
  }

  /** Makes a directory and those above it. */
  async mkdir(path: string): Promise<Node> {
    let ino = ROOT
    for (const name of partsOf(path)) {
      const found = await this.#replica.run(() => this.#replica.vfs.names.find(ino, name))
      const { names } = this.#replica.vfs
      const node = found ?? (await this.#replica.run(() => names.mkdir(ino, name, 0o755, ME)))
      ino = node.attr.ino
    }
    return this.node(path)
  }

  /** Makes or opens a file, which stays open. */
  async open(path: string): Promise<Handle> {
    const [parent, name] = await this.#place(path)
    const { data } = this.#replica.vfs
    const made = await this.#replica.run(() => data.create(parent, name, 0o644, O_RDWR, ME))
    return made.handle
  }

  async close({ fh }: Handle): Promise<void> {
    await this.#replica.run(() => {
      this.#replica.vfs.data.release(fh)
    })
  }

  async writeAt({ ino }: Handle, offset: number, data: Uint8Array | string): Promise<void> {
    const request = { ino, offset, data: Buffer.from(data), flags: O_RDWR }
    await this.#replica.run(() => this.#replica.vfs.data.write(request))
  }

  /** Writes a whole file and closes it. */
  async write(path: string, data: Uint8Array | string): Promise<void> {
    const handle = await this.open(path)
    await this.writeAt(handle, 0, data)
    await this.close(handle)
  }

  async fsync(path: string): Promise<void> {
    await this.#replica.fsync((await this.node(path)).attr.ino)
  }

  async read(path: string): Promise<Buffer> {
    const { ino, size } = (await this.node(path)).attr
    return this.#replica.run(() => this.#replica.vfs.data.read(ino, 0, size))
  }

  async truncate(path: string, size: number): Promise<void> {
    const { ino } = (await this.node(path)).attr
    await this.#replica.run(() => this.#replica.vfs.attrs.setattr(ino, { size }))
  }

  async list(path: string): Promise<string[]> {
    const { ino } = (await this.node(path)).attr
    return this.#replica.run(() => {
      const found: string[] = []
      this.#replica.vfs.names.readdir(ino, 2, ({ name }) => found.push(name) > 0)
      return found
    })
  }

  async unlink(path: string): Promise<void> {
    const [parent, name] = await this.#place(path)
    await this.#replica.run(() => {
      this.#replica.vfs.names.unlink(parent, name)
    })
  }

  async rename(path: string, newPath: string): Promise<void> {
    const [parent, name] = await this.#place(path)
    const [newParent, newName] = await this.#place(newPath)
    await this.#replica.run(() => {
      this.#replica.vfs.names.rename(parent, name, newParent, newName, 0)
    })
  }

  async link(path: string, newPath: string): Promise<void> {
    const { ino } = (await this.node(path)).attr
    const [parent, name] = await this.#place(newPath)
    await this.#replica.run(() => this.#replica.vfs.names.link(ino, parent, name))
  }

  async #place(path: string): Promise<[Ino, string]> {
    const parts = partsOf(path)
    const name = parts.pop() ?? ''
    return [(await this.node(parts.join('/'))).attr.ino, name]
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter(part => part !== '')
}
