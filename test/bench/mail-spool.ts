/**
 * Fills a store that nobody serves with users and their messages, as a daemon's store would hold
 * them, without a mount and without the log: a million files in a minute or two.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BlobStore } from '../../lib/blob/blob-store.ts'
import { NO_HASH, type Change } from '../../lib/feed/entry.ts'
import {
  inoOf,
  ROOT_INO,
  ROOT_VOLUME,
  rootInoOf,
  type BlobId,
  type Epoch,
  type Index,
  type Ino,
  type SessionId,
  type VolumeId
} from '../../lib/ids.ts'
import { initDataDirectory } from '../../lib/io/data-directory.ts'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { DurableTree } from '../../lib/keeper/durable-tree.ts'
import { writeBatch, type KeeperFiles } from '../../lib/keeper/batch-writer.ts'
import { recover, readMark } from '../../lib/keeper/recovery.ts'
import { Containers } from '../../lib/store/containers.ts'
import { LevelStore } from '../../lib/store/level-store.ts'
import { applyEntry } from '../../lib/tree/apply.ts'
import { S_IFDIR, S_IFREG } from '../../lib/tree/inode.ts'
import { sha256, sha256Hex } from '../../lib/util/hash.ts'

/** Every message is this one: what is measured is names and attributes. */
const BODY = Buffer.alloc(4000, 'One message is as good as another.\r\n')
const BLOB = sha256Hex(BODY) as BlobId
const FIRST_TIME = 1_700_000_000_000_000_000n
const OWNER = { uid: 5000, gid: 5000 }

export interface SpoolSize {
  readonly users: number
  /** Messages of each user. */
  readonly messages: number
}

/** Makes a store at `dataDir`, with a maildir for each user, or goes on where that was ended. */
export async function fillMailSpool(dataDir: string, size: SpoolSize): Promise<void> {
  if (!existsSync(dataDir)) initDataDirectory(dataDir, 1)
  const disk = new NodeDisk(dataDir)
  const store = await LevelStore.open(join(dataDir, 'store'))
  const files = { store, blobs: new BlobStore(disk), containers: new Containers(disk) }
  files.blobs.prepare()
  files.containers.prepare()
  try {
    await recover(disk, files)
    const spool = new Spool(files)
    await spool.makeRoot()
    while (spool.users < size.users) await spool.makeUser(spool.users + 1, size.messages)
  } finally {
    await store.close()
  }
}

class Spool {
  readonly #files: KeeperFiles
  readonly #tree: DurableTree
  #time = FIRST_TIME

  constructor(files: KeeperFiles) {
    this.#files = files
    this.#tree = new DurableTree(files.store)
  }

  get users(): number {
    return this.#tree.volume(ROOT_VOLUME).nextVolume - 1
  }

  async makeRoot(): Promise<void> {
    if (this.#tree.volume(ROOT_VOLUME).index > 0) return
    this.#apply(ROOT_VOLUME, { kind: 'begin', session: 1 as SessionId, skip: 0 })
    this.#apply(ROOT_VOLUME, { kind: 'makeRoot', mode: S_IFDIR | 0o755, ...OWNER })
    await this.#write()
  }

  /** Messages that have been there for years: the store's tables hold them in this order. */
  async makeUser(user: number, messages: number): Promise<void> {
    const volume = user as VolumeId
    const root = rootInoOf(volume)
    this.#make(ROOT_VOLUME, ROOT_INO, `user${String(user)}`, root, S_IFDIR | 0o700)
    this.#apply(volume, { kind: 'begin', session: 1 as SessionId, skip: 0 })
    this.#apply(volume, { kind: 'makeRoot', mode: S_IFDIR | 0o700, ...OWNER })
    const maildir = this.#makeIn(volume, root, 'Maildir', S_IFDIR | 0o700)
    const [cur] = ['cur', 'new', 'tmp'].map(name =>
      this.#makeIn(volume, maildir, name, S_IFDIR | 0o700)
    ) as [Ino]
    for (let n = 0; n < messages; n++) {
      const seconds = 1_700_000_000 + 60 * n
      const name = `${String(seconds)}.M${String(100_000 + n)}P${String(1000 + user)}.mx1`
      this.#seal(volume, this.#makeIn(volume, cur, `${name},S=4000,W=4100:2,S`, S_IFREG | 0o600))
    }
    await this.#write()
  }

  #makeIn(volume: VolumeId, parent: Ino, name: string, mode: number): Ino {
    const ino = inoOf(volume, this.#tree.volume(volume).nextCounter)
    this.#make(volume, parent, name, ino, mode)
    return ino
  }

  #make(volume: VolumeId, parent: Ino, name: string, ino: Ino, mode: number): void {
    const fileClass = (mode & S_IFREG) === S_IFREG ? 'blob' : 'general'
    const made = { mode, ...OWNER, rdev: 0, fileClass, target: '' } as const
    this.#apply(volume, { kind: 'create', parent, name, ino, ...made })
  }

  #seal(volume: VolumeId, ino: Ino): void {
    const extent = { offset: 0, length: BODY.length, blob: BLOB, blobOffset: 0 }
    const sealed = { size: BODY.length, mtime: this.#time, extents: [extent], riding: [0] }
    this.#apply(volume, { kind: 'seal', ino, ...sealed }, [BODY])
  }

  /** The hash stands for the entry's, which nothing looks at: there is no log to compare with. */
  #apply(volume: VolumeId, change: Change, bodies: Buffer[] = []): void {
    const { index, hash } = this.#tree.volume(volume)
    this.#time += 1_000_000n
    const entry = {
      volume,
      epoch: 1 as Epoch,
      index: (index + 1) as Index,
      previous: index === 0 ? NO_HASH : hash,
      time: this.#time,
      change
    }
    applyEntry(this.#tree, { entry, hash: sha256(hash), bodies })
  }

  async #write(): Promise<void> {
    const mark = readMark(this.#files.store, 'applied')
    await writeBatch(this.#files, this.#tree.takeChanges(), mark)
  }
}
