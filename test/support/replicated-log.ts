import { FeedSyncer } from '../../lib/feed/feed-syncer.ts'
import { FeedWriter } from '../../lib/feed/feed-writer.ts'
import type { LoggedEntry } from '../../lib/feed/entry.ts'
import type { FrameItem } from '../../lib/feed/frame.ts'
import { FRAME_SIZE_MAX } from '../../lib/feed/segment.ts'
import type { HistoryPoint } from '../../lib/council/lease-record.ts'
import { Keeper, type KeeperOptions } from '../../lib/keeper/keeper.ts'
import { SimDisk } from './sim-disk.ts'
import { SimRandom } from './sim-random.ts'
import { SimStore } from './sim-store.ts'

/** A machine with the data directory of a replica of a cluster, whose log a test writes. */
export class ReplicatedLog {
  readonly disk = new SimDisk()
  readonly store = new SimStore(this.disk)
  #parts: { keeper: Keeper; writer: FeedWriter; syncer: FeedSyncer } | undefined

  get keeper(): Keeper {
    return this.#open.keeper
  }

  get writer(): FeedWriter {
    return this.#open.writer
  }

  async start(options: Partial<KeeperOptions> = {}): Promise<Keeper> {
    const { disk, store } = this
    const openStore = () => store.open()
    const keeper = await Keeper.open({ disk, openStore, isReplicated: true, ...options })
    const writer = new FeedWriter(disk, keeper.session)
    this.#parts = { keeper, writer, syncer: new FeedSyncer(disk, keeper.session) }
    return keeper
  }

  async append(...items: readonly FrameItem[]): Promise<void> {
    const { keeper, writer, syncer } = this.#open
    if (writer.roomInSegment < FRAME_SIZE_MAX) await keeper.prepareSegment(writer.nextSegment)
    writer.appendItems(items, syncer.durable)
  }

  async sync(): Promise<void> {
    const { writer, syncer } = this.#open
    await syncer.syncThrough(writer.end)
  }

  /** Makes the log durable, and lets the keeper follow it. */
  async follow(): Promise<void> {
    const { keeper, syncer } = this.#open
    await this.sync()
    while (!(await keeper.applyBatch(syncer.durable)));
  }

  kill(): void {
    this.disk.kill()
    this.store.kill()
  }

  cutPower(seed = 1): void {
    this.disk.crash(new SimRandom(seed))
    this.store.kill()
  }

  get #open() {
    if (this.#parts === undefined) throw new Error('not started')
    return this.#parts
  }
}

export function itemOf(logged: LoggedEntry): FrameItem {
  return { kind: 'entry', logged }
}

export function pointOf({ entry, hash }: LoggedEntry): HistoryPoint {
  return { epoch: entry.epoch, index: entry.index, hash: hash.toString('hex') }
}
