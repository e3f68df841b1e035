/**
 * Gives names to what no directory names, in `lost+found` of its volume.
 *
 * The root of a volume that nobody names goes to the one of the root volume. A name is '#' and the
 * inode number. The directory is made for root alone, as it may show what others should not see.
 */

import {
  inoOf,
  ROOT_VOLUME,
  rootInoOf,
  volumeOf,
  type Index,
  type Ino,
  type VolumeId
} from '../ids.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { isDirectory, S_IFDIR, S_IFMT, type Inode } from '../tree/inode.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'
import { emptyDirectory, freeCookie } from './names.ts'
import { decoded } from './volume-image.ts'

const NAME = 'lost+found'
/** Tries of a name that is taken, with a number behind it. */
const NAMES_MAX = 100

/** A batch of edits under way: what it has changed is read back from it. */
class Batch {
  readonly #store: Store
  readonly changes = new Map<string, Buffer | undefined>()

  constructor(store: Store) {
    this.#store = store
  }

  get(key: string): Buffer | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.#store.get(key)
  }

  inode(ino: Ino): Inode | undefined {
    const stored = this.get(keys.inodeKey(ino))
    return stored === undefined ? undefined : decoded(() => records.decodeInode(stored))
  }

  put(inode: Inode): void {
    this.changes.set(keys.inodeKey(inode.ino), records.encodeInode(inode))
  }

  /** Cookies that names of a directory have. */
  async cookiesOf(parent: Ino): Promise<Set<Index>> {
    const used = new Set<Index>()
    const names = await this.#store.range(
      keys.direntKey(parent, ''),
      keys.direntKey((parent + 1) as Ino, ''),
      Infinity
    )
    for (const [, value] of names) {
      const cookie = decoded(() => records.decodeDirent(value))?.cookie
      if (cookie !== undefined) used.add(cookie)
    }
    const listed = await this.#store.range(...keys.listingRange(parent, -1 as Index), Infinity)
    for (const [key] of listed) used.add(keys.inoOfKey(key) as number as Index)
    return used
  }
}

/** The volume in whose lost+found an inode gets its name. */
export function volumeToAttachIn(ino: Ino): VolumeId {
  const volume = volumeOf(ino)
  return ino === rootInoOf(volume) ? ROOT_VOLUME : volume
}

/** @returns the keys to be written; none where the volume is too damaged to take a name */
export async function attach(
  store: Store,
  volume: VolumeId,
  inos: readonly Ino[]
): Promise<ReadonlyMap<string, Buffer | undefined>> {
  const batch = new Batch(store)
  const stored = batch.get(keys.volumeKey(volume))
  const record = stored === undefined ? undefined : decoded(() => records.decodeVolume(stored))
  const root = batch.inode(rootInoOf(volume))
  if (record === undefined || root === undefined || !isDirectory(root)) return new Map()
  const target = await lostAndFound(batch, record, root)
  if (target === undefined) return new Map()
  const used = await batch.cookiesOf(target.ino)
  for (const ino of inos) {
    const inode = batch.inode(ino)
    const name = freeName(batch, target.ino, `#${ino}`)
    const cookie = freeCookie(used, record.index)
    if (inode === undefined || name === undefined || cookie === undefined) continue
    used.add(cookie)
    putName(batch, target.ino, name, { ino, type: inode.mode & S_IFMT, cookie })
    if (isDirectory(inode)) target.nlink++
    if (ino === rootInoOf(volumeOf(ino))) continue
    if (isDirectory(inode)) batch.put({ ...inode, parent: target.ino, name })
    else batch.put({ ...inode, nlink: 1 })
  }
  batch.put(target)
  return batch.changes
}

/** The directory, made where there is none. */
async function lostAndFound(
  batch: Batch,
  record: VolumeRecord,
  root: Inode
): Promise<Inode | undefined> {
  const there = batch.get(keys.direntKey(root.ino, NAME))
  const dirent = there === undefined ? undefined : decoded(() => records.decodeDirent(there))
  const found = dirent === undefined ? undefined : batch.inode(dirent.ino)
  if (found !== undefined && isDirectory(found)) return found
  const name = freeName(batch, root.ino, NAME)
  const cookie = freeCookie(await batch.cookiesOf(root.ino), record.index)
  if (name === undefined || cookie === undefined) return undefined
  const made = emptyDirectory(record, inoOf(record.volume, record.nextCounter), root.ino, name)
  const volume = { ...record, nextCounter: record.nextCounter + 1 }
  batch.changes.set(keys.volumeKey(record.volume), records.encodeVolume(volume))
  batch.put({ ...root, nlink: root.nlink + 1 })
  putName(batch, root.ino, name, { ino: made.ino, type: S_IFDIR, cookie })
  return made
}

function putName(
  batch: Batch,
  parent: Ino,
  name: string,
  dirent: { ino: Ino; type: number; cookie: Index }
): void {
  batch.changes.set(keys.direntKey(parent, name), records.encodeDirent(dirent))
  batch.changes.set(keys.listingKey(parent, dirent.cookie), records.encodeListed(name, dirent))
}

function freeName(batch: Batch, parent: Ino, name: string): string | undefined {
  for (let i = 0; i < NAMES_MAX; i++) {
    const tried = i === 0 ? name : `${name}.${i}`
    if (batch.get(keys.direntKey(parent, tried)) === undefined) return tried
  }
  return undefined
}
