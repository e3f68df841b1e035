/**
 * The ordered key-value store that holds the durable tree.
 *
 * Keys are 'latin1' strings, one character a byte, ordered by their bytes. A write is atomic and
 * durable when its promise resolves: the store never keeps a later write without an earlier one.
 */
export interface Store extends StoreReader {
  /** Puts, or removes where the value is undefined. @throws RoostError STORE_FAILED */
  write(changes: Iterable<readonly [string, Buffer | undefined]>): Promise<void>
  /** What is there now, unmoved by later writes. Whoever asks closes it, before the store. */
  snapshot(): StoreReader
}

/** What can be read, of the store as it is or of a snapshot of it. */
export interface StoreReader {
  /** What the last finished write left, or undefined. */
  get(key: string): Buffer | undefined
  /** All keys in [from, to) in order, at most `limit`. */
  range(from: string, to: string, limit: number): Promise<[string, Buffer][]>
  close(): Promise<void>
}
