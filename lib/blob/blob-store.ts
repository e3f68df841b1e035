/**
 * Files of blobs, named by their hash.
 *
 * A blob that rode in the log is put here when the entry that names it is applied, and is synced
 * before the log goes. A larger one is staged: written and synced under another name first, since
 * history may name it only when it cannot be lost, and adopted when that entry is applied. Whoever
 * staged a blob has a claim on it until `unstage`: between the two the file stays, even when what
 * named it elsewhere is deleted.
 *
 * The first read since the start checks the hash. What does not match is never handed out.
 */

import { RoostError } from '../errors.ts'
import type { BlobId } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import { sha256Hex } from '../util/hash.ts'
import { LruMap } from '../util/lru-map.ts'

export const BLOBS_DIRECTORY = 'blobs'
export const STAGED_DIRECTORY = 'staged'

/** No blob is larger, so one can be checked whole before a byte of it is used. */
export const BLOB_SIZE_MAX = 1024 * 1024
/** Buffers kept for checking large blobs. */
const SCRATCH_MAX = 4
/** Blobs remembered as checked; some 100 bytes each. */
const VERIFIED_MAX = 200_000

interface Claim {
  count: number
  /**
   * Resolves when the file is durable; undefined where an earlier run began it, and may not have
   * come to its end.
   */
  written: Promise<void> | undefined
}

export class BlobStore {
  readonly #disk: Disk
  readonly #verified = new LruMap<BlobId, true>(VERIFIED_MAX, () => 1)
  readonly #damaged = new Map<BlobId, string>()
  readonly #claims = new Map<BlobId, Claim>()

  readonly #scratch: Buffer[] = []

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Makes the directories, which `put` relies on. */
  prepare(): void {
    this.#disk.makeDirectory(STAGED_DIRECTORY)
    for (let i = 0; i < 256; i++) {
      this.#disk.makeDirectory(`${BLOBS_DIRECTORY}/${i.toString(16).padStart(2, '0')}`)
    }
  }

  /** Blobs that could not be read since the start, and why. */
  get damaged(): ReadonlyMap<BlobId, string> {
    return this.#damaged
  }

  /** Writes a blob, replacing what is there. It is durable after the disk's next syncAll. */
  put(blob: BlobId, bytes: Uint8Array): void {
    writeFile(this.#disk, blobPathOf(blob), bytes)
    this.#damaged.delete(blob)
  }

  /**
   * Writes a blob so that it is durable when this resolves, before history names it.
   *
   * @throws what the disk throws; nothing is claimed then
   */
  async stage(blob: BlobId, bytes: Uint8Array): Promise<void> {
    const claim = this.#claimOf(blob)
    claim.written ??= this.#writeStaged(blob, bytes)
    await this.#join(blob, claim, claim.written)
  }

  /**
   * Takes a claim on what has a file already, so that nothing deletes it.
   *
   * A crash may have left a file that nothing names and that is not whole, so one that nobody here
   * has read or staged is read.
   *
   * @returns whether it has one and that is whole; what others are staging is durable then, and
   *   `unstage` gives the claim back
   * @throws as `stage`
   */
  async claimFile(blob: BlobId): Promise<boolean> {
    const isClaimed = this.#claims.get(blob)?.written !== undefined
    if (!isClaimed && !(await this.#isWhole(blob))) return false
    // It may have gone while it was read.
    if (this.#claims.get(blob)?.written === undefined && !this.has(blob)) return false
    const claim = this.#claimOf(blob)
    claim.written ??= Promise.resolve()
    await this.#join(blob, claim, claim.written)
    return true
  }

  async #isWhole(blob: BlobId): Promise<boolean> {
    if (!this.has(blob)) return false
    if (this.#verified.get(blob) !== undefined) return true
    const wasDamaged = this.#damaged.has(blob)
    try {
      await this.check(blob)
      return true
    } catch {
      // Nothing need name it, and then it is no damage.
      if (!wasDamaged) this.#damaged.delete(blob)
      return false
    }
  }

  /** The claims on a blob, which may be none yet. */
  #claimOf(blob: BlobId): Claim {
    let claim = this.#claims.get(blob)
    if (claim === undefined) {
      claim = { count: 0, written: undefined }
      this.#claims.set(blob, claim)
    }
    return claim
  }

  async #join(blob: BlobId, claim: Claim, written: Promise<void>): Promise<void> {
    claim.count++
    try {
      await written
    } catch (error) {
      claim.count--
      if (claim.written === written) claim.written = undefined
      if (claim.count === 0 && this.#claims.get(blob) === claim) this.#claims.delete(blob)
      throw error
    }
  }

  /**
   * Claims a blob that an ended session was to stage for an entry that is not applied yet. It may
   * not be there, or not whole.
   */
  reclaim(blob: BlobId): void {
    this.#claimOf(blob).count++
  }

  /** Whether there is a file of it, be it whole or not. */
  has(blob: BlobId): boolean {
    return this.#disk.exists(blobPathOf(blob)) || this.#disk.exists(stagedPathOf(blob))
  }

  /** Takes back one `stage` or `claim`: the store names the blob, or nothing is going to. */
  unstage(blob: BlobId): void {
    const claim = this.#claims.get(blob)
    if (claim === undefined || --claim.count > 0) return
    this.#claims.delete(blob)
    // It is still there when the blob had come to the store on another way as well.
    if (this.#disk.exists(stagedPathOf(blob))) this.#disk.remove(stagedPathOf(blob))
  }

  /** Whether history may come to name the blob although the store does not. */
  isStaged(blob: BlobId): boolean {
    return this.#claims.has(blob)
  }

  async #writeStaged(blob: BlobId, bytes: Uint8Array): Promise<void> {
    try {
      await this.#writeDurably(blob, bytes)
    } catch (error) {
      if (this.#disk.exists(stagedPathOf(blob))) this.#disk.remove(stagedPathOf(blob))
      throw error
    }
  }

  async #writeDurably(blob: BlobId, bytes: Uint8Array): Promise<void> {
    const file = this.#disk.open(stagedPathOf(blob), 'create')
    try {
      file.truncate(0)
      file.write(bytes, 0)
      await file.sync()
    } finally {
      file.close()
    }
    await this.#disk.syncDirectory(STAGED_DIRECTORY)
  }

  /** History names the staged blob now. Nothing happens where that was seen before. */
  adopt(blob: BlobId): void {
    if (this.#disk.exists(stagedPathOf(blob))) {
      this.#disk.rename(stagedPathOf(blob), blobPathOf(blob))
      this.#damaged.delete(blob)
    }
  }

  /**
   * As `adopt`, after a crash: the same blob may have been staged anew when it came, and what is
   * left of that is not to take the place of the whole one.
   */
  adoptWhole(blob: BlobId): void {
    const path = stagedPathOf(blob)
    if (!this.#disk.exists(path)) return
    const file = this.#disk.openRead(path)
    try {
      const bytes = Buffer.alloc(Math.min(file.size(), BLOB_SIZE_MAX))
      if (sha256Hex(bytes.subarray(0, file.read(bytes, 0))) !== blob) return
    } finally {
      file.close()
    }
    this.adopt(blob)
  }

  /** Removes what was staged and never named, when nothing is being staged. */
  clearStaged(): void {
    for (const name of this.#disk.list(STAGED_DIRECTORY)) {
      if (!this.#claims.has(name as BlobId)) this.#disk.remove(`${STAGED_DIRECTORY}/${name}`)
    }
  }

  remove(blob: BlobId): void {
    this.#verified.delete(blob)
    this.#damaged.delete(blob)
    if (this.#disk.exists(blobPathOf(blob))) this.#disk.remove(blobPathOf(blob))
  }

  /**
   * The bytes of a blob, checked.
   *
   * @throws RoostError BODY_MISSING, BODY_DAMAGED; both are remembered for `damaged`
   */
  async read(blob: BlobId): Promise<Buffer> {
    return this.#readInto(blob, size => Buffer.allocUnsafeSlow(size))
  }

  /** Checks a blob, and so brings it into the page cache. @throws as `read` */
  async check(blob: BlobId): Promise<void> {
    // Fresh memory costs as much as the hash.
    const scratch = this.#scratch.pop() ?? Buffer.allocUnsafeSlow(BLOB_SIZE_MAX)
    try {
      await this.#readInto(blob, size => scratch.subarray(0, size))
    } finally {
      if (this.#scratch.length < SCRATCH_MAX) this.#scratch.push(scratch)
    }
  }

  async #readInto(blob: BlobId, room: (size: number) => Buffer): Promise<Buffer> {
    const bytes = await this.#readFile(blob, room)
    if (this.#verified.get(blob) === undefined) {
      if (sha256Hex(bytes) !== blob) {
        throw this.#refuse(blob, new RoostError('BODY_DAMAGED', `blob ${blob} has another hash`))
      }
      this.#verified.set(blob, true)
    }
    return bytes
  }

  async #readFile(blob: BlobId, room: (size: number) => Buffer): Promise<Buffer> {
    const file = this.#openEither(blob)
    try {
      const bytes = room(Math.min(file.size(), BLOB_SIZE_MAX))
      return bytes.subarray(0, await file.readAsync(bytes, 0))
    } catch (error) {
      const what = `blob ${blob} cannot be read`
      throw this.#refuse(blob, new RoostError('BODY_DAMAGED', what, { cause: error }))
    } finally {
      file.close()
    }
  }

  #openEither(blob: BlobId): DiskFile {
    try {
      return this.#disk.openRead(blobPathOf(blob))
    } catch {
      // Named by no applied entry yet, or not there at all.
    }
    try {
      return this.#disk.openRead(stagedPathOf(blob))
    } catch (error) {
      const what = `blob ${blob} is not here`
      throw this.#refuse(blob, new RoostError('BODY_MISSING', what, { cause: error }))
    }
  }

  #refuse(blob: BlobId, error: RoostError): RoostError {
    this.#damaged.set(blob, error.message)
    return error
  }
}

/** Where a blob's file is, relative to the data directory. */
export function blobPathOf(blob: BlobId): string {
  return `${BLOBS_DIRECTORY}/${blob.slice(0, 2)}/${blob}`
}

function stagedPathOf(blob: BlobId): string {
  return `${STAGED_DIRECTORY}/${blob}`
}

function writeFile(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = disk.open(path, 'create')
  try {
    if (file.size() > 0) file.truncate(0)
    file.write(bytes, 0)
  } finally {
    file.close()
  }
}
