/** Those who wait until enough replicas have what they wrote. */

import { ERRNO } from '../errors.ts'
import type { Index, VolumeId } from '../ids.ts'

export interface AcknowledgedWait {
  readonly volume: VolumeId
  readonly index: Index
  readonly untilMs: number
  readonly done: () => void
  readonly fail: (errno: number) => void
}

export class AcknowledgedWaits {
  #waits: AcknowledgedWait[] = []

  get size(): number {
    return this.#waits.length
  }

  add(wait: AcknowledgedWait): void {
    this.#waits.push(wait)
  }

  /** Enough replicas have the volume through `index`. */
  acknowledged(volume: VolumeId, index: Index): void {
    for (const { done } of this.#take(wait => wait.volume === volume && wait.index <= index)) {
      done()
    }
  }

  /** Whether what was written will be history is for the next holder to find out. */
  lost(volume: VolumeId): void {
    for (const { fail } of this.#take(wait => wait.volume === volume)) fail(ERRNO.EIO)
  }

  expire(nowMs: number): void {
    for (const { fail } of this.#take(({ untilMs }) => untilMs <= nowMs)) fail(ERRNO.EIO)
  }

  #take(isMeant: (wait: AcknowledgedWait) => boolean): AcknowledgedWait[] {
    const taken = this.#waits.filter(isMeant)
    if (taken.length > 0) this.#waits = this.#waits.filter(wait => !taken.includes(wait))
    return taken
  }
}
