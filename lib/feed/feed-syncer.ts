/**
 * Makes a feed durable, as far as asked, in the order of its segments.
 *
 * It opens the segment files for itself, so it can run in a thread of its own while the writer
 * appends. The feed's directory is synced once for each new segment: a name that a power cut takes
 * away would take the synced bytes with it.
 */

import type { Position, SessionId } from '../ids.ts'
import type { Disk, DiskFile } from '../io/disk.ts'
import { feedDirectoryOf, firstFrameOf, segmentOf, segmentPathOf } from './segment.ts'

export class FeedSyncer {
  readonly #disk: Disk
  readonly #session: SessionId
  #file: DiskFile | undefined
  #segment = -1
  #durable: Position = firstFrameOf(0)

  constructor(disk: Disk, session: SessionId) {
    this.#disk = disk
    this.#session = session
  }

  /** Everything below here is on the platter. */
  get durable(): Position {
    return this.#durable
  }

  /** Blocks until everything below `position` is durable. @throws what the disk throws */
  async syncThrough(position: Position): Promise<void> {
    if (position <= this.#durable) return
    // A position right behind a segment's last frame belongs to that segment.
    const last = segmentOf(position - 1)
    for (let segment = Math.max(this.#segment, 0); segment <= last; segment++) {
      if (segment !== this.#segment) await this.#openSegment(segment)
      this.#file?.syncNow()
    }
    this.#durable = position
  }

  close(): void {
    this.#file?.close()
    this.#file = undefined
  }

  async #openSegment(segment: number): Promise<void> {
    this.close()
    this.#file = this.#disk.open(segmentPathOf(this.#session, segment), 'existing')
    this.#segment = segment
    await this.#disk.syncDirectory(feedDirectoryOf(this.#session))
  }
}
