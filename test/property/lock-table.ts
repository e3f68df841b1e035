/**
 * Random locking on two inodes against a model that keeps one letter per byte and owner.
 *
 * The model decides nothing about order: it checks that each grant was allowed when it came, that
 * nobody is kept waiting without a cause, and that all are granted once everybody lets go.
 */

import fc from 'fast-check'
import t from 'tap'
import { inoOf, type Ino, type VolumeId } from '../../lib/ids.ts'
import { LockTable, type Lock, type LockKind, type LockType } from '../../lib/vfs/lock-table.ts'

/** Bytes 0 to 11 one by one, and a last place for all bytes after them. */
const PLACES = 13
const OWNERS = 5
const STEPS_MAX = 60

interface Step {
  readonly op: 'acquire' | 'wait' | 'release' | 'close' | 'cancel'
  readonly owner: number
  readonly inode: number
  readonly isFlock: boolean
  readonly type: LockType
  readonly start: number
  readonly length: number
}

const steps = fc.array(
  fc.record<Step>({
    op: fc.constantFrom('acquire', 'wait', 'wait', 'release', 'close', 'cancel'),
    owner: fc.nat(OWNERS - 1),
    inode: fc.nat(1),
    isFlock: fc.boolean(),
    type: fc.constantFrom('read', 'write'),
    start: fc.nat(PLACES - 2),
    length: fc.integer({ min: 1, max: PLACES })
  }),
  { maxLength: STEPS_MAX }
)

interface Waiting {
  readonly ino: Ino
  readonly lock: Lock
}

class Model {
  /** "kind ino owner" -> the type of lock on each place. */
  readonly held = new Map<string, (LockType | undefined)[]>()
  /** In the order of arrival. */
  readonly waiting = new Map<number, Waiting>()

  placesOf(ino: Ino, kind: LockKind, owner: bigint): (LockType | undefined)[] {
    const key = `${kind} ${ino} ${owner}`
    const places = this.held.get(key) ?? new Array<LockType | undefined>(PLACES).fill(undefined)
    this.held.set(key, places)
    return places
  }

  set(ino: Ino, lock: Lock, type: LockType | undefined): void {
    const last = Math.min(lock.end, PLACES - 1)
    this.placesOf(ino, lock.kind, lock.owner).fill(type, lock.start, last + 1)
  }

  /** Whether a lock of another owner stands in the way. */
  isBlocked(ino: Ino, lock: Lock): boolean {
    for (let owner = 0n; owner < OWNERS; owner++) {
      if (owner === lock.owner) continue
      const places = this.placesOf(ino, lock.kind, owner)
      for (let n = lock.start; n <= Math.min(lock.end, PLACES - 1); n++) {
        if (places[n] === 'write' || (places[n] === 'read' && lock.type === 'write')) return true
      }
    }
    return false
  }

  /** An owner of flocks is an open file and so has one inode, one of posix locks is a process. */
  waits(ino: Ino, kind: LockKind, owner: bigint): boolean {
    return [...this.waiting.values()].some(
      ({ ino: other, lock }) =>
        lock.owner === owner && lock.kind === kind && (kind === 'posix' || other === ino)
    )
  }

  /** Whether an earlier request, still waiting, conflicts with the request `unique`. */
  isBehindOther(unique: number): boolean {
    const { ino, lock } = this.waiting.get(unique) as Waiting
    for (const [other, earlier] of this.waiting) {
      if (other === unique) return false
      if (earlier.ino === ino && conflict(earlier.lock, lock)) return true
    }
    return false
  }
}

function conflict(a: Lock, b: Lock): boolean {
  if (a.kind !== b.kind || a.owner === b.owner) return false
  return (a.type === 'write' || b.type === 'write') && a.start <= b.end && b.start <= a.end
}

function lockOf(step: Step): Lock {
  const owner = BigInt(step.owner)
  const shared = { owner, type: step.type, pid: step.owner }
  if (step.isFlock) return { ...shared, kind: 'flock', start: 0, end: Infinity }
  const end = step.start + step.length - 1
  return {
    ...shared,
    kind: 'posix',
    start: step.start,
    end: end >= PLACES - 1 ? Infinity : end
  }
}

function inoOfStep(inode: number): Ino {
  return inoOf(1 as VolumeId, 1 + inode)
}

class Harness {
  readonly table = new LockTable()
  readonly model = new Model()
  #unique = 0

  run(step: Step): void {
    const ino = inoOfStep(step.inode)
    const lock = lockOf(step)
    if (step.op === 'cancel') this.#cancel(step)
    // One request at a time for each owner, as for a process with one thread.
    else if (this.model.waits(ino, lock.kind, lock.owner)) return
    else if (step.op === 'release') this.#release(ino, lock)
    else if (step.op === 'close') this.#release(ino, { ...lock, start: 0, end: Infinity })
    else this.#request(step.op, ino, lock)
    this.#checkHeld()
    this.#checkWaiting()
  }

  /** Everybody who waits for nothing lets go, until nobody waits. */
  finish(): void {
    for (let round = 0; this.model.waiting.size > 0; round++) {
      if (round > STEPS_MAX) throw new Error('some are never granted')
      this.#releaseIdle()
    }
    this.#releaseIdle()
    if (this.table.size !== 0 || this.table.waiterCount !== 0) throw new Error('locks are left')
  }

  #releaseIdle(): void {
    for (const inode of [0, 1]) {
      for (const kind of ['posix', 'flock'] as const) {
        const ino = inoOfStep(inode)
        for (let owner = 0n; owner < OWNERS; owner++) {
          if (this.model.waits(ino, kind, owner)) continue
          this.table.releaseOwner(ino, kind, owner)
          this.model.placesOf(ino, kind, owner).fill(undefined)
          this.#applyGrants()
        }
      }
    }
    this.#checkHeld()
    this.#checkWaiting()
  }

  #cancel(step: Step): void {
    const uniques = [...this.model.waiting.keys()]
    const unique = uniques[step.start % uniques.length]
    if (unique === undefined) return
    if (!this.table.cancel(unique)) throw new Error(`${unique} waits but cannot be cancelled`)
    this.model.waiting.delete(unique)
    this.#applyGrants()
  }

  #release(ino: Ino, lock: Lock): void {
    this.table.release(ino, lock)
    this.model.set(ino, lock, undefined)
    this.#applyGrants()
  }

  #request(op: 'acquire' | 'wait', ino: Ino, lock: Lock): void {
    const unique = ++this.#unique
    const { model, table } = this
    const before = model.placesOf(ino, lock.kind, lock.owner)[0]
    const result = op === 'acquire' ? table.acquire(ino, lock) : table.wait(ino, lock, unique)
    if (lock.kind === 'flock') {
      // A conversion lets go first, and others may be granted before this request is looked at.
      if (before !== lock.type) model.set(ino, lock, undefined)
      this.#applyGrants()
    }
    const isBlocked = model.isBlocked(ino, lock)
    if (result === true || result === 'granted') {
      if (isBlocked) throw new Error('granted against a held lock')
      model.set(ino, lock, lock.type)
    } else if (result === 'waiting') {
      model.waiting.set(unique, { ino, lock })
      if (!isBlocked && !model.isBehindOther(unique)) throw new Error('waits without a cause')
    } else if (!isBlocked) throw new Error(`${result} although nothing is in the way`)
    this.#applyGrants()
  }

  #applyGrants(): void {
    for (const unique of this.table.takeGranted()) {
      const waiting = this.model.waiting.get(unique)
      if (waiting === undefined) throw new Error(`${unique} granted, but it does not wait`)
      if (this.model.isBlocked(waiting.ino, waiting.lock)) throw new Error('granted too early')
      this.model.waiting.delete(unique)
      this.model.set(waiting.ino, waiting.lock, waiting.lock.type)
    }
  }

  #checkHeld(): void {
    for (const inode of [0, 1]) {
      const ino = inoOfStep(inode)
      for (const kind of ['posix', 'flock'] as const) {
        const locks = this.table.locksOf(ino).filter(lock => lock.kind === kind)
        for (let owner = 0n; owner < OWNERS; owner++) {
          const places = new Array<LockType | undefined>(PLACES).fill(undefined)
          for (const lock of locks.filter(lock => lock.owner === owner)) {
            places.fill(lock.type, lock.start, Math.min(lock.end, PLACES - 1) + 1)
          }
          const expected = this.model.placesOf(ino, kind, owner)
          if (places.join() !== expected.join()) throw new Error('held is wrong')
        }
      }
      this.#checkMerged(ino)
    }
  }

  #checkMerged(ino: Ino): void {
    const locks = this.table.locksOf(ino)
    for (const a of locks) {
      const isFollowed = locks.some(
        b => b.kind === a.kind && b.owner === a.owner && b.type === a.type && b.start === a.end + 1
      )
      if (isFollowed) throw new Error('touching locks are not merged')
    }
    if (this.table.isLocked(ino) !== locks.length > 0) throw new Error('isLocked is wrong')
  }

  #checkWaiting(): void {
    for (const [unique, { ino, lock }] of this.model.waiting) {
      const hasCause = this.model.isBlocked(ino, lock) || this.model.isBehindOther(unique)
      if (!hasCause) throw new Error(`${unique} waits without a cause`)
    }
    if (this.table.waiterCount !== this.model.waiting.size) throw new Error('waiters are lost')
  }
}

t.test('any sequence of requests holds what the byte model holds, and all are granted', async t => {
  fc.assert(
    fc.property(steps, sequence => {
      const harness = new Harness()
      for (const step of sequence) harness.run(step)
      harness.finish()
    }),
    { numRuns: 2000 }
  )
  t.pass('2 000 sequences')
})
