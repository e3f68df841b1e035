/** Bytes of a page; pages of zeros are not kept. */
const PAGE = 4096

/** Many zeros, for comparing and for standing in for what was written as zeros. */
export const ZEROS = Buffer.alloc(1024 * 1024)

/** Bytes that grow: what has not been written reads as zeros, and zeros take no memory. */
export class SimBytes {
  size = 0
  /** Invariant: beyond `size` there is nothing but zeros. */
  #pages = new Map<number, Uint8Array>()

  read(target: Uint8Array, position: number): number {
    const length = Math.min(Math.max(this.size - position, 0), target.byteLength)
    let done = 0
    for (const { page, within, count } of piecesOf(position, length)) {
      const bytes = this.#pages.get(page)
      if (bytes === undefined) target.fill(0, done, done + count)
      else target.set(bytes.subarray(within, within + count), done)
      done += count
    }
    return length
  }

  slice(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - start)
    this.read(bytes, start)
    return bytes
  }

  write(bytes: Uint8Array, position: number): void {
    const isZero = bytes.buffer === ZEROS.buffer
    let done = 0
    for (const { page, within, count } of piecesOf(position, bytes.byteLength)) {
      if (!isZero) this.#page(page).set(bytes.subarray(done, done + count), within)
      else if (count === PAGE) this.#pages.delete(page)
      else this.#pages.get(page)?.fill(0, within, within + count)
      done += count
    }
    this.size = Math.max(this.size, position + bytes.byteLength)
  }

  truncate(size: number): void {
    if (size < this.size) {
      for (const [page, bytes] of this.#pages) {
        const from = size - page * PAGE
        if (from <= 0) this.#pages.delete(page)
        else if (from < PAGE) bytes.fill(0, from)
      }
    }
    this.size = size
  }

  flipBit(position: number, bit: number): void {
    if (position >= this.size) return
    const bytes = this.#page(Math.floor(position / PAGE))
    bytes[position % PAGE] = (bytes[position % PAGE] ?? 0) ^ (1 << bit)
  }

  assign(other: SimBytes): void {
    this.size = other.size
    this.#pages = new Map()
    for (const [page, bytes] of other.#pages) this.#pages.set(page, bytes.slice())
  }

  clone(): SimBytes {
    const clone = new SimBytes()
    clone.assign(this)
    return clone
  }

  #page(page: number): Uint8Array {
    let bytes = this.#pages.get(page)
    if (bytes === undefined) this.#pages.set(page, (bytes = new Uint8Array(PAGE)))
    return bytes
  }
}

function* piecesOf(position: number, length: number) {
  const end = position + length
  for (let at = position; at < end;) {
    const [page, within] = [Math.floor(at / PAGE), at % PAGE]
    const count = Math.min(PAGE - within, end - at)
    yield { page, within, count }
    at += count
  }
}
