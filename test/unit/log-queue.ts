import t from 'tap'
import { NO_HASH } from '../../lib/feed/entry.ts'
import { entrySizeOf } from '../../lib/feed/entry-size.ts'
import { FRAME_SIZE_MAX } from '../../lib/feed/segment.ts'
import type { LogItem } from '../../lib/feed/log-item.ts'
import type { Epoch, Index, Ino, Position, VolumeId } from '../../lib/ids.ts'
import { LogQueue } from '../../lib/replication/log-queue.ts'

const [A, B] = [1 as VolumeId, 2 as VolumeId]

/** A log of items, one position each, that can be without room. */
class ShortLog {
  readonly frames: (readonly LogItem[])[] = []
  hasRoom = true

  get end(): Position {
    return this.frames.length as Position
  }

  hasRoomFor(): boolean {
    return this.hasRoom
  }

  appendItems(items: readonly LogItem[]): void {
    this.frames.push(items)
  }
}

function setUp(): { log: ShortLog; queue: LogQueue; time: { ms: number } } {
  const log = new ShortLog()
  const time = { ms: 1000 }
  const clock = { nowNs: () => 0n, monotonicMs: () => time.ms }
  return { log, time, queue: new LogQueue(log, clock) }
}

function promise(volume: VolumeId): LogItem {
  return { kind: 'promise', volume, epoch: 1 as Epoch }
}

function commit(volume: VolumeId): LogItem {
  return { kind: 'commit', volume, through: 1 as Index }
}

function write(index: number, size: number): LogItem {
  const place = { volume: A, epoch: 1 as Epoch, index: index as Index, previous: NO_HASH, time: 1n }
  const change = { kind: 'write', ino: 9 as Ino, offset: 0, bytes: Buffer.alloc(size) } as const
  return { kind: 'entry', logged: { entry: { ...place, change }, hash: NO_HASH, bodies: [] } }
}

function sizeOf(frame: readonly LogItem[]): number {
  return frame.reduce(
    (sum, item) => sum + (item.kind === 'entry' ? entrySizeOf(item.logged) : 0),
    0
  )
}

t.test('what is wanted goes into one frame, in its order', async t => {
  const { log, queue } = setUp()
  queue.push(A, 1, [promise(A)])
  queue.push(B, 1, [promise(B)])
  t.ok(queue.flush(), 'somebody waits for it')
  t.same(log.frames, [[promise(A), promise(B)]])
  t.notOk(queue.flush())
})

t.test('what nobody waits for waits for company, but not for long', async t => {
  const { log, queue, time } = setUp()
  queue.push(A, 1, [commit(A)])
  t.notOk(queue.flush())
  t.same(log.frames, [])
  time.ms += 20
  t.notOk(queue.flush(), 'nor is anybody told')
  t.same(log.frames, [[commit(A)]])
})

t.test('without room all waits, and then goes in order', async t => {
  const { log, queue } = setUp()
  log.hasRoom = false
  queue.push(A, 1, [promise(A)])
  t.notOk(queue.flush())
  t.notOk(queue.isEmpty)
  queue.push(A, 2, [commit(A)])
  log.hasRoom = true
  t.ok(queue.flush())
  t.same(log.frames, [[promise(A), commit(A)]])
})

t.test(
  'what is too much for one frame goes into several, and is durable with the last',
  async t => {
    const { log, queue } = setUp()
    const items = Array.from({ length: 40 }, (_, i) => write(i + 1, 100_000))
    queue.push(A, 1, [promise(A)])
    queue.push(A, 2, items)
    queue.push(B, 1, [promise(B)])
    t.ok(queue.flush())
    t.same(log.frames.flat(), [promise(A), ...items, promise(B)])
    for (const frame of log.frames) t.ok(sizeOf(frame) < FRAME_SIZE_MAX - 64 * 1024)
    const last = log.frames.findIndex(frame => frame.includes(items[39] as LogItem)) + 1
    t.same(queue.takeDurable((last - 1) as Position).get(A), 1)
    t.same(queue.takeDurable(last as Position).get(A), 2)
  }
)

t.test('of each volume the last durable write is told, once', async t => {
  const { queue } = setUp()
  queue.push(A, 1, [promise(A)])
  queue.flush()
  queue.push(A, 2, [promise(A)])
  queue.push(B, 1, [promise(B)])
  queue.flush()
  queue.alreadyAt(B, 2, 2 as Position)
  t.same([...queue.takeDurable(1 as Position)], [[A, 1]])
  t.same(
    [...queue.takeDurable(2 as Position)],
    [
      [A, 2],
      [B, 2]
    ]
  )
  t.same([...queue.takeDurable(2 as Position)], [])
})
