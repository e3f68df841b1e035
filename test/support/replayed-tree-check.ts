import { BLOBS_DIRECTORY, STAGED_DIRECTORY } from '../../lib/blob/blob-store.ts'
import type { Extent } from '../../lib/feed/entry.ts'
import type { BlobId, Ino } from '../../lib/ids.ts'
import { CONTAINERS_DIRECTORY } from '../../lib/store/containers.ts'
import * as keys from '../../lib/store/keys.ts'
import * as records from '../../lib/store/records.ts'
import { isRegular, type Inode } from '../../lib/tree/inode.ts'
import { WINDOW_SIZE } from '../../lib/tree/window.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import type { ReplayedTree } from './replayed-tree.ts'
import type { SimDisk } from './sim-disk.ts'

type Values = ReadonlyMap<string, Buffer>

/**
 * Compares store and files, read raw, with a replay of the log, after a checkpoint: every table,
 * every byte, and that no file is left which nothing names.
 *
 * @param claimed blobs that history may still come to name
 * @throws Error saying what differs
 */
export function compareWithReplay(
  values: Values,
  disk: SimDisk,
  tree: ReplayedTree,
  claimed: ReadonlySet<BlobId> = new Set()
): void {
  compareTables(values, tree, claimed)
  const paths = new Set(disk.paths())
  const extents = extentsOf(values)
  compareReferences(values, extents)
  for (const inode of tree.inodes.values()) {
    if (!isRegular(inode)) continue
    if (inode.fileClass === 'blob') compareBody(disk, inode, extents.get(inode.ino) ?? [], tree)
    else compareContainer(disk, paths, inode, tree)
  }
  compareFiles(values, paths, tree, claimed)
}

/** Every key of the store that the replay accounts for, and no other. */
function compareTables(values: Values, tree: ReplayedTree, claimed: ReadonlySet<BlobId>): void {
  const expected = new Map<string, Buffer>()
  for (const record of tree.volumes.values()) {
    if (record.index === 0) continue
    expected.set(keys.volumeKey(record.volume), records.encodeVolume(record))
  }
  for (const inode of tree.inodes.values()) {
    expected.set(keys.inodeKey(inode.ino), records.encodeInode(inode))
  }
  for (const [parent, names] of tree.names) {
    for (const [name, dirent] of names) {
      expected.set(keys.direntKey(parent, name), records.encodeDirent(dirent))
      const listed = records.encodeListed(name, dirent)
      expected.set(keys.listingKey(parent, dirent.cookie), listed)
    }
  }
  for (const ino of tree.orphans) expected.set(keys.orphanKey(ino), Buffer.alloc(0))
  for (const [key, value] of expected) {
    if (values.get(key)?.equals(value) !== true) throw new Error(`${said(key)} differs`)
  }
  for (const key of values.keys()) {
    if (/^[vidoz]/.test(key) && !expected.has(key)) throw new Error(`${said(key)} is too much`)
    if (key.startsWith('gb') && claimed.has(keys.blobOfKey(key))) continue
    if (key.startsWith('g')) throw new Error(`${said(key)} is left after a checkpoint`)
  }
}

function extentsOf(values: Values): Map<Ino, Extent[]> {
  const found = new Map<Ino, Extent[]>()
  const stored = [...values].filter(([key]) => key.startsWith('x')).sort()
  for (const [key, value] of stored) {
    const ino = keys.inoOfKey(key.slice(0, 8))
    const window = keys.inoOfKey(key)
    const extents = records.decodeExtents(value)
    const all = found.get(ino) ?? []
    for (const extent of extents) {
      const end = extent.offset + extent.length
      const before = all.at(-1)
      if (extent.offset < window * WINDOW_SIZE || end > (window + 1) * WINDOW_SIZE) {
        throw new Error(`an extent of ${ino} lies outside its window`)
      }
      if (before !== undefined && before.offset + before.length > extent.offset) {
        throw new Error(`extents of ${ino} overlap`)
      }
      all.push(extent)
    }
    found.set(ino, all)
  }
  return found
}

function compareReferences(values: Values, extents: Map<Ino, Extent[]>): void {
  const counts = new Map<string, number>()
  for (const { blob } of [...extents.values()].flat()) {
    counts.set(keys.blobKey(blob), (counts.get(keys.blobKey(blob)) ?? 0) + 1)
  }
  for (const [key, value] of values) {
    if (!key.startsWith('b')) continue
    const count = records.decodeCount(value)
    if (counts.get(key) !== count) throw new Error(`${said(key)} counts ${count} references`)
    counts.delete(key)
  }
  for (const key of counts.keys()) throw new Error(`${said(key)} has no count`)
}

function compareBody(disk: SimDisk, inode: Inode, extents: Extent[], tree: ReplayedTree): void {
  const bytes = Buffer.alloc(inode.size)
  for (const { offset, length, blob, blobOffset } of extents) {
    const body = disk.bytes(blobPathOf(blob))
    if (sha256Hex(body) !== blob) throw new Error(`blob ${blob} has another hash`)
    bytes.set(body.subarray(blobOffset, blobOffset + length), offset)
  }
  if (!bytes.equals(tree.bytesOf(inode.ino))) throw new Error(`body of ${inode.ino} differs`)
}

function compareContainer(
  disk: SimDisk,
  paths: ReadonlySet<string>,
  inode: Inode,
  tree: ReplayedTree
): void {
  const path = containerPathOf(inode.ino)
  const found = paths.has(path) ? disk.bytes(path) : new Uint8Array(0)
  if (found.length > inode.size) throw new Error(`container of ${inode.ino} is too long`)
  const bytes = Buffer.alloc(inode.size)
  bytes.set(found)
  if (!bytes.equals(tree.bytesOf(inode.ino))) throw new Error(`container of ${inode.ino} differs`)
}

function compareFiles(
  values: Values,
  paths: ReadonlySet<string>,
  tree: ReplayedTree,
  claimed: ReadonlySet<BlobId>
): void {
  const expected = new Set<string>()
  for (const blob of claimed) expected.add(blobPathOf(blob)).add(`${STAGED_DIRECTORY}/${blob}`)
  for (const key of values.keys()) {
    if (!key.startsWith('b')) continue
    expected.add(blobPathOf(Buffer.from(key.slice(1), 'latin1').toString('hex') as BlobId))
  }
  for (const inode of tree.inodes.values()) {
    if (inode.fileClass !== 'blob') expected.add(containerPathOf(inode.ino))
  }
  const kept = [BLOBS_DIRECTORY, STAGED_DIRECTORY, CONTAINERS_DIRECTORY]
  for (const path of paths) {
    const isKept = kept.some(directory => path.startsWith(`${directory}/`))
    if (isKept && !expected.has(path)) throw new Error(`nothing names ${path}`)
  }
}

function blobPathOf(blob: BlobId): string {
  return `${BLOBS_DIRECTORY}/${blob.slice(0, 2)}/${blob}`
}

function containerPathOf(ino: Ino): string {
  const directory = (ino % 256).toString(16).padStart(2, '0')
  return `${CONTAINERS_DIRECTORY}/${directory}/${ino.toString(16)}`
}

function said(key: string): string {
  return `store key ${JSON.stringify(key)}`
}
