import type { LoggedEntry } from '../../lib/feed/entry.ts'
import type { Index, Position, SessionId, VolumeId } from '../../lib/ids.ts'
import type { ModelSnapshot, ModelTree } from './model-tree.ts'
import type { OnAppend } from './sim-replica.ts'

/** A frame as it was appended, and what the model was like when it had been. */
export interface HistoryFrame {
  readonly session: SessionId
  readonly end: Position
  readonly entries: readonly LoggedEntry[]
  snapshot: ModelSnapshot | undefined
}

/** In place of a snapshot that will not be asked for. */
const FORGOTTEN: ModelSnapshot = new Map()

/** The log as the test keeps it for itself, beside the one on the disk. */
export class WorkloadHistory {
  readonly #model: ModelTree
  #frames: HistoryFrame[] = []
  /** Files whose bytes history knows when the op in progress has had its effect. */
  readonly #written = new Set<number>()

  constructor(model: ModelTree) {
    this.#model = model
  }

  get frames(): readonly HistoryFrame[] {
    return this.#frames
  }

  /** To be called for each frame that a replica appends. */
  readonly note: OnAppend = (items, hashes, { session, end }) => {
    const last = new Map<VolumeId, Buffer>()
    const entries = items.map(({ entry, bodies }, i): LoggedEntry => {
      const hash = hashes[i] as Buffer
      const previous = last.get(entry.volume) ?? entry.previous
      last.set(entry.volume, hash)
      return { entry: { ...entry, previous }, hash, bodies: bodies.map(each => Buffer.from(each)) }
    })
    let snapshot: ModelSnapshot | undefined
    // Sealing comes before the effect of the op that needs it, everything else is the effect.
    let isEffect = false
    for (const { change } of items.map(({ entry }) => entry)) {
      if (change.kind === 'seal') this.#model.noteDurable(change.ino)
      else if (change.kind !== 'begin' && change.kind !== 'drop') isEffect = true
      if (change.kind === 'write' || change.kind === 'punch') this.#written.add(change.ino)
      if (change.kind === 'setattr' && change.attr.size !== undefined) this.#written.add(change.ino)
    }
    if (!isEffect) snapshot = this.#model.snapshot()
    this.#frames.push({ session, end, entries, snapshot })
  }

  /** The op in progress has had its effect on the model too. */
  settle(): void {
    for (const id of this.#written) this.#model.noteDurable(id)
    this.#written.clear()
    let snapshot: ModelSnapshot | undefined
    for (let i = this.#frames.length - 1; i >= 0; i--) {
      const frame = this.#frames[i] as HistoryFrame
      if (frame.snapshot !== undefined) break
      frame.snapshot = snapshot ??= this.#model.snapshot()
    }
  }

  /**
   * How many frames make up these states of the volumes.
   *
   * @returns undefined when no prefix does
   */
  lengthOf(indexOf: (volume: VolumeId) => Index): number | undefined {
    const volumes = new Set<VolumeId>()
    for (const { entries } of this.#frames)
      for (const { entry } of entries) volumes.add(entry.volume)
    const missing = new Map<VolumeId, number>()
    for (const volume of volumes) {
      const index = indexOf(volume)
      if (index > 0) missing.set(volume, index)
    }
    let length = 0
    for (const { entries } of this.#frames) {
      if (missing.size === 0) break
      length++
      for (const { entry } of entries) {
        const index = missing.get(entry.volume)
        if (index === undefined) return undefined
        if (index === entry.index) missing.delete(entry.volume)
      }
    }
    return missing.size === 0 ? length : undefined
  }

  /** A recovery will find at least `length` frames: what was before the last of them is history. */
  forgetBefore(length: number): void {
    for (let i = length - 2; i >= 0; i--) {
      const frame = this.#frames[i] as HistoryFrame
      if (frame.snapshot === FORGOTTEN) return
      frame.snapshot = FORGOTTEN
    }
  }

  /** What came after `length` frames was lost, and never happened. */
  cut(length: number): void {
    this.#frames = this.#frames.slice(0, length)
    this.#written.clear()
  }
}
