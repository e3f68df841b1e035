/** Operations on locks: which lock each request means, and when closing a file frees one. */

import { FsError } from '../errors.ts'
import { volumeOf, type Ino, type VolumeId } from '../ids.ts'
import type { Lock } from './lock-table.ts'
import type { VfsParts } from './parts.ts'

/** A lock request: a type of 'unlock' frees the range. */
export interface LockRequest extends Omit<Lock, 'type'> {
  readonly type: Lock['type'] | 'unlock'
}

export class LockOperations {
  readonly #parts: VfsParts

  constructor(parts: VfsParts) {
    this.#parts = parts
  }

  /** The lock in the way, or undefined. */
  getlk(ino: Ino, request: LockRequest, type: Lock['type']): Lock | undefined {
    return this.#parts.locks.test(ino, lockOf(request, type))
  }

  /** @throws FsError EAGAIN the lock is held, ENOLCK too many locks */
  setlk(ino: Ino, request: LockRequest): void {
    if (request.type === 'unlock') return this.#parts.locks.release(ino, request)
    if (!this.#parts.locks.acquire(ino, lockOf(request, request.type))) {
      throw new FsError('EAGAIN')
    }
  }

  /**
   * As `setlk`, waiting for the lock.
   *
   * @returns whether it was had at once; else `unique` is among those granted later
   * @throws FsError EDEADLK, ENOLCK too many wait
   */
  setlkw(ino: Ino, request: LockRequest, unique: number): boolean {
    if (request.type === 'unlock') {
      this.#parts.locks.release(ino, request)
      return true
    }
    const outcome = this.#parts.locks.wait(ino, lockOf(request, request.type), unique)
    if (outcome === 'deadlock') throw new FsError('EDEADLK')
    return outcome === 'granted'
  }

  /** @returns whether the request was waiting */
  interrupt(unique: number): boolean {
    return this.#parts.locks.cancel(unique)
  }

  /** A process closed a descriptor of the file: its byte ranges are free. */
  flush(ino: Ino, owner: bigint): void {
    this.#parts.locks.releaseOwner(ino, 'posix', owner)
  }

  /** An open file description is gone, and with it its flock. */
  releaseFlock(ino: Ino, owner: bigint): void {
    this.#parts.locks.releaseOwner(ino, 'flock', owner)
  }

  /** Nothing has the file open any more: no lock of it can be held. */
  releaseAll(ino: Ino): void {
    if (!this.#parts.locks.isLocked(ino)) return
    for (const { kind, owner } of this.#parts.locks.locksOf(ino)) {
      this.#parts.locks.releaseOwner(ino, kind, owner)
    }
  }

  /** Whether anybody holds a lock in the volume. */
  isLocked(volume: VolumeId): boolean {
    const locked = this.#parts.locks.lockedInodes(ino => volumeOf(ino) === volume)
    return locked.next().done !== true
  }

  /** Whether a process holds a lock in the volume. */
  isOwner(volume: VolumeId, pid: number): boolean {
    for (const ino of this.#parts.locks.lockedInodes(ino => volumeOf(ino) === volume)) {
      if (this.#parts.locks.locksOf(ino).some(lock => lock.pid === pid)) return true
    }
    return false
  }

  /** Files in the volume that somebody has locked. */
  countOf(volume: VolumeId): number {
    return new Set(this.#parts.locks.lockedInodes(ino => volumeOf(ino) === volume)).size
  }

  /**
   * The lease is lost, and all locks in the volume with it.
   *
   * @returns the requests that waited for one
   */
  loseAll(volume: VolumeId): number[] {
    const isOf = (ino: Ino): boolean => volumeOf(ino) === volume
    const waiting = this.#parts.locks.cancelAll(isOf)
    for (const ino of [...this.#parts.locks.lockedInodes(isOf)]) this.releaseAll(ino)
    return waiting
  }

  /** Requests that have got their lock since the last call. */
  takeGranted(): number[] {
    return this.#parts.locks.takeGranted()
  }
}

function lockOf({ kind, owner, start, end, pid }: LockRequest, type: Lock['type']): Lock {
  return { kind, owner, start, end, pid, type }
}
