/**
 * Writes that are on their way to a disk, for a state machine that has none: it numbers what it
 * wants written, is told how far that is durable, and keeps back what may be said only then.
 *
 * Plain values and functions on them, so that a state can be copied with its queue.
 *
 * Invariant: writes take effect in the order of their numbers.
 */

export interface WriteQueue<Output, Place extends number = number> {
  /** Number of the last write wanted, and of the last that is durable. */
  writes: number
  synced: number
  /** The log through here is durable. */
  durable: Place
  /** Writes that are not, and how far the log is when they are. */
  unsynced: { readonly write: number; index: Place }[]
  /** What may be said when a write is durable. */
  waiting: { readonly write: number; readonly output: Output }[]
}

/** A queue in which nothing waits. */
export function emptyWriteQueue<Output, Place extends number>(
  durable: Place
): WriteQueue<Output, Place> {
  return { writes: 0, synced: 0, durable, unsynced: [], waiting: [] }
}

/** All writes up to this number are durable. `say` gets what has waited for them, in order. */
export function noteSynced<Output, Place extends number>(
  queue: WriteQueue<Output, Place>,
  write: number,
  say: (output: Output) => void
): void {
  queue.synced = Math.max(queue.synced, Math.min(write, queue.writes))
  while (queue.unsynced[0] !== undefined && queue.unsynced[0].write <= queue.synced) {
    queue.durable = Math.max(queue.durable, queue.unsynced[0].index) as Place
    queue.unsynced.shift()
  }
  while (queue.waiting[0] !== undefined && queue.waiting[0].write <= queue.synced) {
    say(queue.waiting[0].output)
    queue.waiting.shift()
  }
}

/** Says `output` when this write is durable, which may be now. */
export function sayWhenSynced<Output, Place extends number>(
  queue: WriteQueue<Output, Place>,
  write: number,
  output: Output,
  say: (output: Output) => void
): void {
  if (queue.synced >= write) say(output)
  else queue.waiting.push({ write, output })
}

/** The log was cut: what is durable of it, or will be, ends at `index` at the latest. */
export function cutDurable<Output, Place extends number>(
  queue: WriteQueue<Output, Place>,
  index: Place
): void {
  queue.durable = Math.min(queue.durable, index) as Place
  for (const pending of queue.unsynced) pending.index = Math.min(pending.index, index) as Place
}
