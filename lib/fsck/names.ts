/** Names in directories: what a check knows of them, and the edits that repair them. */

import { rootInoOf, type Index, type Ino } from '../ids.ts'
import * as keys from '../store/keys.ts'
import { encodeDirent, encodeListed } from '../store/records.ts'
import { isDirectory, S_IFDIR, type Dirent, type Inode } from '../tree/inode.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'
import { edit, type Fix } from './problem.ts'
import type { VolumeImage } from './volume-image.ts'

/** Where a name is, and what it names. */
export interface Place {
  readonly parent: Ino
  readonly name: string
  readonly dirent: Dirent
}

/** Names of every inode, and how many directories each directory has in it. */
export interface Links {
  readonly places: Map<Ino, Place[]>
  readonly subdirectories: Map<Ino, number>
}

/** What the volumes say of one another. */
export interface VolumeRoots {
  /** Roots that a directory names. */
  readonly named: Map<Ino, Place>
  readonly existing: Set<Ino>
  /** The root volume, which gives out the numbers of the others. */
  first?: VolumeRecord
  lastVolume: number
}

/** Whether names in it count: also while its own record is lost, which takes no name away. */
export function mayHaveNames({ volume, inodes, damaged }: VolumeImage, ino: Ino): boolean {
  const inode = inodes.get(ino)
  if (inode === undefined) return damaged.has(ino) || ino === rootInoOf(volume)
  return isDirectory(inode)
}

/** A directory as a repair makes one: for root alone to look into. */
export function emptyDirectory(
  record: VolumeRecord | undefined | null,
  ino: Ino,
  parent: Ino | 0,
  name: string
): Inode {
  const time = record?.time ?? 0n
  const generation = record?.epoch ?? 0
  return {
    ino,
    generation: generation as Inode['generation'],
    mode: S_IFDIR | 0o700,
    nlink: 2,
    uid: 0,
    gid: 0,
    rdev: 0,
    size: 0,
    bodyEnd: 0,
    atime: time,
    mtime: time,
    ctime: time,
    fileClass: 'general',
    target: '',
    parent,
    name
  }
}

/** Takes a name away, with its place in the listing. */
export function removalOf({ parent, name, dirent }: Place): Fix {
  return edit(
    [keys.direntKey(parent, name), undefined],
    [keys.listingKey(parent, dirent.cookie), undefined]
  )
}

/** Puts a name, with its place in the listing. */
export function namingOf({ parent, name, dirent }: Place): Fix {
  return edit(
    [keys.direntKey(parent, name), encodeDirent(dirent)],
    [keys.listingKey(parent, dirent.cookie), encodeListed(name, dirent)]
  )
}

/** A cookie that no name in the directory has, and that no later one will get. */
export function freeCookie(used: ReadonlySet<Index>, indexMax: number): Index | undefined {
  for (let cookie = indexMax; cookie > COOKIES_TAKEN; cookie--) {
    if (!used.has(cookie as Index)) return cookie as Index
  }
  return undefined
}

/** "." and ".." have 1 and 2. */
export const COOKIES_TAKEN = 2
