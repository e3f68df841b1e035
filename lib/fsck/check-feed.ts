/**
 * Checks the log: segments, frames, checksums, the chain of the feed, end marks, and that the
 * entries of every volume follow one another and the store.
 *
 * What lies before the checkpoint is in the store already. It is looked at as well, because a
 * disk that damages it damages other things, but nothing depends on it.
 *
 * In the log of a replica of a cluster entries may be cut, replaced and written again, so they need
 * not follow one another. Here such frames are only read; whether what is committed follows is
 * found by recovery, which a check at rest does as well, and nothing of it while a daemon serves.
 */

import { FeedReader, type FeedGap } from '../feed/feed-reader.ts'
import { scanFeed } from '../feed/feed-scan.ts'
import type { LoggedEntry } from '../feed/entry.ts'
import type { Frame } from '../feed/frame.ts'
import {
  decodeSegmentHeader,
  firstFrameOf,
  SEGMENT_HEADER_SIZE,
  SEGMENT_SIZE,
  segmentOf,
  segmentPathOf
} from '../feed/segment.ts'
import { RoostError } from '../errors.ts'
import type { Index, Position, SessionId, VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { feedStart, sessionsOf } from '../keeper/recovery.ts'
import type { FeedMark } from '../store/records.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'
import type { OnProblem } from './problem.ts'

export interface FeedCheck {
  readonly disk: Disk
  readonly checkpoint: FeedMark
  readonly applied: FeedMark
  /** Where the store says that a volume's history stands; undefined where that is damaged. */
  readonly volume: (volume: VolumeId) => Promise<VolumeRecord | undefined>
  readonly onProblem: OnProblem
  /** A daemon is writing behind `applied`, so the log is looked at no further. */
  readonly isLive: boolean
}

export interface FeedFigures {
  frames: number
  entries: number
  /** One sentence for each feed whose end a power cut took, which is no damage. */
  readonly tornTails: string[]
}

interface Head {
  readonly index: Index
  readonly hash: Buffer
}

export async function checkFeeds(check: FeedCheck): Promise<FeedFigures> {
  const figures: FeedFigures = { frames: 0, entries: 0, tornTails: [] }
  const { disk, checkpoint, applied } = check
  checkSuperseded(check, figures)
  const order = new OrderCheck(check)
  for (const session of sessionsOf(disk)) {
    if (session < checkpoint.session) continue
    if (check.isLive && session > applied.session) continue
    const from = session === checkpoint.session ? checkpoint : feedStart(session)
    const isWhole = await checkFeed(check, session, from, order, figures)
    // Behind damage, entries would seem not to follow.
    if (!isWhole) return figures
  }
  await order.finish()
  checkThere(check)
  return figures
}

/** The store may have been ahead of its files, and then needs the log to write them again. */
function checkThere({ disk, checkpoint, applied, onProblem }: FeedCheck): void {
  const { session, position } = applied
  const isNeeded = session !== checkpoint.session || position !== checkpoint.position
  if (!isNeeded) return
  const sessions = sessionsOf(disk)
  if (!sessions.includes(session)) {
    const text = `the store has applied feed ${session} to ${position}, and there is no such feed`
    onProblem({ kind: 'mark-beyond-log', text })
  }
  if (checkpoint.session === session || sessions.includes(checkpoint.session)) return
  const text = `the store needs feed ${checkpoint.session}, and there is no such feed`
  onProblem({ kind: 'mark-beyond-log', text })
}

async function checkFeed(
  check: FeedCheck,
  session: SessionId,
  from: FeedMark,
  order: OrderCheck,
  figures: FeedFigures
): Promise<boolean> {
  const { disk, applied, onProblem } = check
  const attested = session === applied.session ? applied.position : (0 as Position)
  const frames = check.isLive
    ? framesBelow(disk, session, from, attested)
    : scanFeed(disk, session, from, attested)
  try {
    for (;;) {
      const next = frames.next()
      if (next.done === true) {
        const torn = next.value?.torn
        if (torn !== undefined) figures.tornTails.push(tornSentence(session, torn))
        return true
      }
      figures.frames++
      figures.entries += next.value.entries.length
      await order.take(session, next.value)
    }
  } catch (error) {
    if (!(error instanceof RoostError) || error.code !== 'FEED_DAMAGED') throw error
    onProblem({ kind: 'log-damaged', text: error.message.slice(error.code.length + 2) })
    return false
  }
}

function tornSentence(session: SessionId, { position, reason }: FeedGap): string {
  return `feed ${session} ends at ${position}: ${reason}`
}

function* framesBelow(
  disk: Disk,
  session: SessionId,
  from: FeedMark,
  end: Position
): Generator<Frame, undefined> {
  const reader = new FeedReader(disk, session, from.position, from.chain)
  try {
    for (let frame = reader.nextBelow(end); frame !== undefined; frame = reader.nextBelow(end)) {
      yield frame
    }
    return undefined
  } finally {
    reader.close()
  }
}

/** From the header of the checkpoint's segment to the checkpoint. */
function checkSuperseded(check: FeedCheck, figures: FeedFigures): void {
  const { disk, checkpoint, onProblem } = check
  const { session, position } = checkpoint
  const segment = segmentOf(position)
  const path = segmentPathOf(session, segment)
  const first = firstFrameOf(segment)
  if (position <= first || !disk.exists(path)) return
  const say = (at: number, why: string): void => {
    const place = `${path} at byte ${at - segment * SEGMENT_SIZE}`
    onProblem({ kind: 'log-superseded', text: `${place}: ${why}; the store has it all` })
  }
  const header = headerOf(disk, path)
  if (typeof header === 'string') {
    say(segment * SEGMENT_SIZE, header)
    return
  }
  const reader = new FeedReader(disk, session, first, header.chainBefore)
  try {
    while (reader.position < position) {
      const next = reader.next()
      if ('reason' in next) {
        say(next.position, next.reason)
        return
      }
      figures.frames++
      figures.entries += next.entries.length
    }
    if (reader.position !== position || !reader.chain.equals(checkpoint.chain)) {
      say(position, 'the checkpoint has another chain')
    }
  } finally {
    reader.close()
  }
}

function headerOf(disk: Disk, path: string): ReturnType<typeof decodeSegmentHeader> {
  const file = disk.openRead(path)
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_SIZE)
    return decodeSegmentHeader(bytes.subarray(0, file.read(bytes, 0)))
  } finally {
    file.close()
  }
}

/** Entries of a volume follow each other; and the store stands between two of them. */
class OrderCheck {
  readonly #check: FeedCheck
  /** Last entry seen of each volume, and the last one that the store is to have. */
  readonly #heads = new Map<VolumeId, Head>()
  readonly #applied = new Map<VolumeId, Head>()
  /** Volumes of which this looks at a part only. */
  readonly #replicated = new Set<VolumeId>()

  constructor(check: FeedCheck) {
    this.#check = check
  }

  async take(session: SessionId, frame: Frame): Promise<void> {
    if (frame.isReplicated) {
      for (const { entry } of frame.entries) this.#replicated.add(entry.volume)
      return
    }
    const { applied } = this.#check
    const isApplied =
      session < applied.session ||
      (session === applied.session && frame.position < applied.position)
    for (const logged of frame.entries) {
      await this.#follow(logged, isApplied)
      const head = { index: logged.entry.index, hash: logged.hash }
      this.#heads.set(logged.entry.volume, head)
      if (isApplied) this.#applied.set(logged.entry.volume, head)
    }
  }

  async finish(): Promise<void> {
    for (const [volume, head] of this.#applied) {
      const record = await this.#check.volume(volume)
      if (record === undefined || isAt(record, head) || this.#replicated.has(volume)) continue
      const text = `volume ${volume} stands at entry ${record.index} in the store`
      this.#check.onProblem({
        kind: 'log-order',
        text: `${text}, and at another entry ${head.index} in the log`
      })
    }
  }

  async #follow({ entry }: LoggedEntry, isApplied: boolean): Promise<void> {
    const { volume, index, previous } = entry
    const seen = this.#heads.get(volume)
    // The first entry behind the checkpoint follows one that is no longer in the log.
    if (seen === undefined && isApplied) return
    const before = seen ?? (await this.#check.volume(volume))
    if (before === undefined) return
    if (index === before.index + 1 && previous.equals(before.hash)) return
    const text = `entry ${index} of volume ${volume} does not follow entry ${before.index}`
    this.#check.onProblem({ kind: 'log-order', text })
  }
}

function isAt(record: VolumeRecord, { index, hash }: Head): boolean {
  return record.index === index && record.hash.equals(hash)
}
