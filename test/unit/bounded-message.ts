import t from 'tap'
import { EMPTY_HISTORY } from '../../lib/council/lease-record.ts'
import type { Epoch, Ino, VolumeId } from '../../lib/ids.ts'
import { boundedMessages } from '../../lib/volume/bounded-message.ts'
import { decodeVolumeBatch, encodeVolumeBatch } from '../../lib/volume/volume-wire.ts'
import { HistoryChain, sealOf } from '../support/history-chain.ts'

const VOLUME = 7 as VolumeId
const BYTES_MAX = 100_000

function entriesOf(sizes: readonly number[]) {
  const chain = new HistoryChain(VOLUME)
  return sizes.map(size => chain.next(sealOf(5 as Ino, [Buffer.alloc(size, size)]), 1 as Epoch))
}

const [previous, commit, epoch] = [EMPTY_HISTORY, EMPTY_HISTORY, 1 as Epoch]

t.test('an append that is too large is sent in parts that follow each other', async t => {
  const entries = entriesOf([40_000, 40_000, 40_000, 300_000, 1, 2, 99_000])
  const parts = boundedMessages({ kind: 'append', epoch, previous, entries, commit }, BYTES_MAX)
  const decoded = parts.map(
    message => decodeVolumeBatch(encodeVolumeBatch([{ volume: VOLUME, message }]))[0]?.message
  )
  t.strictSame(decoded, parts)
  const counts = parts.map(part => (part.kind === 'append' ? part.entries.length : 0))
  t.same(counts, [2, 1, 1, 3])
  t.same(
    parts.flatMap(part => (part.kind === 'append' ? part.entries : [])),
    entries
  )
})

t.test('of what was fetched only the beginning is sent', async t => {
  const entries = entriesOf([60_000, 60_000])
  const message = { kind: 'fetched', through: previous, previous, entries } as const
  t.same(boundedMessages(message, BYTES_MAX), [{ ...message, entries: entries.slice(0, 1) }])
})

t.test('what fits, and what has no entries, stays as it is', async t => {
  const small = { kind: 'append', epoch, previous, entries: entriesOf([5, 5]), commit } as const
  t.same(boundedMessages(small, BYTES_MAX), [small])
  const none = { ...small, entries: [] }
  t.same(boundedMessages(none, BYTES_MAX), [none])
  t.same(boundedMessages({ kind: 'seal', epoch }, 0), [{ kind: 'seal', epoch }])
})
