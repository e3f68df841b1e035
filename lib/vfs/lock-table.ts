/**
 * Who holds and who awaits which lock: fcntl byte ranges and flock, for each inode.
 *
 * The table decides and nothing else: it knows no requests, replies or leases. A caller whose
 * request must wait hands over the request's number (`unique`), parks the reply, and after every
 * call takes the numbers that were granted meanwhile (`takeGranted`).
 *
 * The two kinds live apart: a flock never conflicts with a byte range, as on Linux. A flock is
 * kept as a lock on the whole file.
 *
 * Offsets are numbers, exact below 2^53. The caller turns the kernel's "up to the end of the
 * file" (2^63 - 1), and any end from 2^53 on, into Infinity.
 *
 * INVARIANT: two locks of one kind on one inode that overlap have the same owner or are both
 *   'read'; those of one owner never overlap, and touching ones of one type are merged.
 * INVARIANT: a waiter waits only because it conflicts with a held lock, or with an earlier
 *   waiter that is not itself, at whatever remove, waiting for this waiter's owner.
 * INVARIANT: no circle of posix owners waits for each other's held locks, as long as each owner
 *   waits for one lock at a time. (Threads that share an owner can hide a circle from the
 *   table, as they can from Linux; a signal ends it.)
 */

import { FsError } from '../errors.ts'
import type { Ino } from '../ids.ts'
import { assert } from '../util/assert.ts'

export type LockKind = 'posix' | 'flock'
export type LockType = 'read' | 'write'

/** What an owner locks or frees: bytes `start` to `end`, both included; `end` may be Infinity. */
export interface LockRange {
  readonly kind: LockKind
  /** The kernel's number for the process's open files (posix) or the open file (flock). */
  readonly owner: bigint
  readonly start: number
  readonly end: number
}

/** A request for a lock, or the question whether one would be had. */
export interface LockProbe extends LockRange {
  readonly type: LockType
}

/** A lock as it is held or awaited; `pid` is only ever told to those who ask who holds it. */
export interface Lock extends LockProbe {
  readonly pid: number
}

/**
 * How many requests may wait at once. Each is a sleeping process and a parked reply. Dovecot's
 * largest service has 1 024 processes by default, and the search for circles may compare every
 * waiter with every other one: a million comparisons take a few milliseconds.
 */
export const LOCK_WAITERS_MAX = 1024

/** How many locks may be held at once: a process that locks every other byte stops at 100 MB. */
export const LOCKS_MAX = 2 ** 20

interface Waiter {
  readonly unique: number
  readonly ino: Ino
  readonly lock: Lock
}

/** The locks of one kind on one inode. */
interface Space {
  /** In the order of `start`. */
  held: Lock[]
  /** In the order of arrival. */
  queue: Waiter[]
}

/** See the head of the file. Every method is synchronous and finishes what it begins. */
export class LockTable {
  /** Only spaces with a held lock or a waiter are kept. */
  readonly #spaces = { posix: new Map<Ino, Space>(), flock: new Map<Ino, Space>() }
  readonly #waiters = new Map<number, Waiter>()
  /** The waiters of kind posix by owner, for the search for circles. No set is empty. */
  readonly #posixWaiters = new Map<bigint, Set<Waiter>>()
  /** How many locks of kind posix each owner holds, if any: nobody waits for the others. */
  readonly #posixHeld = new Map<bigint, number>()
  /** Granted since the last takeGranted, in the order of granting. */
  #granted: number[] = []
  #size = 0

  /** Number of locks held, over all inodes and both kinds. */
  get size(): number {
    return this.#size
  }

  /** Number of requests that wait. */
  get waiterCount(): number {
    return this.#waiters.size
  }

  isLocked(ino: Ino): boolean {
    return this.locksOf(ino).length > 0
  }

  /** The locks held on `ino`, those of kind posix first, each kind in the order of `start`. */
  locksOf(ino: Ino): readonly Lock[] {
    const { posix, flock } = this.#spaces
    return [...(posix.get(ino)?.held ?? []), ...(flock.get(ino)?.held ?? [])]
  }

  /** The first held lock that stands in the way of `probe` (GETLK), if any does. */
  test(ino: Ino, probe: LockProbe): Lock | undefined {
    checkRange(probe)
    return this.#spaces[probe.kind].get(ino)?.held.find(held => conflict(held, probe))
  }

  /**
   * Takes `lock` if no held lock stands in the way, even past waiters, as Linux does; the owner's
   * own locks in the range are replaced. False when it is not to be had now - a flock of the
   * other type is lost then all the same, since a conversion drops the old lock first.
   *
   * @throws FsError ENOLCK the table is full
   */
  acquire(ino: Ino, lock: Lock): boolean {
    checkRange(lock)
    this.#checkRoom()
    if (lock.kind === 'flock' && this.#convert(ino, lock)) return true
    if (this.test(ino, lock) !== undefined) return false
    this.#hold(ino, lock)
    this.#promote(lock.kind, ino)
    return true
  }

  /**
   * Takes `lock` now, or queues the request `unique` behind what it conflicts with. 'deadlock'
   * (EDEADLK, nothing queued) if a holder in the way waits, at whatever remove, for this owner.
   *
   * @throws FsError ENOLCK the table is full, or too many requests wait
   */
  wait(ino: Ino, lock: Lock, unique: number): 'granted' | 'waiting' | 'deadlock' {
    checkRange(lock)
    assert(!this.#waiters.has(unique), `request ${unique} waits for a lock already`)
    this.#checkRoom()
    if (lock.kind === 'flock' && this.#convert(ino, lock)) return 'granted'
    const waiter = { unique, ino, lock }
    if (this.#isGrantable(waiter)) {
      this.#hold(ino, lock)
      this.#promote(lock.kind, ino)
      return 'granted'
    }
    if (this.#closesCircle(waiter)) return 'deadlock'
    if (this.#waiters.size >= LOCK_WAITERS_MAX) throw new FsError('ENOLCK')
    this.#enqueue(waiter)
    this.#relaxCourtesy(waiter)
    return 'waiting'
  }

  /** Frees what the owner holds of the range; locks that reach beyond it are cut. */
  release(ino: Ino, range: LockRange): void {
    checkRange(range)
    this.#drop(ino, range)
    this.#promote(range.kind, ino)
  }

  /**
   * Frees all that `owner` holds on `ino` (FLUSH for posix, RELEASE for flock). Requests of the
   * same owner that wait go on waiting: a thread may sleep in F_SETLKW while another one closes.
   */
  releaseOwner(ino: Ino, kind: LockKind, owner: bigint): void {
    this.release(ino, { kind, owner, start: 0, end: Infinity })
  }

  /**
   * Withdraws the waiting request `unique` (INTERRUPT). False when it does not wait: it was
   * granted, or never queued, and its own reply stands.
   */
  cancel(unique: number): boolean {
    const waiter = this.#waiters.get(unique)
    if (waiter === undefined) return false
    this.#dequeue(waiter)
    this.#promote(waiter.lock.kind, waiter.ino)
    return true
  }

  /** Inodes with a held lock, of which `isOf` says so. */
  *lockedInodes(isOf: (ino: Ino) => boolean): Generator<Ino> {
    for (const space of [this.#spaces.posix, this.#spaces.flock]) {
      for (const [ino, { held }] of space) if (held.length > 0 && isOf(ino)) yield ino
    }
  }

  /** Withdraws all requests that wait on these inodes. @returns their numbers */
  cancelAll(isOf: (ino: Ino) => boolean): number[] {
    const waiting = [...this.#waiters.values()].filter(({ ino }) => isOf(ino))
    for (const { unique } of waiting) this.cancel(unique)
    return waiting.map(({ unique }) => unique)
  }

  /** The requests granted since the last call, each told once, in the order of granting. */
  takeGranted(): number[] {
    const granted = this.#granted
    this.#granted = []
    return granted
  }

  #checkRoom(): void {
    if (this.#size >= LOCKS_MAX) throw new FsError('ENOLCK')
  }

  /** Drops the owner's flock unless it has the wanted type already; then there is no more to do. */
  #convert(ino: Ino, lock: Lock): boolean {
    const held = this.#spaces.flock.get(ino)?.held.find(({ owner }) => owner === lock.owner)
    if (held === undefined) return false
    if (held.type === lock.type) return true
    this.release(ino, lock)
    return false
  }

  /** Gives `lock` to its owner in place of what the owner holds there. */
  #hold(ino: Ino, lock: Lock): void {
    const space = this.#openSpace(lock.kind, ino)
    this.#setHeld(space, lock, merged(without(space.held, lock), lock))
  }

  #drop(ino: Ino, range: LockRange): void {
    const space = this.#spaces[range.kind].get(ino)
    if (space === undefined) return
    this.#setHeld(space, range, without(space.held, range))
    this.#closeSpace(range.kind, ino, space)
  }

  /** Puts `held` into its place, which differs in locks of the owner of `range` alone. */
  #setHeld(space: Space, { kind, owner }: LockRange, held: Lock[]): void {
    const growth = held.length - space.held.length
    space.held = held
    this.#size += growth
    if (kind === 'flock') return
    const count = (this.#posixHeld.get(owner) ?? 0) + growth
    if (count > 0) this.#posixHeld.set(owner, count)
    else this.#posixHeld.delete(owner)
  }

  #openSpace(kind: LockKind, ino: Ino): Space {
    const existing = this.#spaces[kind].get(ino)
    if (existing !== undefined) return existing
    const space = { held: [], queue: [] }
    this.#spaces[kind].set(ino, space)
    return space
  }

  #closeSpace(kind: LockKind, ino: Ino, space: Space): void {
    if (space.held.length === 0 && space.queue.length === 0) this.#spaces[kind].delete(ino)
  }

  #enqueue(waiter: Waiter): void {
    const { kind, owner } = waiter.lock
    this.#openSpace(kind, waiter.ino).queue.push(waiter)
    this.#waiters.set(waiter.unique, waiter)
    if (kind !== 'posix') return
    const ownWaiters = this.#posixWaiters.get(owner)
    if (ownWaiters === undefined) this.#posixWaiters.set(owner, new Set([waiter]))
    else ownWaiters.add(waiter)
  }

  #dequeue(waiter: Waiter): void {
    const { kind, owner } = waiter.lock
    const space = this.#openSpace(kind, waiter.ino)
    space.queue = space.queue.filter(other => other !== waiter)
    this.#closeSpace(kind, waiter.ino, space)
    this.#waiters.delete(waiter.unique)
    if (kind !== 'posix') return
    const ownWaiters = this.#posixWaiters.get(owner)
    ownWaiters?.delete(waiter)
    if (ownWaiters?.size === 0) this.#posixWaiters.delete(owner)
  }

  /** Grants what can be granted on `ino`, the longest waiting first. */
  #promote(kind: LockKind, ino: Ino): void {
    for (;;) {
      // From the front each time: a grant can also free a range, when it downgrades a lock.
      const next = this.#spaces[kind].get(ino)?.queue.find(waiter => this.#isGrantable(waiter))
      if (next === undefined) return
      this.#dequeue(next)
      this.#hold(ino, next.lock)
      this.#granted.push(next.unique)
    }
  }

  /**
   * Whether nothing held stands in the way, nor anyone who came earlier. The latter is courtesy,
   * so that readers taking turns never starve a writer, and ends where it would be a deadlock:
   * an earlier waiter that needs this owner to move on is passed.
   */
  #isGrantable(waiter: Waiter): boolean {
    if (this.#holdersBefore(waiter).length > 0) return false
    const { owner } = waiter.lock
    return this.#queuedBefore(waiter).every(earlier => this.#needs([earlier], owner, 'any'))
  }

  /** Whether `waiter` awaits a held lock whose owner, in the end, awaits one of its own. */
  #closesCircle(waiter: Waiter): boolean {
    const ahead = this.#holdersBefore(waiter).flatMap(holder => this.#waitersOf(holder))
    return this.#needs(ahead, waiter.lock.owner, 'held')
  }

  /**
   * Whether one of `waiters` is granted only after `owner` gave up a lock. Followed are the held
   * locks, or also ('any') the earlier waiters to whom courtesy is due.
   *
   * Never so for a flock: who waits for one has let go of its own, and a file has but one.
   */
  #needs(waiters: readonly Waiter[], owner: bigint, edges: 'held' | 'any'): boolean {
    if (!this.#posixHeld.has(owner)) return false
    // A set grows while it is walked: this visits each waiter once.
    const reached = new Set(waiters.filter(({ lock }) => lock.kind === 'posix'))
    for (const waiter of reached) {
      const holders = this.#holdersBefore(waiter)
      if (holders.includes(owner)) return true
      for (const next of this.#waitersAhead(waiter, holders, edges)) reached.add(next)
    }
    return false
  }

  #waitersAhead(waiter: Waiter, holders: readonly bigint[], edges: 'held' | 'any'): Waiter[] {
    const ahead = holders.flatMap(holder => this.#waitersOf(holder))
    return edges === 'any' ? [...ahead, ...this.#queuedBefore(waiter)] : ahead
  }

  #waitersOf(owner: bigint): Waiter[] {
    return [...(this.#posixWaiters.get(owner) ?? [])]
  }

  /** Owners of held locks that `waiter` conflicts with. */
  #holdersBefore({ ino, lock }: Waiter): bigint[] {
    const held = this.#spaces[lock.kind].get(ino)?.held ?? []
    return held.filter(other => conflict(other, lock)).map(({ owner }) => owner)
  }

  /** Those that came before `waiter` with a request that conflicts. */
  #queuedBefore(waiter: Waiter): Waiter[] {
    const queue = this.#spaces[waiter.lock.kind].get(waiter.ino)?.queue ?? []
    const place = queue.indexOf(waiter)
    const earlier = place === -1 ? queue : queue.slice(0, place)
    return earlier.filter(({ lock }) => conflict(lock, waiter.lock))
  }

  /**
   * A new waiter can turn courtesy elsewhere into a deadlock: it may hold what someone awaits
   * before whom, in turn, somebody stands back on whom it now waits. Those are let pass.
   */
  #relaxCourtesy(waiter: Waiter): void {
    if (waiter.lock.kind === 'flock' || !this.#posixHeld.has(waiter.lock.owner)) return
    const reached = new Set([waiter])
    for (const other of reached) {
      const holders = this.#holdersBefore(other)
      for (const next of this.#waitersAhead(other, holders, 'any')) reached.add(next)
    }
    for (const ino of new Set([...reached].map(other => other.ino))) this.#promote('posix', ino)
  }
}

function checkRange({ kind, start, end }: LockRange): void {
  assert(Number.isSafeInteger(start) && start >= 0, `a lock cannot start at ${start}`)
  assert(end >= start, `a lock from ${start} to ${end} has no bytes`)
  const isWhole = start === 0 && end === Infinity
  assert(kind === 'posix' || isWhole, 'a flock covers the whole file')
}

function overlap(a: LockRange, b: LockRange): boolean {
  return a.start <= b.end && b.start <= a.end
}

function conflict(a: LockProbe, b: LockProbe): boolean {
  return a.owner !== b.owner && (a.type === 'write' || b.type === 'write') && overlap(a, b)
}

/** `held` after its owner gave up `range`. */
function without(held: readonly Lock[], range: LockRange): Lock[] {
  return held
    .flatMap(lock => {
      if (lock.owner !== range.owner || !overlap(lock, range)) return [lock]
      const pieces: Lock[] = []
      if (lock.start < range.start) pieces.push({ ...lock, end: range.start - 1 })
      if (lock.end > range.end) pieces.push({ ...lock, start: range.end + 1 })
      return pieces
    })
    .sort(byStart)
}

/** `held` with `lock`, which overlaps none of its owner's, made one with those it touches. */
function merged(held: readonly Lock[], lock: Lock): Lock[] {
  const touches = (other: Lock): boolean =>
    other.owner === lock.owner &&
    other.type === lock.type &&
    (other.end + 1 === lock.start || lock.end + 1 === other.start)
  const neighbours = held.filter(touches)
  const start = Math.min(lock.start, ...neighbours.map(other => other.start))
  const end = Math.max(lock.end, ...neighbours.map(other => other.end))
  const rest = held.filter(other => !touches(other))
  return [...rest, { ...lock, start, end }].sort(byStart)
}

function byStart(a: Lock, b: Lock): number {
  return a.start - b.start
}
