import { feedDirectoryOf, SEGMENT_SIZE, segmentPathOf } from '../feed/segment.ts'
import type { SessionId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'

/** Bytes of zeros written at once when a segment is prepared. */
const FILL_BYTES = 1024 * 1024

/** Makes the segments of a session's feed, filled with zeros, before they are written to. */
export class SegmentMaker {
  readonly #disk: Disk
  readonly #session: SessionId
  readonly #preparing = new Map<number, Promise<void>>()

  constructor(disk: Disk, session: SessionId) {
    this.#disk = disk
    this.#session = session
  }

  /** Makes a segment if it is not there. @throws what the disk throws; a later call tries again */
  prepare(segment: number): Promise<void> {
    // Two that fill the same file would write zeros over what the first one's user has written.
    let preparing = this.#preparing.get(segment)
    if (preparing === undefined) {
      preparing = this.#prepare(segment).finally(() => this.#preparing.delete(segment))
      this.#preparing.set(segment, preparing)
    }
    return preparing
  }

  async #prepare(segment: number): Promise<void> {
    const path = segmentPathOf(this.#session, segment)
    if (this.#disk.exists(path)) return
    const temporary = `${path}.new`
    const file = this.#disk.open(temporary, 'create')
    try {
      const zeros = Buffer.alloc(FILL_BYTES)
      for (let at = 0; at < SEGMENT_SIZE; at += FILL_BYTES) file.write(zeros, at)
      await file.sync()
    } catch (error) {
      file.close()
      this.#disk.remove(temporary)
      throw error
    }
    file.close()
    this.#disk.rename(temporary, path)
    await this.#disk.syncDirectory(feedDirectoryOf(this.#session))
  }
}
