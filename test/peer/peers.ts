import t from 'tap'
import type { ReplicaId } from '../../lib/ids.ts'
import { MESSAGE_BYTES_MAX } from '../../lib/peer/fragment.ts'
import { PeerRecords } from '../../lib/peer/peer-records.ts'
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

t.test('a restart is seen as down and up, and its run is kept', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = await group.startAll(2)
  if (one === undefined || two === undefined) throw new Error('two were started')
  for (let round = 0; round < 3; round++) {
    await two.peers.close()
    await until(() => !one.peers.isUp(TWO))
    t.notOk(one.peers.send(TWO, 'volume', Buffer.from('lost')))
    await group.start(two)
    await until(() => one.peers.isUp(TWO) && two.peers.isUp(ONE))
  }
  one.peers.send(TWO, 'volume', Buffer.from('back'))
  await until(() => two.received.length > 0)
  t.same(
    two.received.map(({ message }) => message.toString()),
    ['back']
  )
  t.same(one.events, ['up 2', 'down 2', 'up 2', 'down 2', 'up 2', 'down 2', 'up 2'])
  t.equal(PeerRecords.read(one.disk).runOf(TWO)?.boot, 4)
  t.same(one.complaints, [])
})

t.test('an address that was learned is found again after a restart', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = await group.startAll(2)
  if (one === undefined || two === undefined) throw new Error('two were started')
  const address = two.peers.address
  await one.peers.close()
  t.equal(PeerRecords.read(one.disk).addressOf(TWO), address)
  // The other one does not find it: it listens nowhere.
  await group.start(one, {}, { addressesOf: () => [] })
  await until(() => one.peers.isUp(TWO))
  t.equal(one.peers.figures()[0]?.address, address)
})

t.test('both dial at the same time, and one connection is left', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const peers = Array.from({ length: 6 }, (_, n) => group.add(n + 1))
  await Promise.all(peers.map(peer => group.start(peer)))
  await until(() => peers.every(peer => group.isUpWithAll(peer)))
  for (const peer of peers) {
    for (const other of peers) peer.peers.send(other.replica, 'volume', Buffer.from('once'))
  }
  await until(() => peers.every(({ received }) => received.length === peers.length - 1))
  for (const peer of peers) {
    t.equal(peer.events.length, peers.length - 1, 'none gave way to another')
    t.equal(peer.peers.figures().length, peers.length - 1)
    t.ok(peer.peers.figures().every(({ isUp, refusal }) => isUp && refusal === undefined))
  }
})

t.test('figures tell the round trip, the version and the bytes', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one] = await group.startAll(2)
  if (one === undefined) throw new Error('two were started')
  one.peers.send(TWO, 'blob', Buffer.alloc(100_000))
  await until(() => one.peers.figures()[0]?.roundTripMs !== undefined)
  await until(() => (one.peers.figures()[0]?.sentBytes ?? 0) > 100_000)
  t.match(one.peers.figures(), [
    { replica: TWO, link: 'tcp', isUp: true, version: 1, queuedBytes: 0, refusal: undefined }
  ])
})

t.test('a port that is taken is named', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one] = await group.startAll(1)
  const listen = one?.peers.address ?? ''
  const other = group.add(2)
  await t.rejects(group.start(other, { listen }), { code: 'PEER_FAILED' })
  await t.rejects(group.start(other, { listen: 'nowhere' }), /"nowhere" is not HOST:PORT/)
})

t.test('a port is free as soon as its replica is closed', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = await group.startAll(2)
  if (one === undefined || two === undefined) throw new Error('two were started')
  for (let round = 0; round < 5; round++) {
    const listen = two.peers.address ?? ''
    await two.peers.close()
    await group.start(two, { listen })
    t.equal(two.peers.address, listen)
    await until(() => two.peers.isUp(ONE))
  }
})
