/**
 * The bytes of a file whose writes are kept in history, in memory, by blocks.
 *
 * What is in memory is never older than the log. Blocks that are not there are in the container,
 * unless they lie at or above `#zeroFrom`: there is nothing yet, or nothing any more that the
 * container may still show because it lags behind the log.
 */

/** Bytes of a block. */
export const BLOCK_SIZE = 64 * 1024

export class Content {
  readonly #blocks = new Map<number, Buffer>()
  #zeroFrom: number
  #bytes = 0

  /** @param size what the container holds */
  constructor(size: number) {
    this.#zeroFrom = Math.ceil(size / BLOCK_SIZE)
  }

  /** Memory in use. */
  get bytes(): number {
    return this.#bytes
  }

  /** The first block of [offset, offset + length) that has to be loaded before it is used. */
  missing(offset: number, length: number): number | undefined {
    const last = Math.floor((offset + length - 1) / BLOCK_SIZE)
    for (let block = Math.floor(offset / BLOCK_SIZE); block <= last; block++) {
      if (block >= this.#zeroFrom) return undefined
      if (!this.#blocks.has(block)) return block
    }
    return undefined
  }

  /** Takes a block from the container, if it is still wanted. */
  load(block: number, bytes: Uint8Array): void {
    if (block >= this.#zeroFrom || this.#blocks.has(block)) return
    this.#set(block, Buffer.from(bytes))
  }

  /** Copies [offset, offset + target.length) of loaded blocks; what is not there reads as zeros. */
  read(target: Buffer, offset: number): void {
    let done = 0
    while (done < target.length) {
      const at = offset + done
      const within = at % BLOCK_SIZE
      const length = Math.min(BLOCK_SIZE - within, target.length - done)
      const piece = target.subarray(done, done + length)
      const bytes = this.#blocks.get(Math.floor(at / BLOCK_SIZE))?.subarray(within, within + length)
      if (bytes !== undefined) piece.set(bytes)
      piece.fill(0, bytes?.length ?? 0)
      done += length
    }
  }

  /** Writes into loaded blocks. */
  write(offset: number, bytes: Uint8Array): void {
    let done = 0
    while (done < bytes.length) {
      const at = offset + done
      const within = at % BLOCK_SIZE
      const length = Math.min(BLOCK_SIZE - within, bytes.length - done)
      const block = this.#grown(Math.floor(at / BLOCK_SIZE), within + length)
      block.set(bytes.subarray(done, done + length), within)
      done += length
    }
  }

  /** Cuts at `size`; the block that it falls into is loaded. */
  truncate(size: number): void {
    const boundary = Math.floor(size / BLOCK_SIZE)
    for (const [block, bytes] of this.#blocks) {
      if (block > boundary) this.#drop(block)
      if (block === boundary) bytes.fill(0, size % BLOCK_SIZE)
    }
    this.#zeroFrom = Math.min(this.#zeroFrom, Math.ceil(size / BLOCK_SIZE))
  }

  /** A block at least `needed` long, zeros behind what it had. */
  #grown(block: number, needed: number): Buffer {
    const bytes = this.#blocks.get(block)
    if (bytes !== undefined && bytes.length >= needed) return bytes
    const size = Math.min(Math.max(needed, 2 * (bytes?.length ?? 0), 256), BLOCK_SIZE)
    const grown = Buffer.alloc(size)
    if (bytes !== undefined) grown.set(bytes)
    this.#set(block, grown)
    return grown
  }

  #set(block: number, bytes: Buffer): void {
    this.#drop(block)
    this.#blocks.set(block, bytes)
    this.#bytes += bytes.length
  }

  #drop(block: number): void {
    this.#bytes -= this.#blocks.get(block)?.length ?? 0
    this.#blocks.delete(block)
  }
}
