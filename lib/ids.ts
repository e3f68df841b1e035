/**
 * The numbers that name things, branded so that one cannot be handed over for another.
 *
 * All of them fit a JS number exactly. They are stored little-endian, as 8 bytes where the
 * comment says 53 bits and as 4 bytes where it says 32 or 21.
 */

declare const brand: unique symbol
type Branded<Name extends string> = number & { readonly [brand]: Name }

/** Inode number, 53 bits: volume * 2^32 + counter. With us the kernel's nodeid equals it. */
export type Ino = Branded<'Ino'>
/** Volume number, 21 bits. Volume 0 is the root volume. */
export type VolumeId = Branded<'VolumeId'>
/** Number of an entry in its volume's history, 53 bits; the first entry has 1. */
export type Index = Branded<'Index'>
/** Generation of a volume's lease, 32 bits; 0 means that nobody has held it yet. */
export type Epoch = Branded<'Epoch'>
/** One run of one replica, 32 bits; grows with each start, over all replicas of a cluster. */
export type SessionId = Branded<'SessionId'>
/** A member of a cluster, 32 bits; given when it joins and never given again. */
export type ReplicaId = Branded<'ReplicaId'>
/** Open file handle of one session, 53 bits: session * 2^32 + counter, so a stale one shows. */
export type Fh = Branded<'Fh'>
/** Byte position in a feed, 53 bits, over all its segments. */
export type Position = Branded<'Position'>

/** SHA-256 of a blob's bytes, as 64 lower-case hex digits. */
export type BlobId = string & { readonly [brand]: 'BlobId' }

const COUNTER_SPAN = 2 ** 32
export const VOLUME_ID_MAX = 2 ** 21 - 1

/** The kernel's name for the root of the mount, which no reply ever gives out. */
export const ROOT_INO = 1 as Ino
export const ROOT_VOLUME = 0 as VolumeId

/** The inode number that `counter` (1 to 2^32 - 1) has in `volume`. */
export function inoOf(volume: VolumeId, counter: number): Ino {
  return (volume * COUNTER_SPAN + counter) as Ino
}

/** The inode number of a volume's root directory. */
export function rootInoOf(volume: VolumeId): Ino {
  return inoOf(volume, 1)
}

export function volumeOf(ino: Ino): VolumeId {
  return Math.floor(ino / COUNTER_SPAN) as VolumeId
}

export function counterOf(ino: Ino): number {
  return ino % COUNTER_SPAN
}
