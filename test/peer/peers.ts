import t from 'tap'
import type { ReplicaId } from '../../lib/ids.ts'
import { MESSAGE_BYTES_MAX } from '../../lib/peer/fragment.ts'
import { PeerGroup, until } from '../support/peer-group.ts'

const [ONE, TWO, THREE] = [1, 2, 3] as ReplicaId[] as [ReplicaId, ReplicaId, ReplicaId]

t.test('two members find each other and keep the order of messages', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = await group.startAll(2)
  if (one === undefined || two === undefined) throw new Error('two were started')
  const count = 2000
  for (let n = 0; n < count; n++) {
    t.ok(one.peers.send(TWO, 'volume', Buffer.from(`v${n}`)))
    two.peers.send(ONE, 'council', Buffer.from(`c${n}`))
  }
  await until(() => one.received.length === count && two.received.length === count)
  t.same(
    two.received.map(({ from, channel, message }) => `${from} ${channel} ${message.toString()}`),
    Array.from({ length: count }, (_, n) => `1 volume v${n}`)
  )
  t.same(one.events, ['up 2'])
  t.same([...one.complaints, ...two.complaints], [])
})

t.test('three members talk, each to each', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const all = await group.startAll(3)
  for (const peer of all) {
    for (const other of all) {
      if (other !== peer) peer.peers.send(other.replica, 'control', Buffer.from(`${peer.replica}`))
    }
  }
  await until(() => all.every(peer => peer.received.length === 2))
  for (const peer of all) {
    const others = [ONE, TWO, THREE].filter(replica => replica !== peer.replica)
    t.same(peer.received.map(({ from }) => from).sort(), others)
    t.ok(peer.received.every(({ from, message }) => message.toString() === `${from}`))
  }
})

t.test('the largest message arrives whole, and small ones of other channels pass it', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = await group.startAll(2)
  if (one === undefined || two === undefined) throw new Error('two were started')
  const large = Buffer.alloc(MESSAGE_BYTES_MAX, 'roost')
  one.peers.send(TWO, 'blob', large)
  t.ok(one.peers.bufferedBytes(TWO) > 0)
  one.peers.send(TWO, 'blob', Buffer.from('after'))
  one.peers.send(TWO, 'council', Buffer.from('vote'))
  await until(() => two.received.length === 3)
  t.same(
    two.received.map(({ channel }) => channel),
    ['council', 'blob', 'blob']
  )
  t.ok(two.received[1]?.message.equals(large))
  t.equal(two.received[2]?.message.toString(), 'after')
  t.equal(one.peers.bufferedBytes(TWO), 0)
  t.throws(() => one.peers.send(TWO, 'blob', Buffer.alloc(MESSAGE_BYTES_MAX + 1)))
})
