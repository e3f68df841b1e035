import type { ErrnoName } from '../../lib/errors.ts'

/** A file, directory or symbolic link; never changed in place, so a snapshot is a copy of a map. */
export interface ModelNode {
  readonly id: number
  readonly kind: 'file' | 'directory' | 'symlink'
  /** Which top-level directory it lies in. */
  readonly volume: number
  readonly permissions: number
  /** Names of a file. */
  readonly nlink: number
  readonly handles: number
  /** Made without a name, and may get one. */
  readonly linkable: boolean
  /** What a reader sees now. */
  readonly bytes: Buffer
  /** What history knows of `bytes`. */
  readonly durable: Buffer
  readonly target: string
  readonly names: ReadonlyMap<string, number>
  readonly xattrs: ReadonlyMap<string, string>
}

export type ModelSnapshot = ReadonlyMap<number, ModelNode>

export const MODEL_ROOT = 1
const NOTHING = Buffer.alloc(0)

/**
 * What names and bytes should be like, said as plainly as possible and with nothing of the real
 * code. Every op says the error that is expected of it, or undefined where it succeeds.
 */
export class ModelTree {
  #nodes = new Map<number, ModelNode>()

  constructor() {
    this.#add({ id: MODEL_ROOT, kind: 'directory', volume: 0, permissions: 0o755 })
  }

  get nodes(): ModelSnapshot {
    return this.#nodes
  }

  snapshot(): ModelSnapshot {
    return new Map(this.#nodes)
  }

  /** Goes back to a snapshot, where nobody has anything open and history knows all there is. */
  restore(snapshot: ModelSnapshot): void {
    this.#nodes = new Map()
    const named = new Set([MODEL_ROOT])
    for (const { names } of snapshot.values()) for (const id of names.values()) named.add(id)
    for (const node of snapshot.values()) {
      if (!named.has(node.id)) continue
      this.#nodes.set(node.id, { ...node, handles: 0, bytes: node.durable })
    }
  }

  node(id: number): ModelNode {
    const node = this.#nodes.get(id)
    if (node === undefined) throw new Error(`the model has no ${id}`)
    return node
  }

  find(parent: number, name: string): ModelNode | undefined {
    const id = this.node(parent).names.get(name)
    return id === undefined ? undefined : this.node(id)
  }

  /** @returns why something cannot be made there */
  refusalOfMaking(parent: number, name: string): ErrnoName | undefined {
    return this.find(parent, name) === undefined ? undefined : 'EEXIST'
  }

  make(
    parent: number,
    name: string,
    made: { id: number; kind: ModelNode['kind']; permissions: number; target?: string }
  ): void {
    const ofUser = parent === MODEL_ROOT && made.kind === 'directory'
    this.#add({ ...made, volume: ofUser ? made.id : this.node(parent).volume })
    this.#setName(parent, name, made.id)
  }

  /** A file without a name, which somebody has open. */
  makeUnnamed(parent: number, id: number, permissions: number): void {
    this.#add({ id, kind: 'file', permissions, volume: this.node(parent).volume })
    this.#change(id, { nlink: 0, linkable: true })
  }

  link(id: number, parent: number, name: string): ErrnoName | undefined {
    const node = this.node(id)
    if (this.find(parent, name) !== undefined) return 'EEXIST'
    if (node.kind === 'directory') return 'EPERM'
    if (node.volume !== this.node(parent).volume) return 'EXDEV'
    if (node.nlink === 0 && !node.linkable) return 'ENOENT'
    this.#change(id, { nlink: node.nlink + 1, linkable: false })
    this.#setName(parent, name, id)
    return undefined
  }

  unlink(parent: number, name: string): ErrnoName | undefined {
    const node = this.find(parent, name)
    if (node === undefined) return 'ENOENT'
    if (node.kind === 'directory') return 'EISDIR'
    this.#setName(parent, name, undefined)
    this.#loseName(node.id)
    return undefined
  }

  rmdir(parent: number, name: string): ErrnoName | undefined {
    const node = this.find(parent, name)
    if (node === undefined) return 'ENOENT'
    if (node.kind !== 'directory') return 'ENOTDIR'
    if (node.names.size > 0) return 'ENOTEMPTY'
    this.#setName(parent, name, undefined)
    this.#nodes.delete(node.id)
    return undefined
  }

  rename(from: number, name: string, to: number, newName: string): ErrnoName | undefined {
    const node = this.find(from, name)
    const target = this.find(to, newName)
    if (node === undefined) return 'ENOENT'
    if (target?.id === node.id) return undefined
    const refusal = this.#refusalOfMoving(node, from, to) ?? refusalOfReplacing(node, target)
    if (refusal !== undefined) return refusal
    this.#setName(from, name, undefined)
    this.#setName(to, newName, node.id)
    if (target?.kind === 'directory') this.#nodes.delete(target.id)
    else if (target !== undefined) this.#loseName(target.id)
    return undefined
  }

  exchange(from: number, name: string, to: number, newName: string): ErrnoName | undefined {
    const node = this.find(from, name)
    const target = this.find(to, newName)
    if (node === undefined || target === undefined) return 'ENOENT'
    if (target.id === node.id) return undefined
    const refusal = this.#refusalOfMoving(node, from, to) ?? this.#refusalOfMoving(target, to, from)
    if (refusal !== undefined) return refusal
    this.#setName(from, name, target.id)
    this.#setName(to, newName, node.id)
    return undefined
  }

  chmod(id: number, permissions: number): void {
    this.#change(id, { permissions })
  }

  setXattr(id: number, name: string, value: string): void {
    this.#change(id, { xattrs: new Map(this.node(id).xattrs).set(name, value) })
  }

  removeXattr(id: number, name: string): ErrnoName | undefined {
    const xattrs = new Map(this.node(id).xattrs)
    if (!xattrs.delete(name)) return 'ENODATA'
    this.#change(id, { xattrs })
    return undefined
  }

  write(id: number, offset: number, data: Uint8Array): void {
    const { bytes } = this.node(id)
    const changed = Buffer.alloc(Math.max(bytes.length, offset + data.length))
    changed.set(bytes)
    changed.set(data, offset)
    this.#change(id, { bytes: changed })
  }

  truncate(id: number, size: number): void {
    const changed = Buffer.alloc(size)
    changed.set(this.node(id).bytes.subarray(0, size))
    this.#change(id, { bytes: changed })
  }

  /** As fallocate(2) has its modes. */
  fallocate(id: number, mode: number, offset: number, length: number): void {
    const { bytes } = this.node(id)
    const end = offset + length
    const keepsSize = (mode & 1) !== 0
    const changed = Buffer.alloc(keepsSize ? bytes.length : Math.max(bytes.length, end))
    changed.set(bytes)
    if ((mode & (2 | 16)) !== 0) changed.subarray(offset, end).fill(0)
    this.#change(id, { bytes: changed })
  }

  open(id: number): void {
    this.#change(id, { handles: this.node(id).handles + 1 })
  }

  close(id: number): void {
    const node = this.node(id)
    this.#change(id, { handles: node.handles - 1 })
    this.#forgetUnused(id)
  }

  /** History knows all of the file's bytes now. */
  noteDurable(id: number): void {
    const node = this.#nodes.get(id)
    if (node !== undefined) this.#change(id, { durable: node.bytes })
  }

  #refusalOfMoving(node: ModelNode, from: number, to: number): ErrnoName | undefined {
    if (this.node(from).volume !== this.node(to).volume) return 'EXDEV'
    if (node.kind !== 'directory') return undefined
    if (this.#isBelow(node.id, to)) return 'EINVAL'
    const isUser = from === MODEL_ROOT
    return isUser === (to === MODEL_ROOT) ? undefined : 'EXDEV'
  }

  #isBelow(above: number, id: number): boolean {
    if (above === id) return true
    return [...this.node(above).names.values()].some(
      child => this.node(child).kind === 'directory' && this.#isBelow(child, id)
    )
  }

  #loseName(id: number): void {
    this.#change(id, { nlink: this.node(id).nlink - 1 })
    this.#forgetUnused(id)
  }

  #forgetUnused(id: number): void {
    const { nlink, handles } = this.node(id)
    if (nlink === 0 && handles === 0) this.#nodes.delete(id)
  }

  #setName(parent: number, name: string, id: number | undefined): void {
    const names = new Map(this.node(parent).names)
    if (id === undefined) names.delete(name)
    else names.set(name, id)
    this.#change(parent, { names })
  }

  #add(made: Pick<ModelNode, 'id' | 'kind' | 'volume' | 'permissions'> & { target?: string }) {
    if (this.#nodes.has(made.id)) throw new Error(`the number ${made.id} was given twice`)
    this.#nodes.set(made.id, {
      target: '',
      nlink: 1,
      handles: 0,
      linkable: false,
      bytes: NOTHING,
      durable: NOTHING,
      names: new Map(),
      xattrs: new Map(),
      ...made
    })
  }

  #change(id: number, change: Partial<ModelNode>): void {
    this.#nodes.set(id, { ...this.node(id), ...change })
  }
}

function refusalOfReplacing(node: ModelNode, target: ModelNode | undefined): ErrnoName | undefined {
  if (target === undefined) return undefined
  if (target.kind === 'directory') {
    if (node.kind !== 'directory') return 'EISDIR'
    return target.names.size > 0 ? 'ENOTEMPTY' : undefined
  }
  return node.kind === 'directory' ? 'ENOTDIR' : undefined
}
