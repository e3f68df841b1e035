import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import type { ReplicaId } from '../../lib/ids.ts'
import type { Clock } from '../../lib/io/clock.ts'
import { HANDSHAKE_MS } from '../../lib/peer/connection.ts'
import type { PeersOptions } from '../../lib/peer/peers.ts'
import { newKeyPair } from '../../lib/peer/secure-stream.ts'
import { PeerGroup, until } from '../support/peer-group.ts'
import type { GroupPeer } from '../support/peer-group.ts'
import { closed, helloOf, rawMember, rawSocket, rawStream } from '../support/raw-member.ts'
import type { RawMember } from '../support/raw-member.ts'
import { SimRandom } from '../support/sim-random.ts'

const [ONE, TWO, THREE] = [1, 2, 3] as ReplicaId[] as [ReplicaId, ReplicaId, ReplicaId]

/** Replicas 1 and 2 are connected; 3 is a member whose part the test plays. */
async function startThree(
  t: { teardown(task: () => Promise<void>): unknown },
  options: Partial<PeersOptions> = {}
): Promise<{ one: GroupPeer; two: GroupPeer; three: GroupPeer; address: string }> {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two, three] = [group.add(1), group.add(2), group.add(3)]
  await group.start(one, {}, options)
  await group.start(two)
  await until(() => one.peers.isUp(TWO) && two.peers.isUp(ONE))
  return { one, two, three, address: group.addressOf(ONE) }
}

/** With it no connection is closed because of the time. */
const STANDING_CLOCK: Clock = { nowNs: () => 0n, monotonicMs: () => 0 }

interface Checks {
  same(found: unknown, wanted: unknown): boolean
}

/** The two real ones have not noticed anything, and still hear each other. */
async function checkUndisturbed(t: Checks, one: GroupPeer, two: GroupPeer): Promise<void> {
  const before = two.received.length
  one.peers.send(TWO, 'volume', Buffer.from('still here'))
  await until(() => two.received.length > before)
  t.same(
    one.events.filter(event => event.endsWith('2')),
    ['up 2']
  )
  t.same(two.events, ['up 1'])
}

t.test('garbage, oversized and cut bytes of strangers close their connection alone', async t => {
  const { one, two, address } = await startThree(t)
  const random = new SimRandom(1)
  for (let round = 0; round < 200; round++) {
    const socket = await rawSocket(address)
    const bytes = Buffer.from(random.bytes(1 + random.int(2000)))
    // Some begin as a handshake does: with a frame of the right length.
    if (random.chance(0.5)) bytes.writeUIntLE(32, 0, Math.min(3, bytes.length))
    if (random.chance(0.2)) bytes[2] = 0xff
    socket.write(bytes)
    if (random.chance(0.5)) socket.end()
    // What may still become a handshake is not waited for: it is cut off in time.
    if (round % 10 === 0) socket.destroy()
    await Promise.race([closed(socket), setTimeout(20)])
    socket.destroy()
  }
  await checkUndisturbed(t, one, two)
})

t.test('a frame of 16 MiB is refused when its length came, before room is made', async t => {
  const { one, two, address } = await startThree(t, { clock: STANDING_CLOCK })
  const socket = await rawSocket(address)
  socket.write(Buffer.from([0xff, 0xff, 0xff]))
  await closed(socket)
  await checkUndisturbed(t, one, two)
})

t.test('a recorded session that is played again is worth nothing', async t => {
  const { one, two, three, address } = await startThree(t)
  const recorded: Buffer[] = []
  const member = await rawMember(address, three, {}, (bytes, write) => {
    recorded.push(Buffer.from(bytes))
    return write(bytes)
  })
  await comeUp(member, one)
  member.channels.send('volume', Buffer.from('once'))
  await until(() => one.received.length === 1)
  member.socket.destroy()
  await until(() => !one.peers.isUp(THREE))
  const again = await rawSocket(address)
  again.write(Buffer.concat(recorded))
  await closed(again)
  t.equal(one.received.length, 1)
  t.same(one.events, ['up 2', 'up 3', 'down 3'])
  await checkUndisturbed(t, one, two)
})

t.test('a frame that comes twice ends the connection that it came on', async t => {
  const { one, two, three, address } = await startThree(t)
  let isDoubled = false
  const member = await rawMember(address, three, {}, (bytes, write) => {
    if (isDoubled) write(bytes)
    return write(bytes)
  })
  await comeUp(member, one)
  isDoubled = true
  member.channels.send('volume', Buffer.from('once'))
  await until(() => one.events.includes('down 3'))
  t.ok(one.received.length <= 1, 'it is never taken twice')
  t.match(lastEndOf(one, THREE), /changed, repeated or left out/)
  await checkUndisturbed(t, one, two)
})

t.test('a frame that was changed on its way ends the connection', async t => {
  const { one, two, three, address } = await startThree(t)
  let isChanged = false
  const member = await rawMember(address, three, {}, (bytes, write) => {
    const last = bytes.length - 1
    if (isChanged) bytes[last] = (bytes[last] ?? 0) ^ 1
    return write(bytes)
  })
  await comeUp(member, one)
  isChanged = true
  member.channels.send('volume', Buffer.from('never'))
  await until(() => one.events.includes('down 3'))
  t.same(one.received, [])
  t.match(lastEndOf(one, THREE), /changed, repeated or left out/)
  await checkUndisturbed(t, one, two)
})

/** Welcomes `one`, which has welcomed `member`. */
async function comeUp(member: RawMember, one: GroupPeer): Promise<void> {
  await until(() => member.words.some(({ word }) => word === 'welcome'))
  member.channels.say('welcome')
  await until(() => one.peers.isUp(THREE))
}

function lastEndOf({ peers }: GroupPeer, replica: ReplicaId): string | undefined {
  return peers.figures().find(figures => figures.replica === replica)?.lastEnd
}

t.test('a member that sends garbage is disconnected, whatever it is', async t => {
  const { one, two, three, address } = await startThree(t)
  const random = new SimRandom(2)
  const reasons = new Set<string>()
  for (let round = 0; round < 300; round++) {
    const member = await rawMember(address, three, round % 2 === 0 ? 'silent' : {})
    if (round % 4 === 1) {
      await until(() => member.words.some(({ word }) => word === 'welcome') || member.raw.destroyed)
      member.channels.say('welcome')
    }
    for (let n = 0; n < 5; n++) member.noise.write(garbage(random))
    member.noise.end()
    await closed(member.socket)
    reasons.add(lastEndOf(one, THREE) ?? '')
  }
  t.ok([...reasons].some(reason => reason.startsWith('PROTOCOL: ')))
  // What only an error in the code says.
  t.same(
    [...reasons].filter(reason => /undefined|not a function|call stack/.test(reason)),
    []
  )
  await checkUndisturbed(t, one, two)
})

/** Bytes that often get past the first looks: for a channel that there is, about channels, none. */
function garbage(random: SimRandom): Buffer {
  const bytes = Buffer.from(random.bytes(1 + random.int(60)))
  const kind = random.int(4)
  if (kind > 0) bytes[0] = random.int(7)
  if (kind > 1) bytes[1] = random.int(6)
  if (kind > 2) bytes[2] = random.int(3)
  return bytes
}

t.test('batches that lie in each other do not end the process', async t => {
  const { one, two, three, address } = await startThree(t, { clock: STANDING_CLOCK })
  const member = await rawMember(address, three)
  await comeUp(member, one)
  let nested = Buffer.from([0, 0, 1])
  while (nested.length < 60_000) {
    const length = Buffer.from([0xfd, nested.length & 0xff, nested.length >> 8])
    nested = Buffer.concat([Buffer.from([0, 0, 0]), length, nested.subarray(1)])
  }
  member.noise.write(nested)
  await until(() => one.events.includes('down 3'))
  t.match(lastEndOf(one, THREE), /a frame is of unknown kind 0/)
  await checkUndisturbed(t, one, two)
})

t.test('a message before the welcome, and a second hello, end the connection', async t => {
  const { one, two, three, address } = await startThree(t, { clock: STANDING_CLOCK })
  const early = await rawMember(address, three, 'silent')
  early.channels.send('volume', Buffer.from('let me in'))
  await closed(early.socket)
  const twice = await rawMember(address, three)
  twice.channels.say('hello', helloOf(three))
  await closed(twice.socket)
  t.same(one.received, [])
  await checkUndisturbed(t, one, two)
})

t.test('300 connections that say nothing disturb nobody, and are bounded', async t => {
  // Its time stands still, so that only the bound can close any.
  let nowMs = 0
  const clock = { nowNs: () => 0n, monotonicMs: () => nowMs }
  const { one, two, address } = await startThree(t, { clock })
  const silent = await Promise.all(Array.from({ length: 300 }, () => rawSocket(address)))
  let closedCount = 0
  for (const socket of silent) void closed(socket).then(() => (closedCount += 1))
  await until(() => closedCount >= 300 - 256)
  await checkUndisturbed(t, one, two)
  t.equal(closedCount, 300 - 256)
  // Somebody who finishes the handshake gets on among them.
  const stranger = await rawStream(address, newKeyPair())
  await closed(stranger.socket)
  t.equal(stranger.noise.remotePublicKey?.equals(one.keyPair.publicKey), true)
  nowMs += HANDSHAKE_MS + 1
  await until(() => closedCount === 300)
  await checkUndisturbed(t, one, two)
})

t.test('a member that reads nothing is disconnected when its queue is full', async t => {
  const bound = 2 * 1024 * 1024
  const { one, two, three, address } = await startThree(t, { queueBytesMax: bound })
  const member = await rawMember(address, three)
  await comeUp(member, one)
  member.socket.pause()
  const message = Buffer.alloc(100_000)
  let most = 0
  for (let n = 0; one.peers.send(THREE, 'blob', message); n++) {
    most = Math.max(most, one.peers.bufferedBytes(THREE))
    // It is not silent, it only reads nothing.
    member.channels.say('ping', Buffer.from([0, 0, 0, 0]))
    if (n % 10 === 0) await setTimeout(1)
  }
  t.ok(most > bound - 2 * message.length && most <= bound, `${most} bytes waited`)
  t.match(one.complaints, [/^replica 3 is too slow: \d+ bytes wait$/])
  t.same(one.events, ['up 2', 'up 3', 'down 3'])
  t.equal(lastEndOf(one, THREE), 'it is too slow')
  member.socket.destroy()
  await checkUndisturbed(t, one, two)
})

t.test('a member that falls silent is given up', async t => {
  const { one, two, three, address } = await startThree(t)
  const member = await rawMember(address, three)
  await comeUp(member, one)
  await until(() => one.events.includes('down 3'))
  t.equal(lastEndOf(one, THREE), 'nothing came from it for too long')
  await checkUndisturbed(t, one, two)
})
