import t from 'tap'
import { configOf } from '../../lib/council/raft-state.ts'
import type { ReplicaId } from '../../lib/ids.ts'
import { RaftGroup } from '../support/raft-group.ts'

t.test('a voter alone leads when its own vote is on disk', async t => {
  const group = new RaftGroup(1)
  group.ticks(1, 20)
  t.equal(group.voter(1).role.kind, 'leader')
  group.input(1, { kind: 'propose', commands: ['x'] })
  group.settle()
  t.same(group.decided.get(1), ['x'])
})

t.test('a voter alone waits for nobody', async t => {
  const group = new RaftGroup(1)
  group.ticks(1, 1)
  t.equal(group.voter(1).role.kind, 'leader')
})

t.test('all hear of a decision when it is made, and not with the next round', async t => {
  const group = new RaftGroup(3)
  group.elect(1)
  const { round } = group.voter(1).role as { round: number }
  group.input(1, { kind: 'propose', commands: ['x', 'y', 'z'] })
  group.settle()
  for (const id of [1, 2, 3]) t.same(group.decided.get(id), ['x', 'y', 'z'])
  t.match(group.voter(1).role, { round }, 'nobody was asked to answer')
})

t.test('one of three leads, and what it decides is decided everywhere', async t => {
  const group = new RaftGroup(3)
  group.elect(1)
  group.input(1, { kind: 'propose', commands: ['x', 'y'] })
  group.settle()
  group.ticks(1, 2)
  group.settle()
  for (const id of [1, 2, 3]) t.same(group.decided.get(id), ['x', 'y'])
})

t.test('a replica that was cut off for long disturbs nobody when it is back', async t => {
  const group = new RaftGroup(3)
  group.elect(1)
  group.cut.add(3)
  group.ticks(3, 100)
  t.equal(group.voter(3).term, 1, 'asking whether it would be elected, it stays in its term')
  group.cut.clear()
  group.ticks(1, 2)
  group.settle()
  t.equal(group.voter(1).role.kind, 'leader')
  t.equal(group.voter(1).term, 1)
})

t.test('a leader that is not heard gives up, and answers no question', async t => {
  const group = new RaftGroup(3)
  group.elect(1)
  group.cut.add(1)
  group.input(1, { kind: 'confirm', token: 7 })
  group.ticks(1, 30)
  t.not(group.voter(1).role.kind, 'leader')
  t.match(group.outputs, [{ kind: 'unconfirmed', token: 7 }])
})

t.test('a question is answered by a round that began after it', async t => {
  const group = new RaftGroup(3)
  group.elect(1)
  group.cut.add(2)
  group.input(1, { kind: 'confirm', token: 8 })
  t.same(group.outputs, [])
  group.settle()
  t.match(group.outputs, [{ kind: 'confirmed', token: 8 }])
})

t.test('voters change one at a time, and only when the last change is decided', async t => {
  const group = new RaftGroup(3)
  group.elect(1)
  const propose = (voters: number[]): void => {
    const config = { voters: voters as ReplicaId[] }
    group.input(1, { kind: 'propose', commands: ['change'], config })
  }
  propose([1])
  t.match(group.outputs, [{ kind: 'notProposed' }], 'two at once')
  group.outputs.length = 0
  propose([1, 2])
  t.same(configOf(group.voter(1)).voters, [1, 2], 'in force when it is in the log')
  propose([1])
  t.match(group.outputs, [{ kind: 'notProposed' }], 'the one before is not decided')
  group.settle()
  group.outputs.length = 0
  propose([1])
  group.settle()
  t.same(group.outputs, [])
  t.same(configOf(group.voter(1)).voters, [1])
})

t.test('a leader leads until its own leaving is decided', async t => {
  const group = new RaftGroup(3)
  group.elect(1)
  const config = { voters: [2, 3] as ReplicaId[] }
  group.input(1, { kind: 'propose', commands: ['change'], config })
  t.equal(group.voter(1).role.kind, 'leader')
  group.settle()
  t.equal(group.voter(1).role.kind, 'follower')
  group.ticks(3, 12)
  group.elect(2)
  t.same(configOf(group.voter(2)).voters, [2, 3])
})

t.test('who lacks what is no longer in the log gets a snapshot', async t => {
  const group = new RaftGroup(3)
  group.elect(1)
  group.cut.add(3)
  group.input(1, { kind: 'propose', commands: ['x', 'y', 'z'] })
  group.settle()
  const index = group.voter(1).applied
  group.input(1, { kind: 'compact', index, state: Buffer.from('xyz') })
  t.equal(group.voter(1).entries.length, 0)
  group.cut.clear()
  group.ticks(1, 4)
  group.settle()
  group.ticks(1, 4)
  group.settle()
  t.equal(group.voter(3).snapshot.state.toString(), 'xyz')
  group.input(1, { kind: 'propose', commands: ['w'] })
  group.settle()
  group.ticks(1, 2)
  group.settle()
  t.same(group.decided.get(3), ['restored', 'w'])
})

t.test('nobody answers before what the answer rests on is on disk', async t => {
  const group = new RaftGroup(3)
  group.syncs = false
  group.ticks(1, 20)
  group.settle()
  t.equal(group.voter(1).role.kind, 'candidate', 'its own vote is not on disk')
  t.same(group.votes, [])
})
