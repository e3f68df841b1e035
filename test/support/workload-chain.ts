import type { BlobId, VolumeId } from '../../lib/ids.ts'
import { segmentOf } from '../../lib/feed/segment.ts'
import { volumeKey } from '../../lib/store/keys.ts'
import { decodeVolume } from '../../lib/store/records.ts'
import { emptyVolume } from '../../lib/tree/volume-record.ts'
import { applyEntry } from '../../lib/tree/apply.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import { compareWithModel } from './model-tree-check.ts'
import { ModelTree, type ModelSnapshot } from './model-tree.ts'
import { compareWithReplay } from './replayed-tree-check.ts'
import { ReplayedTree } from './replayed-tree.ts'
import { SimDisk } from './sim-disk.ts'
import type { SimRandom } from './sim-random.ts'
import { SimReplica } from './sim-replica.ts'
import { SimStore } from './sim-store.ts'
import { Workload, type WorkloadWeights } from './workload.ts'
import { WorkloadHistory } from './workload-history.ts'

export interface ChainOptions {
  readonly random: SimRandom
  /** Steps of the workload in one life, at the most. */
  readonly steps: number
  readonly weights?: WorkloadWeights
  /** Looks at what a life has left, before the next one begins. */
  readonly atRest?: (disk: SimDisk, store: SimStore) => Promise<void>
}

/** How a life ended. */
type End = 'power cut' | 'killed' | 'closed'

/**
 * One data directory through several lives of its daemon, each ended by a power cut, a kill or in
 * good order, and each followed by a recovery that has to prove what it kept.
 */
export class WorkloadChain {
  readonly disk: SimDisk
  readonly store: SimStore
  readonly #random: SimRandom
  readonly #options: ChainOptions
  readonly #model = new ModelTree()
  readonly #history = new WorkloadHistory(this.#model)
  readonly #empty: ModelSnapshot
  readonly #tracksOpens: boolean
  /** So little that most is shed and read again all the time, or as much as usual. */
  readonly #memory: { readonly metadataBytesMax?: number }
  /** Bytes of all blobs that were ever staged. */
  readonly #blobs = new Map<BlobId, Buffer>()
  #workload: Workload | undefined
  /** Frames that the next recovery must find. */
  #promised = 0
  /** Frames that a power cut in the next recovery may still not take. */
  #durable = 0
  /** Power cuts so far, those during a recovery included. */
  cuts = 0
  /** What recoveries had to say. */
  readonly tornTails: string[] = []
  /** Segments of the log that were begun behind another. */
  segments = 0

  constructor(options: ChainOptions) {
    const { random } = options
    this.#options = options
    this.#random = random
    this.disk = new SimDisk({ nameOrder: random.pick(['journal', 'directory']) })
    this.store = new SimStore(this.disk, random.fork('store'))
    this.#empty = this.#model.snapshot()
    this.#tracksOpens = random.chance(0.5)
    this.#memory = random.chance(0.5) ? { metadataBytesMax: 20_000 } : {}
  }

  /** The last ops, for whoever has to explain a failure. */
  get trace(): readonly string[] {
    return this.#workload?.trace.slice(-30) ?? []
  }

  /** One life: recovery, proof, work, end. @throws Error what was promised is not so */
  async live(): Promise<void> {
    const replica = await this.#start()
    if (replica === undefined) return
    const end = await this.#work(replica)
    this.#history.settle()
    const { frames } = this.#history
    this.segments += segmentOf(replica.end - 1)
    this.#durable = this.#durableFrames(replica)
    this.#promised = end === 'power cut' ? this.#durable : frames.length
    if (end === 'closed') this.#durable = frames.length
    if (end === 'power cut') this.#crash()
    else this.disk.kill()
    this.store.kill()
    this.#workload?.trace.push(end)
    await this.#options.atRest?.(this.disk, this.store)
  }

  /** Recovers once more, and only looks. */
  async finish(): Promise<void> {
    while ((await this.#start()) === undefined);
  }

  /** @returns undefined when the power was cut before serving began */
  async #start(): Promise<SimReplica | undefined> {
    const { disk, store } = this
    const random = this.#random
    const reach = random.pick([12, 30, 100])
    if (random.chance(0.4)) disk.cutAtMutation = disk.mutations + 1 + random.int(reach)
    try {
      const replica = await SimReplica.start({
        disk,
        store,
        tracksOpens: this.#tracksOpens,
        ...this.#memory,
        onAppend: this.#history.note,
        onStage: bytes => {
          this.#blobs.set(sha256Hex(bytes) as BlobId, Buffer.from(bytes))
        },
        onRecovered: keeper => {
          disk.cutAtMutation = Infinity
          this.tornTails.push(...keeper.recovered.tornTails)
          this.#proveRecovered()
        }
      })
      this.#history.settle()
      await compareWithModel(replica, this.#model.nodes, 'bytes')
      return replica
    } catch (error) {
      if (!disk.isOff) throw error
      this.#crash()
      store.kill()
      this.#promised = this.#durable
      return undefined
    }
  }

  /** Store and files are those of a prefix of history that has all that was promised. */
  #proveRecovered(): void {
    const length = this.#history.lengthOf(volume => this.#volume(volume).index)
    if (length === undefined) throw new Error('the volumes do not make up a prefix of history')
    if (length < this.#promised) {
      throw new Error(`${this.#promised} frames were promised and ${length} are there`)
    }
    this.#history.cut(length)
    const snapshot = length === 0 ? this.#empty : this.#history.frames[length - 1]?.snapshot
    if (snapshot === undefined) throw new Error('a frame has no snapshot')
    this.#model.restore(snapshot)
    const tree = new ReplayedTree(this.#blobs)
    for (const { entries } of this.#history.frames) {
      for (const logged of entries) applyEntry(tree, logged)
    }
    compareWithReplay(this.store.values, this.disk, tree)
  }

  async #work(replica: SimReplica): Promise<End> {
    const { disk } = this
    const random = this.#random
    const { weights, steps } = this.#options
    if (this.#workload === undefined) {
      const chance = random.fork('workload')
      this.#workload = new Workload(this.#model, this.#history, replica, chance, weights)
    } else {
      this.#workload.resume(replica)
    }
    const count = 1 + random.int(steps)
    if (random.chance(0.7)) disk.cutAtMutation = disk.mutations + 1 + random.int(4 * count)
    try {
      await this.#workload.begin()
      for (let i = 0; i < count; i++) {
        await this.#workload.step()
        // Snapshots of large files would fill the memory of the machine.
        if (i % 10 === 0) this.#history.forgetBefore(this.#durableFrames(replica))
      }
      if (random.chance(0.15)) {
        await this.#workload.closeAll()
        await replica.close()
        return 'closed'
      }
    } catch (error) {
      if (!disk.isOff) throw error
      return 'power cut'
    }
    return random.chance(0.5) ? 'killed' : 'power cut'
  }

  /** Frames that no power cut can take any more. */
  #durableFrames(replica: SimReplica): number {
    const { frames } = this.#history
    let length = frames.length
    for (; length > 0; length--) {
      const { session, end } = frames[length - 1] as (typeof frames)[number]
      if (session < replica.keeper.session || end <= replica.durable) break
    }
    return length
  }

  #crash(): void {
    this.cuts++
    this.disk.crash(this.#random)
  }

  #volume(volume: VolumeId) {
    const stored = this.store.values.get(volumeKey(volume))
    return stored === undefined ? emptyVolume(volume) : decodeVolume(stored)
  }
}
