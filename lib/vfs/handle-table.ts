/**
 * Open files. A handle number carries the session it was given in, so that one of an earlier
 * session is recognised and can be made anew from the inode that every request names as well.
 */

import { FsError } from '../errors.ts'
import { volumeOf, type Epoch, type Fh, type Ino, type SessionId, type VolumeId } from '../ids.ts'

export interface Handle {
  readonly fh: Fh
  readonly ino: Ino
  /** flags of open(2). */
  readonly flags: number
  /** No lock can be taken through it; the kernel does not tell when a copy of it is closed. */
  readonly lockless: boolean
  /** The last epoch of the volume in which it was written or locked through this handle, or 0. */
  epoch: Epoch
  /** That epoch was lost: nothing is written or locked through it any more. */
  isPoisoned: boolean
}

const COUNTER_SPAN = 2 ** 31
/** Behind the counter: the handle is lockless, as also a later session has to know. */
const LOCKLESS = COUNTER_SPAN
const SESSION_UNIT = 2 * COUNTER_SPAN
/** Sessions after which their part in a handle repeats: a handle fits 53 bits. */
const SESSIONS = 2 ** 21

export class HandleTable {
  readonly #session: SessionId
  readonly #handles = new Map<Fh, Handle>()
  #last = 0

  constructor(session: SessionId) {
    this.#session = session
  }

  get size(): number {
    return this.#handles.size
  }

  open(ino: Ino, flags: number, lockless: boolean): Handle {
    this.#last = (this.#last + 1) % COUNTER_SPAN
    const ofSession = (this.#session % SESSIONS) * SESSION_UNIT
    const fh = (ofSession + (lockless ? LOCKLESS : 0) + this.#last) as Fh
    const handle = { fh, ino, flags, lockless, epoch: 0 as Epoch, isPoisoned: false }
    this.#handles.set(fh, handle)
    return handle
  }

  /**
   * Whether it is a handle of an earlier session through which a lock may have been held. That
   * lock is gone, and its owner does not know.
   *
   * @param isShared others may have been given what was only locked, or written, here before
   */
  isFenced(fh: number, isShared: boolean): boolean {
    if (fh === 0 || Math.floor(fh / SESSION_UNIT) === this.#session % SESSIONS) return false
    return isShared || fh % SESSION_UNIT < LOCKLESS
  }

  get(fh: number): Handle | undefined {
    return this.#handles.get(fh as Fh)
  }

  /**
   * Poisons the handles that were used in these epochs of a volume, until they are closed: whoever
   * had a lock through one has it no more, and others here may have got it since.
   */
  poison(volume: VolumeId, since: Epoch, through: Epoch): void {
    for (const handle of this.#handles.values()) {
      const isMeant = handle.epoch >= since && handle.epoch <= through
      if (isMeant && volumeOf(handle.ino) === volume) handle.isPoisoned = true
    }
  }

  /** @throws FsError EBADF */
  close(fh: number): Handle {
    const handle = this.#handles.get(fh as Fh)
    if (handle === undefined) throw new FsError('EBADF')
    this.#handles.delete(handle.fh)
    return handle
  }
}
