/**
 * Keys of the store. The first character says what it is; numbers follow as 7 bytes, most
 * significant first, so that the store's order is theirs.
 *
 *     i ino              inode            d ino name     name in a directory
 *     o ino cookie       the same, in listing order      z ino    orphan
 *     x ino window       extents          b hash         number of references to a blob
 *     v volume           volume record    g b hash, g c ino       files to be deleted
 *     m word             marks            p volume    epoch that is promised
 *     c volume           how far a batch that may be half done is committed
 */

import type { BlobId, Index, Ino, VolumeId } from '../ids.ts'

function number(value: number): string {
  const high = Math.floor(value / 2 ** 32)
  const low = value >>> 0
  return String.fromCharCode(
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    low >>> 24,
    (low >>> 16) & 255,
    (low >>> 8) & 255,
    low & 255
  )
}

const NUMBER_SIZE = 7

export function inodeKey(ino: Ino): string {
  return 'i' + number(ino)
}

export function direntKey(parent: Ino, name: string): string {
  return 'd' + number(parent) + name
}

export function listingKey(parent: Ino, cookie: Index): string {
  return 'o' + number(parent) + number(cookie)
}

/** The keys of a directory's listing behind `cookie`: [from, to). */
export function listingRange(parent: Ino, cookie: Index): [string, string] {
  return ['o' + number(parent) + number(cookie + 1), 'o' + number(parent + 1)]
}

export function orphanKey(ino: Ino): string {
  return 'z' + number(ino)
}

export const ORPHAN_RANGE: readonly [string, string] = ['z', '{']

export function extentsKey(ino: Ino, window: number): string {
  return 'x' + number(ino) + number(window)
}

export function blobKey(blob: BlobId): string {
  return 'b' + Buffer.from(blob, 'hex').toString('latin1')
}

export function volumeKey(volume: VolumeId): string {
  return 'v' + number(volume)
}

export const VOLUME_RANGE: readonly [string, string] = ['v', 'w']

export function commitKey(volume: VolumeId): string {
  return 'c' + number(volume)
}

export const COMMIT_RANGE: readonly [string, string] = ['c', 'd']

/** The volume that the key of a promise or a commit ends with. */
export function volumeOfKey(key: string): VolumeId {
  return inoOfKey(key) as number as VolumeId
}

export function promiseKey(volume: VolumeId): string {
  return 'p' + number(volume)
}

export function blobGarbageKey(blob: BlobId): string {
  return 'gb' + Buffer.from(blob, 'hex').toString('latin1')
}

export function containerGarbageKey(ino: Ino): string {
  return 'gc' + number(ino)
}

export const BLOB_GARBAGE_RANGE: readonly [string, string] = ['gb', 'gc']
export const CONTAINER_GARBAGE_RANGE: readonly [string, string] = ['gc', 'gd']

/** How many files the changes of a batch leave to be deleted. */
export function garbageIn(changes: ReadonlyMap<string, Buffer | undefined>): number {
  let count = 0
  for (const [key, value] of changes) if (value !== undefined && key.startsWith('g')) count++
  return count
}

export type Mark = 'applied' | 'checkpoint' | 'session' | 'volumes'

export function markKey(mark: Mark): string {
  return 'm' + mark
}

/** The inode number that an inode, orphan or container key ends with. */
export function inoOfKey(key: string): Ino {
  let value = 0
  for (let i = key.length - NUMBER_SIZE; i < key.length; i++)
    value = value * 256 + key.charCodeAt(i)
  return value as Ino
}

export function blobOfKey(key: string): BlobId {
  return Buffer.from(key.slice(2), 'latin1').toString('hex') as BlobId
}
