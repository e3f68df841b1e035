/**
 * The disk below a data directory, as everything outside io/ sees it.
 *
 * Paths are relative to the data directory, with '/' between their parts. Calls that only
 * touch the page cache are synchronous; those that wait for the device return a promise, except
 * `syncNow`, which the sync thread uses. What was written and not yet synced may be lost in a
 * power cut, each file's part for itself and in any order; names that were made, moved or removed
 * may be lost until their directory or everything was synced.
 *
 * Every method throws the Error of node:fs, whose `code` is the name of the errno.
 */
export interface Disk {
  /**
   * Opens a file for reading and writing.
   *
   * @param mode 'existing' fails with ENOENT where there is none; 'create' makes an empty one
   *   where there is none; 'exclusive' fails with EEXIST where there is one.
   */
  open(path: string, mode: 'existing' | 'create' | 'exclusive'): DiskFile
  /** Opens an existing file for reading only, which works on what nobody may write. */
  openRead(path: string): DiskFile
  /**
   * As `openRead`, where that needs nothing of the device.
   *
   * @returns undefined when the device had to be waited for, also when there is no such file
   */
  openCached(path: string): DiskFile | undefined
  exists(path: string): boolean
  /** Makes the directory, and those above it, where they are missing. */
  makeDirectory(path: string): void
  /** Names in a directory, in no particular order. @throws ENOENT */
  list(path: string): string[]
  rename(from: string, to: string): void
  /** @throws ENOENT */
  remove(path: string): void
  /** Removes an empty directory. @throws ENOENT, ENOTEMPTY */
  removeDirectory(path: string): void
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>
  /** Makes everything below the data directory durable, names and bytes. */
  syncAll(): Promise<void>
  /** Bytes that can still be written before the disk is full, and the size of the disk. */
  space(): { freeBytes: number; totalBytes: number }
}

/** An open file. Whoever opened it closes it. */
export interface DiskFile {
  /**
   * Reads into `target` from `position` on.
   *
   * @returns the number of bytes read; fewer than asked only at the end of the file.
   */
  read(target: Uint8Array, position: number): number
  /** As `read`, but stops where the device had to be waited for. */
  readCached(target: Uint8Array, position: number): number
  /** As `read`, for reads that may have to wait for the device. */
  readAsync(target: Uint8Array, position: number): Promise<number>
  /** Writes all of `source` at `position`, or throws; a gap reads as zeros. */
  write(source: Uint8Array, position: number): void
  truncate(size: number): void
  size(): number
  /** Makes the bytes, and the size, durable (fdatasync). */
  sync(): Promise<void>
  /** As `sync`, blocking the calling thread. */
  syncNow(): void
  close(): void
}
