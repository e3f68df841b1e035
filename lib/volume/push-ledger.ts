/**
 * What batches of a feed carried to one peer, and what its answers acknowledge.
 *
 * A feed carries many volumes, and a peer answers for the batches through a number. Such an answer
 * counts for no volume that it lists as refused or missing: the peer keeps the batch, which is
 * another's history too, but has not taken that volume's entries into its own. Nor does a later
 * answer count for what it left out; the volume's holder has to send that again.
 */

import type { Epoch, Index, VolumeId } from '../ids.ts'
import { assert } from '../util/assert.ts'

/** Entries of a volume, the last of which is `through`. */
export interface PushedRange {
  readonly volume: VolumeId
  readonly epoch: Epoch
  readonly through: Index
}

export interface BatchAnswer {
  /** All batches up to this one are durable at the peer, with the bodies they name. */
  readonly through: number
  /** Volumes of which something in those batches was not taken. */
  readonly excepted: readonly VolumeId[]
}

interface Batch {
  readonly number: number
  readonly ranges: readonly PushedRange[]
}

/** Batches that a peer may leave unanswered; it is sent no more until it answers. */
export const BATCHES_IN_FLIGHT_MAX = 1024

export class PushLedger {
  /** Unanswered, ascending. */
  #batches: Batch[] = []
  #last = 0

  get isFull(): boolean {
    return this.#batches.length >= BATCHES_IN_FLIGHT_MAX
  }

  /** @returns the number under which the batch is sent */
  push(ranges: readonly PushedRange[]): number {
    assert(!this.isFull, 'a batch is sent to a peer that answers none')
    const number = ++this.#last
    this.#batches.push({ number, ranges })
    return number
  }

  /** What the peer has of each volume, by this answer; at most one range for a volume and epoch. */
  answered({ through, excepted }: BatchAnswer): readonly PushedRange[] {
    const taken = new Map<string, PushedRange>()
    const left = new Set(excepted)
    const count = this.#batches.findIndex(({ number }) => number > through)
    for (const { ranges } of this.#batches.splice(0, count < 0 ? this.#batches.length : count)) {
      for (const range of ranges) {
        if (!left.has(range.volume)) taken.set(`${range.volume} ${range.epoch}`, range)
      }
    }
    return [...taken.values()]
  }

  /** The connection is gone; what was on it may be lost. */
  forget(): void {
    this.#batches = []
  }
}
