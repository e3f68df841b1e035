import { FeedSyncer } from '../../lib/feed/feed-syncer.ts'
import { FeedWriter } from '../../lib/feed/feed-writer.ts'
import type { Entry, LoggedEntry } from '../../lib/feed/entry.ts'
import type { FrameItem } from '../../lib/feed/frame.ts'
import { FRAME_SIZE_MAX, firstFrameOf, segmentOf } from '../../lib/feed/segment.ts'
import type { BlobId, Epoch, Index, Position, VolumeId } from '../../lib/ids.ts'
import { RoostError } from '../../lib/errors.ts'
import { Keeper } from '../../lib/keeper/keeper.ts'
import { volumeKey } from '../../lib/store/keys.ts'
import { decodeVolume } from '../../lib/store/records.ts'
import { applyEntry } from '../../lib/tree/apply.ts'
import { compareWithReplay } from './replayed-tree-check.ts'
import { ReplayedTree } from './replayed-tree.ts'
import { ReplicatedVolume, stagedIn } from './replicated-volume.ts'
import { SimDisk } from './sim-disk.ts'
import type { SimRandom } from './sim-random.ts'
import { SimStore } from './sim-store.ts'

/** What the log says of a volume at the end of a frame. */
interface Said {
  readonly tip: string
  readonly promised: number
  readonly committed: number
}

interface Frame {
  readonly session: number
  readonly end: Position
  readonly said: ReadonlyMap<VolumeId, Said>
}

/** A body that the one who accepted an entry keeps for it. */
interface Claim {
  readonly blob: BlobId
  readonly logged: LoggedEntry
  /** When the log is durable through here, nobody will want it any more. */
  until: Position
}

/** Everything of one run of the daemon. */
interface Life {
  readonly keeper: Keeper
  readonly writer: FeedWriter
  readonly syncer: FeedSyncer
  readonly claims: Claim[]
  /** Where entries were appended first, by hash. */
  readonly places: Map<string, Position>
  /** Committed as the keeper can know. */
  readonly told: Map<VolumeId, number>
}

const VOLUMES = [1, 2, 3] as VolumeId[]

/**
 * One data directory of a replica of a cluster through several lives, each followed by a recovery
 * that has to prove what it kept.
 */
export class ReplicatedChain {
  readonly disk: SimDisk
  readonly store: SimStore
  readonly #random: SimRandom
  readonly #steps: number
  readonly #blobs = new Map<BlobId, Buffer>()
  readonly #volumes: ReadonlyMap<VolumeId, ReplicatedVolume>
  /** By hash: every entry that was ever made. */
  readonly #made = new Map<string, LoggedEntry>()
  readonly #hashes = new Map<Entry, string>()
  readonly #promises = new Map<VolumeId, number>()
  readonly #stored = new Map<VolumeId, number>()
  #said = new Map<VolumeId, Said>()
  #frames: Frame[] = []
  /** Frames that the next recovery must find, and that no further power cut may take. */
  #promised = 0
  #durable = 0
  #carry = new Set<VolumeId>()
  #mustFindAll = false
  cuts = 0
  pendingFound = 0
  carriesAsked = 0
  readonly trace: string[] = []

  constructor(random: SimRandom, steps: number) {
    this.#random = random
    this.#steps = steps
    this.disk = new SimDisk({ nameOrder: random.pick(['journal', 'directory']) })
    this.store = new SimStore(this.disk, random.fork('store'))
    const chance = random.fork('entries')
    this.#volumes = new Map(
      VOLUMES.map(volume => [volume, new ReplicatedVolume(volume, this.#blobs, chance)])
    )
  }

  /** One life: recovery, proof, work, end. @throws Error what was promised is not so */
  async live(): Promise<void> {
    const life = await this.#start()
    if (life === undefined) return
    const end = await this.#work(life)
    this.trace.push(end)
    const { session } = life.keeper
    let durable = this.#frames.length
    for (; durable > 0; durable--) {
      const frame = this.#frames[durable - 1] as Frame
      if (frame.session < session || frame.end <= life.syncer.durable) break
    }
    this.#durable = end === 'closed' ? this.#frames.length : durable
    this.#promised = end === 'power cut' ? durable : this.#frames.length
    this.#mustFindAll = end !== 'power cut'
    if (end === 'power cut') this.#crash()
    else this.disk.kill()
    this.store.kill()
  }

  /** Recovers once more, and only looks. */
  async finish(): Promise<void> {
    while ((await this.#start()) === undefined);
  }

  // ---- start and proof

  async #start(): Promise<Life | undefined> {
    const { disk, store } = this
    const random = this.#random
    const reach = random.pick([12, 30, 100])
    if (random.chance(0.4)) disk.cutAtMutation = disk.mutations + 1 + random.int(reach)
    try {
      const keeper = await Keeper.open({
        disk,
        openStore: () => store.open(),
        isReplicated: true,
        onCarryNeeded: volumes => {
          this.carriesAsked++
          for (const volume of volumes) this.#carry.add(volume)
        }
      })
      disk.cutAtMutation = Infinity
      this.#prove(keeper)
      return {
        keeper,
        writer: new FeedWriter(disk, keeper.session),
        syncer: new FeedSyncer(disk, keeper.session),
        claims: [],
        places: new Map(),
        told: new Map()
      }
    } catch (error) {
      if (!disk.isOff) throw error
      this.#crash()
      store.kill()
      this.#promised = this.#durable
      this.#mustFindAll = false
      return undefined
    }
  }

  #prove(keeper: Keeper): void {
    const { strays } = keeper.recovered
    if (strays.length > 0) throw new Error(`strays: ${strays.join(', ')}`)
    const found = new Map(VOLUMES.map(volume => [volume, this.#proveVolume(keeper, volume)]))
    const from = this.#mustFindAll ? this.#frames.length : this.#promised
    let length = from
    while (length <= this.#frames.length && !this.#isAt(length, found)) length++
    if (length > this.#frames.length) throw new Error('the log stands at no frame that it may')
    this.#frames = this.#frames.slice(0, length)
    this.#durable = this.#promised = length
    this.#said = new Map(this.#frames.at(-1)?.said)
    this.#compareFiles(keeper)
    this.#carry = new Set(keeper.recovered.pending.map(({ volume }) => volume))
    this.pendingFound += this.#carry.size
  }

  #proveVolume(keeper: Keeper, volume: VolumeId): { tip: string; promised: number } {
    const { record, promised, pending } = keeper.volumeStateOf(volume)
    const state = this.#volumes.get(volume) as ReplicatedVolume
    const { truth } = state
    if (record.index > truth.length) throw new Error(`${record.index} is not acknowledged`)
    const last = truth[record.index - 1]?.hash.toString('hex')
    if (record.index > 0 && last !== record.hash) throw new Error('another history is applied')
    if (record.index < (this.#stored.get(volume) ?? 0)) throw new Error('the store went back')
    this.#stored.set(volume, record.index)
    state.restore([...truth.slice(0, record.index), ...pending])
    if (promised < (this.#promises.get(volume) ?? 0)) throw new Error('a promise was taken back')
    this.#promises.set(volume, promised)
    return { tip: tipOf(state), promised }
  }

  /** Whether the first `length` frames make up what was found, and no commit of them is missing. */
  #isAt(length: number, found: ReadonlyMap<VolumeId, { tip: string; promised: number }>): boolean {
    const said = this.#frames[length - 1]?.said
    return [...found].every(([volume, { tip, promised }]) => {
      const expected = said?.get(volume) ?? { tip: '', promised: 0, committed: 0 }
      const stored = this.#stored.get(volume) ?? 0
      const isPromised = expected.promised === promised
      return expected.tip === tip && isPromised && stored >= expected.committed
    })
  }

  #compareFiles(keeper: Keeper): void {
    const tree = new ReplayedTree(this.#blobs)
    const claimed = new Set<BlobId>()
    for (const [volume, { truth }] of this.#volumes) {
      for (const logged of truth.slice(0, this.#stored.get(volume))) applyEntry(tree, logged)
      for (const logged of keeper.volumeStateOf(volume).pending) {
        for (const blob of stagedIn(logged)) {
          claimed.add(blob)
          const isHere = ['staged', `blobs/${blob.slice(0, 2)}`].some(directory =>
            this.disk.exists(`${directory}/${blob}`)
          )
          if (!isHere) throw new Error(`a pending entry has lost its body ${blob}`)
        }
      }
    }
    compareWithReplay(this.store.values, this.disk, tree, claimed)
  }

  // ---- work

  async #work(life: Life): Promise<'power cut' | 'killed' | 'closed'> {
    const random = this.#random
    const count = 1 + random.int(this.#steps)
    if (random.chance(0.6)) {
      this.disk.cutAtMutation = this.disk.mutations + 1 + random.int(5 * count)
    }
    try {
      if (random.chance(0.9)) await this.#reconcile(life)
      else return 'killed'
      for (let i = 0; i < count; i++) {
        await this.#step(life)
        this.#checkApplied(life)
      }
      if (!random.chance(0.2)) return random.chance(0.5) ? 'killed' : 'power cut'
      await this.#catchUp(life)
      await life.keeper.close()
      return 'closed'
    } catch (error) {
      if (!this.disk.isOff) throw error
      return 'power cut'
    }
  }

  /** What is acknowledged and not here is fetched, and takes the place of what never was. */
  async #reconcile(life: Life): Promise<void> {
    for (const state of this.#volumes.values()) {
      const { chain, truth, volume } = state
      let same = 0
      while (same < chain.length && same < truth.length && isSame(chain, truth, same)) same++
      const items: FrameItem[] = []
      if (same < chain.length && same < truth.length) items.push(this.#cut(life, state, same))
      const missing = truth.slice(state.chain.length)
      state.extend(missing)
      for (const logged of missing) items.push(await this.#accept(life, logged))
      if (items.length > 0) await this.#append(life, items)
      // A carry may come late, or in part before the next crash.
      if (this.#carry.has(volume) && this.#random.chance(0.5)) await this.#carryAnew(life, state)
    }
  }

  async #step(life: Life): Promise<void> {
    const random = this.#random
    const chance = random.next()
    if (chance < 0.55) {
      const items: FrameItem[] = []
      for (let n = 1 + random.int(4); n > 0; n--) items.push(...(await this.#change(life)))
      if (items.length > 0) await this.#append(life, items)
    } else if (chance < 0.6) {
      await this.#carryAnew(life, this.#anyVolume())
    } else if (chance < 0.75) {
      await life.syncer.syncThrough(life.writer.end)
      this.trace.push('sync')
    } else if (chance < 0.9) await this.#mayFail(() => life.keeper.applyBatch(life.syncer.durable))
    else if (chance < 0.96) await this.#mayFail(() => life.keeper.writeCheckpoint())
    else if (chance < 0.98) this.store.failWrites(1)
    else await this.#catchUp(life)
    this.#releaseClaims(life)
  }

  async #change(life: Life): Promise<FrameItem[]> {
    const random = this.#random
    const state = this.#anyVolume()
    const chance = random.next()
    if (chance < 0.6) {
      const logged = state.append()
      const item = await this.#accept(life, logged)
      return random.chance(0.5) ? [{ entry: logged.entry, bodies: logged.bodies }] : [item]
    }
    if (chance < 0.85) return this.#commit(life, state)
    if (chance < 0.93) return this.#beginEpoch(life, state)
    return this.#commitAgain(life, state)
  }

  #commit(life: Life, state: ReplicatedVolume): FrameItem[] {
    const random = this.#random
    const { volume, truth } = state
    const more = state.tip - truth.length
    if (more <= 0) return []
    state.commit(truth.length + 1 + random.int(more))
    this.trace.push(`commit ${volume}: ${truth.length}`)
    // The keeper hears of it at once, by the log, both, or later.
    const isNoted = random.chance(0.6)
    if (isNoted) this.#note(life, state)
    return random.chance(0.5) ? this.#commitAgain(life, state) : []
  }

  #note(life: Life, { volume, truth }: ReplicatedVolume): void {
    const last = truth.at(-1) as LoggedEntry
    const { epoch, index } = last.entry
    life.keeper.noteCommitted(volume, { epoch, index, hash: last.hash.toString('hex') })
    life.told.set(volume, truth.length)
  }

  #commitAgain(life: Life, { volume, truth }: ReplicatedVolume): FrameItem[] {
    if (truth.length === 0) return []
    life.told.set(volume, truth.length)
    return [{ kind: 'commit', volume, through: truth.length as Index }]
  }

  #beginEpoch(life: Life, state: ReplicatedVolume): FrameItem[] {
    const random = this.#random
    const { volume, truth } = state
    state.epoch = (state.epoch + 1 + random.int(2)) as Epoch
    const items: FrameItem[] = []
    if (random.chance(0.7)) items.push({ kind: 'promise', volume, epoch: state.epoch })
    const more = state.tip - truth.length
    if (more > 0 && random.chance(0.8)) {
      items.push(this.#cut(life, state, truth.length + random.int(more)))
    }
    return items
  }

  #cut({ claims, writer }: Life, state: ReplicatedVolume, to: number): FrameItem {
    this.trace.push(`cut ${state.volume}: ${state.tip} to ${to}`)
    const dropped = new Set(state.cut(to))
    for (const claim of claims) {
      // Not before the cut is durable: a power cut could bring the entry back.
      if (dropped.has(claim.logged)) claim.until = (writer.end + 1) as Position
    }
    return { kind: 'cut', volume: state.volume, to: to as Index }
  }

  async #carryAnew(life: Life, state: ReplicatedVolume): Promise<void> {
    const { pending, volume } = state
    this.#carry.delete(volume)
    this.trace.push(`carry ${volume}: ${pending.length}`)
    while (pending.length > 0) {
      const part = pending.splice(0, 1 + this.#random.int(4))
      await this.#append(
        life,
        part.map(logged => ({ kind: 'entry', logged }))
      )
    }
  }

  /** Keeps the bodies of an entry before it is appended. */
  async #accept(life: Life, logged: LoggedEntry): Promise<FrameItem> {
    const hash = logged.hash.toString('hex')
    this.#made.set(hash, logged)
    this.#hashes.set(logged.entry, hash)
    for (const blob of stagedIn(logged)) {
      await life.keeper.blobs.stage(blob, this.#blobs.get(blob) as Buffer)
      life.claims.push({ blob, logged, until: Infinity as Position })
    }
    return { kind: 'entry', logged }
  }

  async #append({ writer, syncer, keeper, places }: Life, items: FrameItem[]): Promise<void> {
    const before = writer.end
    if (writer.roomInSegment < FRAME_SIZE_MAX) await keeper.prepareSegment(writer.nextSegment)
    writer.appendItems(items, syncer.durable)
    const segment = segmentOf(writer.end - 1)
    const start = segment === segmentOf(before) ? before : firstFrameOf(segment)
    for (const item of items) this.#noteItem(item, start, places)
    const said = new Map(this.#said)
    this.#frames.push({ session: keeper.session, end: writer.end, said })
    this.trace.push(items.map(saidOf).join(' '))
  }

  #noteItem(item: FrameItem, start: Position, places: Map<string, Position>): void {
    const isOwn = !('kind' in item)
    const volume = volumeIn(item)
    const { tip = '', promised = 0, committed = 0 } = this.#said.get(volume) ?? {}
    const said = { tip, promised, committed }
    if (!isOwn && item.kind === 'promise') said.promised = Math.max(promised, item.epoch)
    if (!isOwn && item.kind === 'commit') said.committed = Math.max(committed, item.through)
    if (isOwn || item.kind === 'entry') {
      const { index, epoch } = isOwn ? item.entry : item.logged.entry
      said.promised = Math.max(promised, epoch)
      const hash = this.#hashes.get(isOwn ? item.entry : item.logged.entry) as string
      if (index > indexOf(this.#made.get(tip))) said.tip = hash
      if (!places.has(hash)) places.set(hash, start)
    }
    if (!isOwn && item.kind === 'cut') said.tip = this.#tipCut(tip, item.to)
    this.#said.set(volume, said)
  }

  #tipCut(tip: string, to: number): string {
    let logged = this.#made.get(tip)
    while (logged !== undefined && logged.entry.index > to) {
      logged = this.#made.get(logged.entry.previous.toString('hex'))
    }
    return logged?.hash.toString('hex') ?? ''
  }

  async #catchUp(life: Life): Promise<void> {
    const { keeper, syncer, writer, told } = life
    const waits = [...told].map(([volume, index]) => {
      const isKnown = index <= keeper.appliedIndexOf(volume)
      if (isKnown || !this.#random.chance(0.5)) return Promise.resolve()
      this.#note(life, this.#volumes.get(volume) as ReplicatedVolume)
      return keeper.applyThrough(volume, index as Index)
    })
    for (const wait of waits) wait.catch(() => undefined)
    await syncer.syncThrough(writer.end)
    while ((await this.#mayFail(() => keeper.applyBatch(syncer.durable))) !== true);
    if (keeper.isWanted) throw new Error('somebody waits for what is applied')
    await Promise.all(waits)
    for (const [volume, index] of told) {
      if (keeper.appliedIndexOf(volume) < index) throw new Error(`${volume} is not at ${index}`)
    }
    const isPending = [...this.#volumes].some(
      ([volume, { tip }]) => tip > keeper.appliedIndexOf(volume)
    )
    if (!isPending && keeper.applied !== writer.end) throw new Error('nothing is pending')
  }

  /** The store may refuse a write, and is whole when it is tried again. */
  async #mayFail<T>(task: () => Promise<T>): Promise<T | undefined> {
    try {
      return await task()
    } catch (error) {
      if (!(error instanceof RoostError) || error.code !== 'STORE_FAILED') throw error
      this.trace.push('the store refuses')
      return undefined
    }
  }

  /** What the keeper says that memory can be let go of is in the store. */
  #checkApplied({ keeper, places }: Life): void {
    if (keeper.reopening !== undefined) return
    for (const [volume, { chain }] of this.#volumes) {
      for (const { hash, entry } of chain.slice(this.#storedIndexOf(volume))) {
        const place = places.get(hash.toString('hex')) ?? firstFrameOf(0)
        if (keeper.applied > place) {
          throw new Error(`entry ${entry.index} of ${volume} is not applied, and said to be`)
        }
      }
    }
  }

  #storedIndexOf(volume: VolumeId): number {
    const stored = this.store.values.get(volumeKey(volume))
    return stored === undefined ? 0 : decodeVolume(stored).index
  }

  #releaseClaims({ claims, keeper, syncer }: Life): void {
    for (const claim of claims.splice(0)) {
      const { volume, index } = claim.logged.entry
      const { truth } = this.#volumes.get(volume) as ReplicatedVolume
      const isApplied =
        truth[index - 1]?.hash.equals(claim.logged.hash) === true &&
        index <= this.#storedIndexOf(volume)
      if (isApplied || claim.until <= syncer.durable) keeper.blobs.unstage(claim.blob)
      else claims.push(claim)
    }
  }

  #anyVolume(): ReplicatedVolume {
    return this.#volumes.get(this.#random.pick(VOLUMES)) as ReplicatedVolume
  }

  #crash(): void {
    this.cuts++
    this.disk.crash(this.#random)
  }
}

function tipOf({ chain }: ReplicatedVolume): string {
  return chain.at(-1)?.hash.toString('hex') ?? ''
}

function indexOf(logged: LoggedEntry | undefined): number {
  return logged?.entry.index ?? 0
}

function isSame(a: readonly LoggedEntry[], b: readonly LoggedEntry[], at: number): boolean {
  return a[at]?.hash.equals(b[at]?.hash ?? Buffer.alloc(0)) === true
}

function volumeIn(item: FrameItem): VolumeId {
  if (!('kind' in item)) return item.entry.volume
  return item.kind === 'entry' ? item.logged.entry.volume : item.volume
}

function saidOf(item: FrameItem): string {
  if (!('kind' in item)) return `own ${item.entry.volume}:${item.entry.index}`
  if (item.kind !== 'entry') return `${item.kind} ${item.volume}`
  const { volume, epoch, index } = item.logged.entry
  return `${volume}:${index} of ${epoch}`
}
