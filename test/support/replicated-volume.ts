import type { Change, Entry, Extent, FileClass, LoggedEntry } from '../../lib/feed/entry.ts'
import { NO_HASH } from '../../lib/feed/entry.ts'
import { encodeEntry } from '../../lib/feed/entry-codec.ts'
import { inoOf, rootInoOf } from '../../lib/ids.ts'
import type { BlobId, Epoch, Index, Ino, SessionId, VolumeId } from '../../lib/ids.ts'
import { applyEntry } from '../../lib/tree/apply.ts'
import { isDirectory, isRegular, S_IFDIR, S_IFREG, type Inode } from '../../lib/tree/inode.ts'
import { ByteWriter } from '../../lib/util/bytes.ts'
import { sha256, sha256Hex } from '../../lib/util/hash.ts'
import { ReplayedTree } from './replayed-tree.ts'
import type { SimRandom } from './sim-random.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const CLASSES: readonly FileClass[] = ['log', 'general', 'blob']
/** Few enough that many files share them. */
const BODIES = Array.from({ length: 12 }, (_, i) => Buffer.alloc(40 + 300 * i, 65 + i))

/**
 * The history of one volume as a replica has it, committed or not, and what all replicas agree on.
 *
 * It makes the entries that follow, of every kind that changes files.
 */
export class ReplicatedVolume {
  readonly volume: VolumeId
  /** All that is here, from the first entry on. */
  chain: LoggedEntry[] = []
  /** What was ever acknowledged; it is true for ever, also where a power cut took it away here. */
  readonly truth: LoggedEntry[] = []
  epoch = 1 as Epoch
  readonly #blobs: Map<BlobId, Buffer>
  readonly #random: SimRandom
  #tree: ReplayedTree

  constructor(volume: VolumeId, blobs: Map<BlobId, Buffer>, random: SimRandom) {
    this.volume = volume
    this.#blobs = blobs
    this.#random = random
    this.#tree = new ReplayedTree(blobs)
  }

  get tip(): Index {
    return this.chain.length as Index
  }

  /** What is here and not known to be acknowledged. */
  get pending(): LoggedEntry[] {
    return this.chain.slice(this.truth.length)
  }

  /** Another entry, which is at the end of the chain from here on. */
  append(): LoggedEntry {
    const logged = this.#logged(this.#nextChange())
    this.extend([logged])
    return logged
  }

  extend(entries: readonly LoggedEntry[]): void {
    for (const logged of entries) {
      applyEntry(this.#tree, logged)
      this.chain.push(logged)
    }
  }

  /** @returns what is dropped */
  cut(to: number): LoggedEntry[] {
    const dropped = this.chain.slice(to)
    this.restore(this.chain.slice(0, to))
    return dropped
  }

  restore(chain: readonly LoggedEntry[]): void {
    this.chain = []
    this.#tree = new ReplayedTree(this.#blobs)
    this.extend(chain)
  }

  /** Acknowledges what is here, through `through`. */
  commit(through: number): void {
    this.truth.push(...this.chain.slice(this.truth.length, through))
  }

  #logged([change, bodies]: [Change, Buffer[]]): LoggedEntry {
    const last = this.chain.at(-1)
    const index = this.chain.length + 1
    const entry: Entry = {
      volume: this.volume,
      epoch: this.epoch,
      index: index as Index,
      previous: last?.hash ?? NO_HASH,
      time: BigInt(1000 * index + this.epoch),
      change
    }
    const out = new ByteWriter()
    encodeEntry(out, entry)
    return { entry, hash: sha256(out.view()), bodies }
  }

  #nextChange(): [Change, Buffer[]] {
    const random = this.#random
    const last = this.chain.at(-1)
    if (last?.entry.epoch !== this.epoch) {
      return [{ kind: 'begin', session: 1 as SessionId, skip: random.int(3) }, []]
    }
    const root = rootInoOf(this.volume)
    if (!this.#tree.inodes.has(root)) {
      return [{ kind: 'makeRoot', mode: S_IFDIR | 0o700, uid: 0, gid: 0 }, []]
    }
    const orphan = [...this.#tree.orphans][0]
    if (orphan !== undefined && random.chance(0.2)) return [{ kind: 'drop', ino: orphan }, []]
    const files = [...this.#tree.inodes.values()].filter(isRegular)
    if (files.length === 0 || random.chance(0.2)) return [this.#create(), []]
    if (random.chance(0.3)) return [this.#changeName(), []]
    return this.#changeFile(random.pick(files))
  }

  #create(): Change {
    const random = this.#random
    const parent = this.#directory()
    const name = this.#freeName(parent)
    const ino = inoOf(this.volume, this.#tree.volume(this.volume).nextCounter)
    const isForNames = random.chance(0.2)
    return {
      kind: 'create',
      parent,
      name,
      ino,
      mode: isForNames ? S_IFDIR | 0o700 : S_IFREG | 0o600,
      uid: 1,
      gid: 1,
      rdev: 0,
      fileClass: isForNames ? 'general' : random.pick(CLASSES),
      target: ''
    }
  }

  #changeName(): Change {
    const random = this.#random
    const found = [...this.#tree.names].flatMap(([parent, names]) =>
      [...names].map(([name, { ino }]) => ({ parent, name, inode: this.#tree.inode(ino) }))
    )
    const files = found.filter(({ inode }) => isRegular(inode))
    if (files.length === 0) return this.#create()
    const { parent, name, inode } = random.pick(files)
    const isLast = inode.nlink === 1
    const chance = random.next()
    if (chance < 0.4) {
      const drop = isLast && random.chance(0.7)
      return { kind: 'unlink', parent, name, ino: inode.ino, drop }
    }
    const newParent = this.#directory()
    if (chance < 0.6) {
      return { kind: 'link', parent: newParent, name: this.#freeName(newParent), ino: inode.ino }
    }
    const other = random.pick(files)
    const replaced = other.inode.ino === inode.ino ? undefined : other
    const drop = replaced?.inode.nlink === 1
    const to =
      replaced === undefined || random.chance(0.5)
        ? { newParent, newName: this.#freeName(newParent), replaced: 0 as const, drop: false }
        : { newParent: other.parent, newName: other.name, replaced: replaced.inode.ino, drop }
    return { kind: 'rename', parent, name, ...to }
  }

  #changeFile(inode: Inode): [Change, Buffer[]] {
    const random = this.#random
    const { ino, size, fileClass } = inode
    if (random.chance(0.2)) {
      return [{ kind: 'setattr', ino, attr: { size: random.int(size + 50) } }, []]
    }
    if (fileClass === 'log' || (fileClass === 'general' && random.chance(0.7))) {
      const bytes = Buffer.from(random.bytes(1 + random.int(200)))
      return [{ kind: 'write', ino, offset: random.int(size + 100), bytes }, []]
    }
    const body = random.pick(BODIES)
    const blob = sha256Hex(body) as BlobId
    this.#blobs.set(blob, body)
    const offset = random.int(size + 100)
    const extent: Extent = { offset, length: body.length, blob, blobOffset: 0 }
    const rides = random.chance(0.5)
    const change: Change = {
      kind: 'seal',
      ino,
      size: Math.max(size, offset + body.length),
      mtime: 5n,
      extents: [extent],
      riding: rides ? [0] : []
    }
    return [change, rides ? [body] : []]
  }

  #directory(): Ino {
    const all = [...this.#tree.inodes.values()].filter(isDirectory)
    return this.#random.pick(all).ino
  }

  #freeName(parent: Ino): string {
    const name = this.#random.pick(NAMES)
    const isFree = this.#tree.dirent(parent, name) === undefined
    return isFree ? name : `${name}${this.chain.length}`
  }
}

/** Blobs that an entry names and does not bring. */
export function stagedIn({ entry: { change } }: LoggedEntry): BlobId[] {
  if (change.kind !== 'seal') return []
  return change.extents.flatMap(({ blob }, i) => (change.riding.includes(i) ? [] : [blob]))
}
