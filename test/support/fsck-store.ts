import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { checkAtRest, type FsckReport } from '../../lib/fsck/fsck.ts'
import { repairAtRest } from '../../lib/fsck/repair.ts'
import type { Ino } from '../../lib/ids.ts'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { LevelStore } from '../../lib/store/level-store.ts'
import * as keys from '../../lib/store/keys.ts'
import * as records from '../../lib/store/records.ts'
import type { Store } from '../../lib/store/store.ts'
import type { Dirent, Inode } from '../../lib/tree/inode.ts'
import { present } from '../../lib/util/assert.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import { openGolden } from './golden.ts'
import { SimReplicaShell } from './sim-replica-shell.ts'
import type { SimReplica } from './sim-replica.ts'

export const SMALL = Buffer.from('From: someone\n\nA small message.\n')
export const LARGE = Buffer.alloc(1_500_000, 'A line of a large message.\n')
const OPTIONS = { onProgress: () => undefined, pace: () => Promise.resolve() }

/** A small real store on a real disk, for a test to damage. */
export class FsckStore {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /** @param end how the daemon ended: in good order, or with a part of its history in the log */
  static async make(t: Test, end: 'closed' | 'killed' = 'closed'): Promise<FsckStore> {
    const store = new FsckStore(t.testdir({}))
    const replica = await openGolden(store.directory)
    await fill(replica)
    if (end === 'closed') {
      await replica.close()
      return store
    }
    await replica.catchUp()
    await replica.keeper.writeCheckpoint()
    const shell = new SimReplicaShell(replica)
    await shell.write('bert/applied.lock', 'in the store')
    await replica.catchUp()
    await shell.write('bert/cur/tail', 'in the log alone')
    await shell.write('bert/tail.lock', 'in the log alone')
    await shell.fsync('bert')
    await replica.keeper.close()
    return store
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts)
  }

  blobFile(bytes: Buffer): string {
    const hash = sha256Hex(bytes)
    return this.path('blobs', hash.slice(0, 2), hash)
  }

  containerFile(ino: Ino): string {
    return this.path('containers', (ino % 256).toString(16).padStart(2, '0'), ino.toString(16))
  }

  /** Flips a bit of a file. */
  flip(path: string, at: number): void {
    const bytes = fs.readFileSync(path)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    fs.writeFileSync(path, bytes)
  }

  open(): Promise<Store> {
    return LevelStore.open(this.path('store'))
  }

  /** Edits the store through its own code. */
  async edit(task: (edit: StoreEdit) => Promise<void> | void): Promise<void> {
    const store = await this.open()
    const edit = new StoreEdit(store)
    await task(edit)
    await store.write(edit.changes)
    await store.close()
  }

  async inoOf(path: string): Promise<Ino> {
    const store = await this.open()
    const { ino } = new StoreEdit(store).at(path)
    await store.close()
    return ino
  }

  check(): Promise<FsckReport> {
    return checkAtRest(new NodeDisk(this.directory), () => this.open(), OPTIONS)
  }

  repair(): Promise<FsckReport> {
    return repairAtRest(new NodeDisk(this.directory), () => this.open(), OPTIONS)
  }

  /** Serves it, without threads and without a mount. */
  async serve(task: (shell: SimReplicaShell) => Promise<void>): Promise<void> {
    const replica = await openGolden(this.directory)
    await task(new SimReplicaShell(replica))
    await replica.close()
  }
}

/** Changes to a store, gathered. */
export class StoreEdit {
  readonly store: Store
  readonly changes = new Map<string, Buffer | undefined>()

  constructor(store: Store) {
    this.store = store
  }

  put(key: string, value: Buffer | undefined): void {
    this.changes.set(key, value)
  }

  /** What a path names, and where its name is. */
  at(path: string): { parent: Ino; name: string; dirent: Dirent; ino: Ino; inode: Inode } {
    let parent = 1 as Ino
    const names = path.split('/')
    const name = names.pop() ?? ''
    for (const one of names) parent = this.#dirent(parent, one).ino
    const dirent = this.#dirent(parent, name)
    const stored = this.store.get(keys.inodeKey(dirent.ino))
    const inode = records.decodeInode(present(stored, `inode of ${path}`))
    return { parent, name, dirent, ino: dirent.ino, inode }
  }

  /** Writes the inode with some attributes changed. */
  change(path: string, attributes: Partial<Inode>): void {
    const { ino, inode } = this.at(path)
    this.put(keys.inodeKey(ino), records.encodeInode({ ...inode, ...attributes }))
  }

  putName(parent: Ino, name: string, dirent: Dirent): void {
    this.put(keys.direntKey(parent, name), records.encodeDirent(dirent))
    this.put(keys.listingKey(parent, dirent.cookie), records.encodeListed(name, dirent))
  }

  removeName(path: string): void {
    const { parent, name, dirent } = this.at(path)
    this.put(keys.direntKey(parent, name), undefined)
    this.put(keys.listingKey(parent, dirent.cookie), undefined)
  }

  #dirent(parent: Ino, name: string): Dirent {
    const stored = this.store.get(keys.direntKey(parent, name))
    return records.decodeDirent(present(stored, `name ${name}`))
  }
}

async function fill(replica: SimReplica): Promise<void> {
  const shell = new SimReplicaShell(replica)
  await shell.mkdir('anna/cur')
  await shell.mkdir('anna/deep/deeper')
  await shell.mkdir('bert/cur')
  await shell.write('anna/cur/small', SMALL)
  await shell.link('anna/cur/small', 'anna/cur/linked')
  await shell.write('anna/cur/large', LARGE)
  await shell.write('anna/dovecot-uidlist', '3 V1 N3\n1 :small\n')
  await shell.write('anna/deep/deeper/some.lock', 'text')
  await shell.write('bert/cur/other', 'another message')
}
