/**
 * How new what is known here of each volume has to be, since others have changed it: answers of the
 * store, and what the kernel has been told.
 */

import type { Index, VolumeId } from '../ids.ts'
import { present } from '../util/assert.ts'
import type { Load } from '../vfs/ports.ts'
import { Wait } from '../vfs/wait.ts'
import type { Notifier } from './notifier.ts'
import { volumeOfLoad } from './volume-of-load.ts'

/** What ops wait for that others' changes have to be known for in the kernel. */
export const NOTIFIED_KEY = 'notified'
/** So far back that any notification about names has been taken. */
const NAMES_SPAN = 2 ** 30

interface Barrier {
  /** Grows whenever what others did is shown. */
  version: number
  through: Index
  /** Notifications about that which the kernel has to have taken. */
  inodes: number
  names: number
}

/** What was asked of the store, and as of when. */
export interface AskedFor {
  readonly volume: VolumeId
  readonly version: number
  readonly through: Index
}

export class Barriers {
  readonly #notifier: Notifier
  readonly #barriers = new Map<VolumeId, Barrier>()

  constructor(notifier: Notifier) {
    this.#notifier = notifier
  }

  /** How new an answer has to be. */
  of(load: Load): AskedFor | undefined {
    const volume = volumeOfLoad(load)
    if (volume === undefined) return undefined
    const { version, through } = this.#barriers.get(volume) ?? { version: 0, through: 0 as Index }
    return { volume, version, through }
  }

  /** Whether what was asked for is not out of date. */
  isCurrent({ volume, version }: AskedFor): boolean {
    return (this.#barriers.get(volume)?.version ?? 0) === version
  }

  /** What others did is to be seen: whatever is on its way from the store may be older. */
  raise(volume: VolumeId, through: Index): void {
    const version = (this.#barriers.get(volume)?.version ?? 0) + 1
    this.#barriers.set(volume, { version, through, inodes: 0, names: 0 })
  }

  /** The kernel is being told of it. */
  noteNotified(volume: VolumeId): void {
    const barrier = present(this.#barriers.get(volume), 'barrier')
    barrier.inodes = this.#notifier.sent('inodes')
    barrier.names = this.#notifier.sent('names')
  }

  /**
   * What others have done in the volume is known to the kernel, so that a program which goes on
   * sees it.
   *
   * An op may hold a directory, and the kernel takes no notification about its names meanwhile:
   * then all names are said to be out of date.
   *
   * @throws Wait until the kernel has taken what it may take in any case
   */
  requireNotified(volume: VolumeId): void {
    const barrier = this.#barriers.get(volume)
    if (barrier === undefined) return
    if (!this.#notifier.hasTaken('inodes', barrier.inodes)) throw new Wait(NOTIFIED_KEY)
    if (this.#notifier.hasTaken('names', barrier.names)) return
    barrier.names = this.#notifier.sent('names') - NAMES_SPAN
    this.#notifier.invalNames()
  }
}
