import t from 'tap'
import type { Epoch, Index, VolumeId } from '../../lib/ids.ts'
import {
  BATCHES_IN_FLIGHT_MAX,
  PushLedger,
  type PushedRange
} from '../../lib/volume/push-ledger.ts'

const [V, W] = [1 as VolumeId, 2 as VolumeId]

t.test('an answer counts for every volume in its batches, once', async t => {
  const ledger = new PushLedger()
  t.equal(ledger.push([range(V, 1, 5), range(W, 3, 7)]), 1)
  t.equal(ledger.push([range(V, 1, 6)]), 2)
  ledger.push([range(V, 1, 7)])
  t.same(ledger.answered({ through: 2, excepted: [] }), [range(V, 1, 6), range(W, 3, 7)])
  t.same(ledger.answered({ through: 2, excepted: [] }), [])
  t.same(ledger.answered({ through: 3, excepted: [] }), [range(V, 1, 7)])
})

t.test('what a peer refused or could not take is not acknowledged by its batch', async t => {
  const ledger = new PushLedger()
  ledger.push([range(V, 1, 5), range(W, 3, 7)])
  ledger.push([range(V, 1, 6), range(W, 3, 8)])
  t.same(ledger.answered({ through: 1, excepted: [V] }), [range(W, 3, 7)])
  t.same(ledger.answered({ through: 2, excepted: [V] }), [range(W, 3, 8)])
})

t.test('epochs of one volume are told apart', async t => {
  const ledger = new PushLedger()
  ledger.push([range(V, 1, 5)])
  ledger.push([range(V, 3, 6)])
  t.same(ledger.answered({ through: 2, excepted: [] }), [range(V, 1, 5), range(V, 3, 6)])
})

t.test('a peer that answers nothing is sent no more than a bound', async t => {
  const ledger = new PushLedger()
  for (let i = 0; i < BATCHES_IN_FLIGHT_MAX; i++) ledger.push([range(V, 1, i + 1)])
  t.ok(ledger.isFull)
  t.throws(() => ledger.push([]), { name: 'InvariantError' })
  ledger.forget()
  t.same(ledger.answered({ through: 9999, excepted: [] }), [])
})

function range(volume: VolumeId, epoch: number, through: number): PushedRange {
  return { volume, epoch: epoch as Epoch, through: through as Index }
}
