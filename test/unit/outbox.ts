/** Messages to other replicas that wait for company, and those that do not. */

import t from 'tap'
import { EMPTY_HISTORY, type HistoryPoint } from '../../lib/council/lease-record.ts'
import { COMPANY_MS, Outbox } from '../../lib/fuse/outbox.ts'
import type { Epoch, Ino, ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'
import { decodeVolumeBatch, type ReplicaVolumeMessage } from '../../lib/volume/volume-wire.ts'
import type { ReplicatedEntry } from '../../lib/volume/replicated-entry.ts'
import { HistoryChain, sealOf } from '../support/history-chain.ts'

const [A, B] = [1 as VolumeId, 2 as VolumeId]
const [TWO, THREE] = [2 as ReplicaId, 3 as ReplicaId]
const EPOCH = 1 as Epoch

interface Sent {
  readonly to: ReplicaId
  readonly volume: VolumeId
  readonly message: ReplicaVolumeMessage
}

function setUp(): { outbox: Outbox; sent: Sent[]; time: { ms: number } } {
  const time = { ms: 1000 }
  const sent: Sent[] = []
  const clock = { nowNs: () => 0n, monotonicMs: () => time.ms }
  const outbox = new Outbox(clock, (to, bytes) => {
    sent.push(...decodeVolumeBatch(Buffer.from(bytes)).map(addressed => ({ to, ...addressed })))
  })
  return { outbox, sent, time }
}

function entriesOf(volume: VolumeId, count: number): ReplicatedEntry[] {
  const chain = new HistoryChain(volume)
  return Array.from({ length: count }, () => {
    return chain.next(sealOf(5 as Ino, [Buffer.alloc(10)]), EPOCH)
  })
}

function pointOf({ epoch, index, hash }: HistoryPoint): HistoryPoint {
  return { epoch, index, hash }
}

/** What a holder sends for each of these, one after the other. */
function appendsOf(entries: readonly ReplicatedEntry[]): ReplicaVolumeMessage[] {
  return entries.map((entry, n) => {
    const before = entries[n - 1]
    const previous = before === undefined ? EMPTY_HISTORY : pointOf(before)
    return { kind: 'append', epoch: EPOCH, previous, entries: [entry], commit: previous }
  })
}

t.test('entries wait for company, and leave as one message', async t => {
  const { outbox, sent, time } = setUp()
  const entries = entriesOf(A, 3)
  for (const message of appendsOf(entries)) {
    outbox.push(TWO, A, message)
    t.notOk(outbox.flush(true))
  }
  time.ms += COMPANY_MS
  t.ok(outbox.flush(false))
  t.ok(outbox.isEmpty)
  const commit = pointOf(entries[1] as ReplicatedEntry)
  const message = { kind: 'append', epoch: EPOCH, previous: EMPTY_HISTORY, entries, commit }
  t.strictSame(sent, [{ to: TWO, volume: A, message }])
})

t.test('who waits for an answer has all sent when nothing else is to be done', async t => {
  const { outbox, sent, time } = setUp()
  const [first, second] = appendsOf(entriesOf(A, 2)) as [ReplicaVolumeMessage, ReplicaVolumeMessage]
  outbox.push(TWO, A, first)
  outbox.push(THREE, A, first)
  outbox.hurry()
  t.notOk(outbox.flush(false), 'a busy step may add more')
  outbox.push(TWO, B, { kind: 'seal', epoch: EPOCH })
  t.ok(outbox.flush(true))
  t.same(
    sent.map(({ to, message }) => [to, message.kind]),
    [
      [TWO, 'append'],
      [TWO, 'seal'],
      [THREE, 'append']
    ]
  )
  outbox.push(TWO, A, second)
  t.notOk(outbox.flush(true), 'the hurry is over')
  outbox.hurry()
  time.ms += 1
  t.ok(outbox.flush(false), 'work without end holds it up for a moment only')
})

t.test('hurry without anything to send is forgotten', async t => {
  const { outbox } = setUp()
  outbox.hurry()
  t.notOk(outbox.flush(true))
  for (const message of appendsOf(entriesOf(A, 1))) outbox.push(TWO, A, message)
  t.notOk(outbox.flush(true))
})

t.test('the beginning of an epoch, and all that is no entry, leaves at once', async t => {
  const { outbox, sent } = setUp()
  const change = { kind: 'begin', session: 1 as SessionId, skip: 0 } as const
  const begin = new HistoryChain(A).next({ change }, EPOCH)
  for (const message of appendsOf([begin])) outbox.push(TWO, A, message)
  t.ok(outbox.flush(true))
  outbox.push(TWO, A, { kind: 'ack', epoch: EPOCH, through: begin.index, commit: begin.index })
  t.ok(outbox.flush(true))
  t.same(
    sent.map(({ message }) => message.kind),
    ['append', 'ack']
  )
})

t.test('what does not go on where the last one ended stays a message of its own', async t => {
  const { outbox, sent } = setUp()
  const [first, , third] = appendsOf(entriesOf(A, 3)) as [
    ReplicaVolumeMessage,
    unknown,
    ReplicaVolumeMessage
  ]
  outbox.push(TWO, A, first)
  outbox.push(TWO, A, third)
  outbox.push(TWO, A, { ...third, epoch: 2 as Epoch } as ReplicaVolumeMessage)
  outbox.hurry()
  outbox.flush(true)
  t.equal(sent.length, 3)
})
