/** Bytes that grow: what has not been written reads as zeros. */
export class SimBytes {
  size = 0
  // Zeros from `size` on, so that growing needs no filling.
  #buffer = new Uint8Array(0)

  read(target: Uint8Array, position: number): number {
    if (position >= this.size) return 0
    const source = this.#buffer.subarray(
      position,
      Math.min(this.size, position + target.byteLength)
    )
    target.set(source)
    return source.byteLength
  }

  slice(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - start)
    this.read(bytes, start)
    return bytes
  }

  write(bytes: Uint8Array, position: number): void {
    this.#reserve(position + bytes.byteLength)
    this.#buffer.set(bytes, position)
    this.size = Math.max(this.size, position + bytes.byteLength)
  }

  truncate(size: number): void {
    this.#reserve(size)
    if (size < this.size) this.#buffer.fill(0, size, this.size)
    this.size = size
  }

  flipBit(position: number, bit: number): void {
    if (position < this.size) this.#buffer[position] = (this.#buffer[position] ?? 0) ^ (1 << bit)
  }

  assign(other: SimBytes): void {
    this.size = other.size
    this.#buffer = other.#buffer.slice()
  }

  clone(): SimBytes {
    const clone = new SimBytes()
    clone.assign(this)
    return clone
  }

  #reserve(size: number): void {
    if (size <= this.#buffer.byteLength) return
    const grown = new Uint8Array(Math.max(size, this.#buffer.byteLength * 2, 256))
    grown.set(this.#buffer)
    this.#buffer = grown
  }
}
