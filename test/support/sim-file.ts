import { SimBytes, ZEROS } from './sim-bytes.ts'
import type { SimRandom } from './sim-random.ts'

/** The unit in which a disk writes, and of which a power cut leaves all or nothing. */
export const SECTOR = 512

/** The unit in which a file takes up space. */
export const BLOCK = 4096

type Change = { write: Uint8Array; position: number } | { truncate: number }

/**
 * The bytes of a simulated file: as programs see them, as the platter has them, and the changes
 * which lie between the two.
 *
 * A power cut leaves of the size, and of each sector for itself, what it was at some moment
 * since the last sync. Only a sector that a truncate freed does not come back beside a size
 * that was made later, as no file system gives a block away before that is durable.
 */
export class SimFile {
  readonly current = new SimBytes()
  /** Blocks that take up space; a hole takes none. */
  readonly blocks = new Set<number>()
  links = 0
  handles = 0
  readonly #durable = new SimBytes()
  #changes: Change[] = []
  /** How many changes were made durable so far, so that a sync knows which it is about. */
  #syncedCount = 0
  /** A sync failed: the kernel has dropped what it could not write, and says so only once. */
  #poisoned = false

  /** The blocks that a write would take up anew, in order of their position. */
  newBlocks(position: number, size: number): number[] {
    const missing: number[] = []
    const end = Math.ceil((position + size) / BLOCK)
    for (let block = Math.floor(position / BLOCK); block < end; block++) {
      if (!this.blocks.has(block)) missing.push(block)
    }
    return missing
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.byteLength === 0) return
    for (const block of this.newBlocks(position, bytes.byteLength)) this.blocks.add(block)
    const change = { write: keptOf(bytes), position }
    this.#changes.push(change)
    apply(this.current, change)
  }

  truncate(size: number): void {
    const end = Math.ceil(size / BLOCK)
    for (const block of this.blocks) if (block >= end) this.blocks.delete(block)
    const change = { truncate: size }
    this.#changes.push(change)
    apply(this.current, change)
  }

  /** The moment up to which a sync that begins now must reach. */
  now(): number {
    return this.#syncedCount + this.#changes.length
  }

  /** Makes durable what was changed before `moment`. */
  syncThrough(moment: number): void {
    if (this.#poisoned || moment <= this.#syncedCount) return
    const synced = this.#changes.splice(0, moment - this.#syncedCount)
    for (const change of synced) apply(this.#durable, change)
    this.#syncedCount = moment
  }

  /** A sync has failed: until the power cut no later one saves what there is. */
  poison(): void {
    this.#poisoned = true
  }

  /** Turns over a bit, which neither programs nor the disk get to know. */
  flipBit(position: number, bit: number): void {
    this.#durable.flipBit(position, bit)
    this.current.flipBit(position, bit)
  }

  durableBytes(): Uint8Array {
    return this.#durable.slice(0, this.#durable.size)
  }

  /** What a power cut leaves. */
  crash(random: SimRandom): void {
    const changes = this.#changes
    this.forgetHandles()
    this.#changes = []
    this.#syncedCount += changes.length
    this.#poisoned = false
    if (changes.length === 0) return
    this.#tear(changes, random)
    this.current.assign(this.#durable)
    this.blocks.clear()
    for (const block of this.newBlocks(0, this.current.size)) this.blocks.add(block)
  }

  /** Whoever had the file open is gone. */
  forgetHandles(): void {
    this.handles = 0
  }

  #tear(changes: Change[], random: SimRandom): void {
    const before = this.#durable.clone()
    const { sizeMoment, sectorMoment } = decideMoments(changes.length, random)
    const size = sizeAt(sizeMoment, changes, before.size)
    const truncates = changes.flatMap((change, index) => ('truncate' in change ? [index] : []))
    this.#durable.truncate(size)
    for (const [sector, writes] of changedSectors(changes, before.size)) {
      const start = sector * SECTOR
      if (start >= size) continue
      const moment = sectorMoment(...lifeOf(start, sizeMoment, changes, truncates))
      const history = [...writes, ...truncates].filter(index => index < moment)
      const content = before.slice(start, start + SECTOR)
      for (const index of history.sort((a, b) => a - b)) {
        applyToSector(content, start, changes[index] as Change)
      }
      this.#durable.write(content.subarray(0, size - start), start)
    }
  }
}

/** A copy of what the caller may change; what is all zeros is not copied. */
function keptOf(bytes: Uint8Array): Uint8Array {
  const zeros = ZEROS.subarray(0, bytes.byteLength)
  // Not slice: that of a Buffer is no copy.
  return zeros.equals(bytes) ? zeros : new Uint8Array(bytes)
}

function apply(target: SimBytes, change: Change): void {
  if ('truncate' in change) target.truncate(change.truncate)
  else target.write(change.write, change.position)
}

/** As `apply`, for the sector that begins at `start`. */
function applyToSector(content: Uint8Array, start: number, change: Change): void {
  if ('truncate' in change) {
    content.fill(0, Math.max(0, Math.min(SECTOR, change.truncate - start)))
    return
  }
  const from = Math.max(start, change.position)
  const to = Math.min(start + SECTOR, change.position + change.write.byteLength)
  content.set(change.write.subarray(from - change.position, to - change.position), from - start)
}

/**
 * Which of `count` changes a power cut leaves: none, all, those before one moment, or for the
 * size and each sector those before a moment of its own. A moment is the number of changes seen.
 */
function decideMoments(count: number, random: SimRandom) {
  const moment = [0, count, random.int(count + 1)][random.int(6)]
  if (moment !== undefined) return { sizeMoment: moment, sectorMoment: () => moment }
  const sectorMoment = (low: number, high: number): number => low + random.int(high - low + 1)
  return { sizeMoment: random.int(count + 1), sectorMoment }
}

function sizeAt(moment: number, changes: Change[], sizeBefore: number): number {
  let size = sizeBefore
  for (const change of changes.slice(0, moment)) {
    if ('truncate' in change) size = change.truncate
    else size = Math.max(size, change.position + change.write.byteLength)
  }
  return size
}

/** The sectors that may not be as they were before, each with the writes that concern it. */
function changedSectors(changes: Change[], sizeBefore: number): Map<number, number[]> {
  const sectors = new Map<number, number[]>()
  const visit = (start: number, end: number, writes: number[]): void => {
    for (let sector = Math.floor(start / SECTOR); sector * SECTOR < end; sector++) {
      const known = sectors.get(sector)
      if (known === undefined) sectors.set(sector, [...writes])
      else known.push(...writes)
    }
  }
  changes.forEach((change, index) => {
    if ('truncate' in change) visit(change.truncate, sizeBefore, [])
    else visit(change.position, change.position + change.write.byteLength, [index])
  })
  return sectors
}

/** The moments between which the sector at `start` was never freed, around `moment`. */
function lifeOf(
  start: number,
  moment: number,
  changes: Change[],
  truncates: number[]
): [low: number, high: number] {
  const frees = truncates.filter(
    index => (changes[index] as { truncate: number }).truncate <= start
  )
  const low = frees.findLast(index => index < moment) ?? -1
  const high = frees.find(index => index >= moment) ?? changes.length
  return [low + 1, high]
}
