/** Everything that the store says of one volume, decoded, with what does not decode left out. */

import type { Extent } from '../feed/entry.ts'
import { rootInoOf, volumeOf, type Index, type Ino, type VolumeId } from '../ids.ts'
import type { TreeView } from '../keeper/tree-view.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import type { Dirent, Inode } from '../tree/inode.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'
import { RoostError } from '../errors.ts'
import { InvariantError } from '../util/assert.ts'
import { Cursor, type Pair } from './cursor.ts'
import { edit, shown, type OnProblem } from './problem.ts'

/** Names of one directory: by name, and as its listing has them. */
export interface Folder {
  readonly names: Map<string, Dirent>
  readonly listing: Map<Index, records.ListedName>
}

export interface Window {
  readonly ino: Ino
  readonly window: number
  readonly extents: readonly Extent[]
}

export interface VolumeImage {
  readonly volume: VolumeId
  /** Undefined where there is none; null where it does not decode. */
  readonly record: VolumeRecord | undefined | null
  readonly inodes: Map<Ino, Inode>
  /** Inodes whose record does not decode: they are there, but nobody knows what they are. */
  readonly damaged: Set<Ino>
  readonly folders: Map<Ino, Folder>
  readonly orphans: Set<Ino>
  readonly windows: readonly Window[]
}

/** What follows the first character of a key: 'd' is followed by a directory and a name. */
const KEY_SIZES: Record<string, number> = { i: 8, o: 15, z: 8, x: 15, v: 8 }
const DIRENT_KEY_SIZE_MIN = 9
const PREFIXES = ['i', 'd', 'o', 'z', 'x', 'v'] as const

type Prefix = (typeof PREFIXES)[number]

/** Yields the volumes of a store in order, each whole. */
export async function* volumesOf(
  view: TreeView,
  onProblem: OnProblem
): AsyncGenerator<VolumeImage> {
  const cursors = Object.fromEntries(
    PREFIXES.map(prefix => [prefix, new Cursor(view, prefix)])
  ) as Record<Prefix, Cursor>
  for (;;) {
    const firsts = await Promise.all(PREFIXES.map(async prefix => cursors[prefix].peek()))
    const volumes = firsts.map((key, i) => volumeOfKey(PREFIXES[i] as Prefix, key))
    const volume = Math.min(...volumes)
    if (volume === Infinity) return
    yield await readVolume(cursors, volume as VolumeId, onProblem)
  }
}

function volumeOfKey(prefix: Prefix, key: string | undefined): number {
  if (key === undefined) return Infinity
  const number = keys.inoOfKey(key.slice(0, 8).padEnd(8, '\0'))
  return prefix === 'v' ? number : volumeOf(number)
}

async function readVolume(
  cursors: Record<Prefix, Cursor>,
  volume: VolumeId,
  onProblem: OnProblem
): Promise<VolumeImage> {
  const next = (volume + 1) as VolumeId
  const end = keys.inodeKey((rootInoOf(next) - 1) as Ino).slice(1)
  const take = async (prefix: Prefix): Promise<Pair[]> => {
    const limit = prefix === 'v' ? keys.volumeKey(next) : prefix + end
    return wellFormed(prefix, await cursors[prefix].takeBelow(limit), onProblem)
  }
  const image = {
    volume,
    record: undefined as VolumeRecord | undefined | null,
    inodes: new Map<Ino, Inode>(),
    damaged: new Set<Ino>(),
    folders: new Map<Ino, Folder>(),
    orphans: new Set((await take('z')).map(([key]) => keys.inoOfKey(key))),
    windows: [] as Window[]
  }
  for (const [, value] of await take('v')) {
    const record = decoded(() => records.decodeVolume(value))
    image.record = record?.volume === volume ? record : null
    if (image.record === null) damagedRecord(onProblem, `the record of volume ${volume}`)
  }
  for (const [key, value] of await take('i')) readInode(image, key, value, onProblem)
  for (const [key, value] of await take('d')) readName(image, key, value, onProblem)
  for (const [key, value] of await take('o')) readListed(image, key, value, onProblem)
  for (const [key, value] of await take('x')) {
    const [ino, window] = [keys.inoOfKey(key.slice(0, 8)), keys.inoOfKey(key)]
    const extents = decoded(() => records.decodeExtents(value))
    if (extents !== undefined) image.windows.push({ ino, window, extents })
    else damagedRecord(onProblem, `window ${window} of the extents of inode ${ino}`, ino)
  }
  return image
}

function wellFormed(prefix: Prefix, pairs: Pair[], onProblem: OnProblem): Pair[] {
  return pairs.filter(([key]) => {
    const size = KEY_SIZES[prefix]
    const isFine = size === undefined ? key.length >= DIRENT_KEY_SIZE_MIN : key.length === size
    if (!isFine) onProblem({ kind: 'record-unknown', text: `store key ${JSON.stringify(key)}` })
    return isFine
  })
}

function readInode(image: VolumeImage, key: string, value: Buffer, onProblem: OnProblem): void {
  const ino = keys.inoOfKey(key)
  const inode = decoded(() => records.decodeInode(value))
  if (inode?.ino === ino) {
    image.inodes.set(ino, inode)
  } else {
    image.damaged.add(ino)
    damagedRecord(onProblem, `the attributes of inode ${ino}`, ino)
  }
}

function readName(image: VolumeImage, key: string, value: Buffer, onProblem: OnProblem): void {
  const [parent, name] = [keys.inoOfKey(key.slice(0, 8)), key.slice(8)]
  const dirent = decoded(() => records.decodeDirent(value))
  if (dirent !== undefined) folderOf(image, parent).names.set(name, dirent)
  // Its listing has it once more; without that, whatever it named will be missed.
  else damagedRecord(onProblem, `name ${shown(name)} in inode ${parent}`, parent, key)
}

function readListed(image: VolumeImage, key: string, value: Buffer, onProblem: OnProblem): void {
  const [parent, cookie] = [keys.inoOfKey(key.slice(0, 8)), keys.inoOfKey(key) as number]
  const listed = decoded(() => records.decodeListed(value))
  if (listed?.cookie === cookie) {
    folderOf(image, parent).listing.set(listed.cookie, listed)
  } else {
    damagedRecord(onProblem, `place ${cookie} in the listing of inode ${parent}`, parent, key)
  }
}

function folderOf(image: VolumeImage, parent: Ino): Folder {
  let folder = image.folders.get(parent)
  if (folder === undefined) {
    folder = { names: new Map(), listing: new Map() }
    image.folders.set(parent, folder)
  }
  return folder
}

/** @param removable a key that can go, because what it says is found elsewhere as well */
function damagedRecord(onProblem: OnProblem, what: string, ino?: Ino, removable?: string): void {
  onProblem({
    kind: 'record-damaged',
    text: `${what} cannot be decoded`,
    ...(ino !== undefined && { ino }),
    ...(removable !== undefined && { fixes: [edit([removable, undefined])] })
  })
}

/** @returns undefined where the bytes make no sense */
export function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    // The decoders take it for a bug when a number has no meaning. Here it is what is looked for.
    if (error instanceof RoostError || error instanceof InvariantError) return undefined
    throw error
  }
}
