/** Traces that break a replicated volume where a rule is missing, played step by step. */

import t from 'tap'
import { EMPTY_HISTORY, type HistoryPoint } from '../../lib/council/lease-record.ts'
import type { Epoch, ReplicaId } from '../../lib/ids.ts'
import type { VolumeRules } from '../../lib/volume/volume-rules.ts'
import { goesThrough } from '../support/chain-entry.ts'
import { ruleOf, Stage } from '../support/stage.ts'

const [A, B, C] = [1, 2, 3] as const
const THREE = ruleOf([A, B, C], 2)
const PAIR = ruleOf([A, B], 2)

t.test('a deposed holder that appended more does not outweigh what was acknowledged', async t => {
  const play = (rules: Partial<VolumeRules>): Stage => {
    const stage = new Stage(3, rules)
    stage.grant(A, 1, THREE, EMPTY_HISTORY)
    stage.settle(A, B, C)
    for (let i = 0; i < 5; i++) stage.append(A)
    stage.sync(A)
    stage.lose()
    // C takes what B begins with, and does not hear that it is acknowledged.
    stage.grant(B, 2, THREE)
    stage.deliver(stage.take(B, C, 'seal'))
    stage.sync(B, C)
    stage.deliver(stage.take(C, B, 'sealed'))
    stage.deliver(stage.take(B, C, 'append'))
    stage.sync(B, C)
    // One for what it had, one for what it took.
    stage.deliver(stage.take(C, B, 'ack'))
    stage.deliver(stage.take(C, B, 'ack'))
    t.equal(stage.checked.acknowledged.epoch, 2)
    stage.lose()
    stage.crash(A)
    stage.grant(C, 3, THREE)
    stage.settle(A, C)
    return stage
  }
  const stage = play({})
  t.ok(goesThrough(stage.head(C), stage.checked.acknowledged))
  t.match(stage.replica(C).volume.phase, { kind: 'holding', epoch: 3 })
  t.throws(() => play({ isNewer: (a, b) => a.index > b.index }), /without what was acknowledged/)
})

t.test('an entry of an older epoch counts only through one of this epoch', async t => {
  const play = (rules: Partial<VolumeRules>): Stage => {
    const stage = new Stage(3, rules)
    stage.grant(A, 1, THREE, EMPTY_HISTORY)
    stage.settle(A, B, C)
    stage.append(A)
    stage.sync(A)
    stage.lose()
    // B begins and reaches nobody; A comes back, and sends C the old entry but not its own.
    stage.grant(B, 2, THREE)
    stage.deliver(stage.take(B, C, 'seal'))
    stage.sync(B, C)
    stage.deliver(stage.take(C, B, 'sealed'))
    stage.sync(B)
    stage.lose()
    stage.grant(A, 3, THREE)
    stage.deliver(stage.take(A, C, 'seal'))
    stage.sync(A, C)
    stage.deliver(stage.take(C, A, 'sealed'))
    stage.sync(A)
    stage.deliver(stage.take(A, C, 'append'))
    stage.deliver(stage.take(C, A, 'missing'))
    stage.deliver(stage.take(A, C, 'append'))
    stage.sync(C)
    stage.deliver(stage.take(C, A, 'ack'))
    stage.deliver(stage.take(C, A, 'ack'))
    stage.lose()
    stage.grant(B, 4, THREE)
    stage.settle(B, C)
    return stage
  }
  t.match(play({}).replica(B).volume.phase, { kind: 'holding', epoch: 4 })
  t.throws(() => play({ countsFrom: () => 1 as never }), /without what was acknowledged/)
})

t.test('a restart holds nothing, although the record names its replica', async t => {
  const stage = new Stage(3)
  const record = stage.grant(A, 1, THREE, EMPTY_HISTORY)
  stage.settle(A, B, C)
  stage.append(A)
  stage.crash(A)
  stage.input(A, { kind: 'opened', session: 77 as never })
  stage.tell(A, record, A)
  t.match(stage.replica(A).volume.phase, { kind: 'follower' })
})

t.test('a pair of stores goes on with one, and the other cannot go on without it', async t => {
  const stage = new Stage(3)
  const record = stage.grant(A, 1, PAIR, EMPTY_HISTORY)
  stage.settle(A, B)
  stage.input(A, { kind: 'resize', rule: ruleOf([A], 1) })
  const proposed = stage.events.findLast(([, { kind }]) => kind === 'propose')
  t.match(proposed, [A, { proposal: { kind: 'resize', dataSet: [A], copies: 1 } }])
  stage.append(A)
  stage.sync(A)
  t.equal(stage.checked.acknowledged.index, 1, 'until it is decided both have to have it')
  stage.tell(A, { ...record, epoch: 2 as Epoch, ...ruleOf([A], 1) }, A)
  stage.sync(A)
  t.equal(stage.checked.acknowledged.index, 3)
  // By the record it is A who has to be asked, so B asks for ever and begins nothing.
  stage.lose()
  stage.grant(B, 3, ruleOf([A], 1))
  stage.settle(B, C)
  t.match(stage.replica(B).volume.phase, { kind: 'recovering' })
  stage.settle(A, B)
  t.match(stage.replica(B).volume.phase, { kind: 'holding', epoch: 3 })
  t.ok(goesThrough(stage.head(B), stage.checked.acknowledged))
})

t.test('no ack over a hole: who lacks the predecessor says so, and is sent it', async t => {
  const stage = new Stage(3)
  stage.grant(A, 1, THREE, EMPTY_HISTORY)
  stage.settle(A, B)
  stage.append(A)
  stage.sync(A)
  stage.take(A, C, 'append')
  stage.deliver(stage.take(A, C, 'append'))
  t.match(stage.take(C, A, 'missing').message, { tail: { commit: 0 } })
  t.throws(() => stage.take(C, A, 'ack'))
  for (let i = 0; i < 20; i++) stage.input(A, { kind: 'tick' })
  stage.settle(A, C)
  t.equal(stage.head(C).index, 2)
})

t.test(
  'a follower shows what is acknowledged, and a holder that lost takes its own back',
  async t => {
    const stage = new Stage(3)
    stage.grant(A, 1, THREE, EMPTY_HISTORY)
    stage.settle(A, B, C)
    stage.append(A)
    stage.deliver(stage.take(A, B, 'append'))
    stage.sync(B)
    t.equal(stage.replica(B).volume.exposed, 1, 'one copy is not enough')
    t.equal(stage.replica(A).volume.exposed, 2)
    stage.lose()
    stage.grant(C, 2, THREE)
    stage.deliver(stage.take(C, A, 'seal'))
    stage.crash(B)
    stage.lose()
    t.same(
      stage.events
        .filter(([id]) => id === A)
        .map(([, { kind }]) => kind)
        .slice(-2),
      ['fenced', 'poisoned']
    )
  }
)

t.test('handles of a lost epoch stay poisoned, whoever holds the volume next', async t => {
  const stage = new Stage(3)
  stage.grant(A, 1, THREE, EMPTY_HISTORY)
  stage.settle(A, B, C)
  stage.append(A)
  stage.settle(A, B, C)
  stage.input(A, { kind: 'ended' })
  const poisoned = (): unknown[] =>
    stage.events.filter(([by, { kind }]) => by === A && kind === 'poisoned')
  t.match(poisoned(), [[A, { since: 1, through: 1 }]])
  stage.grant(A, 2, THREE)
  stage.settle(A, B, C)
  t.match(stage.replica(A).volume.phase, { kind: 'holding', epoch: 2 })
  stage.input(A, { kind: 'ended' })
  // Those of epoch 1 are not told of again: nothing has made them good.
  t.match(poisoned().slice(1), [[A, { since: 2, through: 2 }]])
})

t.test('a successor that was handed the end of history begins there, and asks nobody', async t => {
  const stage = new Stage(3)
  stage.grant(A, 1, THREE, EMPTY_HISTORY)
  stage.settle(A, B, C)
  stage.append(A)
  stage.settle(A, B, C)
  const base = stage.head(A)
  stage.input(A, { kind: 'giveBack' })
  stage.input(A, { kind: 'parked', isFree: true })
  t.match(stage.events.at(-1), [A, { kind: 'propose', proposal: { kind: 'release', base } }])
  t.throws(() => stage.append(A), /handing/)
  stage.lose()
  stage.grant(B, 2, THREE, base)
  t.match(stage.replica(B).volume.phase, { kind: 'holding', epoch: 2 })
  t.throws(() => stage.take(B, C, 'seal'))
})

t.test(
  'a replica that has what was chosen only in part fetches the rest from its owner',
  async t => {
    const stage = new Stage(3)
    stage.grant(A, 1, THREE, EMPTY_HISTORY)
    stage.settle(A, B, C)
    for (let i = 0; i < 4; i++) stage.append(A)
    stage.settle(A, B)
    stage.lose()
    stage.grant(C, 2, THREE)
    stage.settle(B, C)
    t.match(stage.replica(C).volume.phase, { kind: 'holding', epoch: 2 })
    t.equal(stage.head(C).index, 6)
    t.ok(goesThrough(stage.head(C), stage.checked.acknowledged))
  }
)

t.test(
  'a body that is not here keeps its entry from being acked, and from being chosen',
  async t => {
    const stage = new Stage(3)
    stage.grant(A, 1, THREE, EMPTY_HISTORY)
    stage.settle(A, B, C)
    const { volume, bodies } = stage.replica(A)
    const head = stage.head(A)
    const hash = `${head.hash}/1body`
    const entry = { epoch: 1 as Epoch, index: (head.index + 1) as never, hash, previous: head.hash }
    bodies.push(hash)
    stage.input(A, { kind: 'append', entries: [{ ...entry, hasBodies: true }] })
    stage.settle(A, B, C)
    t.equal(volume.commit.index, 1)
    stage.lose()
    stage.grant(B, 2, THREE)
    stage.settle(B, C)
    t.equal(stage.head(B).index, 2, 'B and C go on without the entry')
    t.notOk(goesThrough(stage.head(B), { ...entry }))
  }
)

t.test('bodies of a later entry say nothing of those before', async t => {
  const stage = new Stage(2)
  stage.grant(A, 1, PAIR, EMPTY_HISTORY)
  stage.settle(A, B)
  const [first, second] = [appendWithBody(stage), appendWithBody(stage)]
  stage.settle(A, B)
  const { volume, bodies } = stage.replica(B)
  bodies.push(second.hash)
  stage.input(B, { kind: 'held', point: second })
  stage.settle(A, B)
  t.equal(stage.replica(A).volume.commit.index, 1, 'nothing is acked')
  t.same(volume.lacking, [first.index])
  bodies.push(first.hash)
  stage.input(B, { kind: 'held', point: first })
  stage.settle(A, B)
  t.equal(stage.replica(A).volume.commit.index, 3)
  t.equal(volume.exposed, 3)
})

t.test('bodies that nobody had are asked for again: later, and of whoever comes', async t => {
  const stage = new Stage(2)
  stage.grant(A, 1, PAIR, EMPTY_HISTORY)
  stage.settle(A, B)
  const entry = appendWithBody(stage)
  stage.settle(A, B)
  const asked = (): number => {
    return stage.events.filter(([id, { kind }]) => id === B && kind === 'fetchBodies').length
  }
  const wait = (ticks: number): void => {
    for (let i = 0; i < ticks; i++) stage.input(B, { kind: 'tick' })
  }
  t.equal(asked(), 1)
  wait(200)
  t.equal(asked(), 1, 'they may still come')
  stage.input(B, { kind: 'unheld' })
  wait(100)
  t.equal(asked(), 2)
  stage.input(B, { kind: 'unheld' })
  stage.input(B, { kind: 'peers', peers: [] })
  stage.input(B, { kind: 'peers', peers: [A as ReplicaId] })
  wait(1)
  t.equal(asked(), 3)
  stage.crash(B)
  wait(1)
  t.equal(asked(), 4, 'after a restart as well')
  stage.replica(B).bodies.push(entry.hash)
  stage.input(B, { kind: 'held', point: entry })
  wait(100)
  t.equal(asked(), 4)
})

t.test('a replica lacking bodies of what is acknowledged neither shows nor forgets it', async t => {
  const stage = new Stage(3)
  stage.grant(A, 1, THREE, EMPTY_HISTORY)
  stage.settle(A, B, C)
  const entry = appendWithBody(stage)
  stage.append(A)
  stage.replica(B).bodies.push(entry.hash)
  stage.settle(A, B, C)
  stage.input(B, { kind: 'held', point: entry })
  stage.settle(A, B, C)
  stage.append(A)
  stage.settle(A, B, C)
  const { volume, bodies } = stage.replica(C)
  t.match(volume, { commit: { index: 3 }, exposed: 1 })
  stage.input(C, { kind: 'forget', through: 3 as never })
  t.equal(volume.history.base.index, 1)
  bodies.push(entry.hash)
  stage.input(C, { kind: 'held', point: entry })
  t.ok(volume.exposed >= 3)
})

/** An entry of A with a body, which A has. */
function appendWithBody(stage: Stage): HistoryPoint {
  const { index, hash: previous } = stage.head(A)
  const hash = `${previous}/1body`
  const entry = { epoch: 1 as Epoch, index: (index + 1) as never, hash, previous, hasBodies: true }
  stage.replica(A).bodies.push(hash)
  stage.input(A, { kind: 'append', entries: [entry] })
  return { epoch: entry.epoch, index: entry.index, hash }
}
