import t from 'tap'
import type { ReplicaId } from '../../lib/ids.ts'
import { Assembly, FRAGMENT_BYTES, MESSAGE_BYTES_MAX } from '../../lib/peer/fragment.ts'
import { FrameGuard } from '../../lib/peer/frame-guard.ts'
import { Heartbeat, PING_MS, SILENCE_MS } from '../../lib/peer/heartbeat.ts'
import type { Hello } from '../../lib/peer/hello.ts'
import { commonVersion, decodeHello, encodeHello } from '../../lib/peer/hello.ts'
import { isChosen } from '../../lib/peer/is-chosen.ts'
import type { Contender } from '../../lib/peer/is-chosen.ts'
import { redialMs } from '../../lib/peer/link.ts'
import { MuxGuard } from '../../lib/peer/mux-guard.ts'
import { SendQueue } from '../../lib/peer/send-queue.ts'
import { addressOf, reachableAddress } from '../../lib/io/tcp.ts'
import { SimRandom } from '../support/sim-random.ts'

const [ONE, TWO] = [1, 2] as [ReplicaId, ReplicaId]

const HELLO: Hello = {
  versions: { min: 1, max: 2 },
  clusterId: 'c',
  replica: TWO,
  storeId: 's',
  boot: 3,
  nonce: 'n',
  listen: '[::1]:4711'
}

t.test('a hello comes back as it was, and a damaged one is refused', async t => {
  t.same(decodeHello(encodeHello(HELLO)), HELLO)
  const text = encodeHello(HELLO).toString()
  for (const bad of ['', '[]', 'null', '{}', text.slice(1), text.replace('4711', '99999')]) {
    t.throws(() => decodeHello(Buffer.from(bad)), { code: 'PROTOCOL' }, bad)
  }
})

t.test('versions meet in the highest that both speak', async t => {
  t.equal(commonVersion({ min: 1, max: 3 }, { min: 2, max: 9 }), 3)
  t.equal(commonVersion({ min: 1, max: 3 }, { min: 3, max: 3 }), 3)
  t.equal(commonVersion({ min: 1, max: 2 }, { min: 3, max: 4 }), undefined)
})

t.test('messages of a channel keep their order while channels take turns', async t => {
  const queue = new SendQueue()
  const random = new SimRandom(1)
  const sent = { council: [] as Buffer[], blob: [] as Buffer[] }
  for (let n = 0; n < 3000; n++) {
    const channel = random.chance(0.5) ? 'council' : 'blob'
    const message = Buffer.from(random.bytes(random.chance(0.01) ? 3 * FRAGMENT_BYTES : 3))
    sent[channel].push(message)
    queue.push(channel, message)
  }
  const got = { council: [] as Buffer[], blob: [] as Buffer[] }
  const assemblies = { council: new Assembly(), blob: new Assembly() }
  for (let next = queue.next(); next !== undefined; next = queue.next()) {
    if (next.channel !== 'council' && next.channel !== 'blob') throw new Error(next.channel)
    const message = assemblies[next.channel].take(next.fragment)
    if (message !== undefined) got[next.channel].push(message)
  }
  t.equal(queue.byteCount, 0)
  t.ok(Buffer.concat(got.council).equals(Buffer.concat(sent.council)))
  t.same(
    got.blob.map(({ length }) => length),
    sent.blob.map(({ length }) => length)
  )
})

t.test('an empty message is a message', async t => {
  const queue = new SendQueue()
  queue.push('blob', Buffer.alloc(0))
  const next = queue.next()
  t.equal(next?.fragment.isLast, true)
  t.equal(new Assembly().take({ isLast: true, bytes: Buffer.alloc(0) })?.length, 0)
})

t.test('a message that never ends is refused at the largest size', async t => {
  const assembly = new Assembly()
  const bytes = Buffer.alloc(1024 * 1024)
  for (let n = 0; n < MESSAGE_BYTES_MAX / bytes.length; n++) assembly.take({ isLast: false, bytes })
  t.throws(() => assembly.take({ isLast: false, bytes: Buffer.alloc(1) }), { code: 'PROTOCOL' })
  const empty = { isLast: false, bytes: Buffer.alloc(0) }
  t.throws(() => new Assembly().take(empty), { code: 'PROTOCOL' })
})

t.test('a peer is asked twice a second, and given up when nothing came', async t => {
  const heartbeat = new Heartbeat(0)
  const first = heartbeat.look(10)
  t.type(first, 'number')
  t.equal(heartbeat.look(PING_MS), undefined)
  t.equal(heartbeat.answered(Number(first) + 1, 20), false)
  t.equal(heartbeat.answered(Number(first), 35), true)
  t.equal(heartbeat.answered(Number(first), 45), false, 'it is answered once')
  t.equal(heartbeat.roundTripMs, 25)
  t.equal(heartbeat.look(10 + PING_MS), Number(first) + 1)
  heartbeat.heard(1000)
  for (let ms = 1000; ms <= 1000 + SILENCE_MS; ms += 50) t.not(heartbeat.look(ms), 'silent')
  t.equal(heartbeat.look(1050 + SILENCE_MS), 'silent')
})

t.test('whoever stood still itself does not take the peer for dead', async t => {
  const heartbeat = new Heartbeat(0)
  heartbeat.look(50)
  t.type(heartbeat.look(60_000), 'number')
  t.not(heartbeat.look(60_000 + SILENCE_MS / 3), 'silent')
})

t.test('a stranger may send short frames, and few; a member longer ones', async t => {
  const frame = (size: number): Buffer => {
    const bytes = Buffer.alloc(3 + size)
    bytes.writeUIntLE(size, 0, 3)
    return bytes
  }
  const many = new FrameGuard()
  t.throws(
    () => {
      for (let n = 0; n < 20; n++) many.inspect(frame(1000))
    },
    { code: 'PROTOCOL' }
  )
  t.throws(() => new FrameGuard().inspect(Buffer.from([0, 0, 1])), { code: 'PROTOCOL' })
  t.throws(() => new FrameGuard().inspect(frame(0)), { code: 'PROTOCOL' })
  const trusted = new FrameGuard()
  trusted.trust()
  const all = Buffer.concat(Array.from({ length: 50 }, () => frame(FRAGMENT_BYTES)))
  for (let at = 0; at < all.length; at += 997) trusted.inspect(all.subarray(at, at + 997))
  t.throws(() => trusted.inspect(frame(FRAGMENT_BYTES + 2000)), { code: 'PROTOCOL' })
})

t.test('frames about channels are those that we send ourselves', async t => {
  const bad = [[], [0], [0, 0], [0, 4], [0, 0xfd], [0xfd, 0, 0], [1, 0xfe]]
  for (const bytes of bad) {
    t.throws(() => new MuxGuard().inspect(Buffer.from(bytes)), { code: 'PROTOCOL' })
  }
  const guard = new MuxGuard()
  guard.inspect(Buffer.from([1, 0, 0, 5]))
  t.throws(
    () => {
      for (let n = 0; n < 100; n++) guard.inspect(Buffer.from([0, 1, n]))
    },
    { code: 'PROTOCOL' }
  )
})

t.test('attempts become rare, and do not fall together', async t => {
  t.equal(redialMs(0, 0.5), 100)
  t.ok(redialMs(3, 0) < redialMs(3, 0.9))
  t.ok(redialMs(50, 0.999) <= 2000)
  t.ok(redialMs(50, 0) >= 1000)
})

/** Replica 1's view of a connection with replica 2. */
function contender(dialler: ReplicaId, changes: Partial<Contender> = {}): Contender {
  return {
    hello: HELLO,
    isEnding: false,
    replica: TWO,
    target: dialler === ONE ? TWO : undefined,
    upSinceMs: undefined,
    ...changes
  }
}

t.test('of two connections at once that of the lower number stays', async t => {
  const [ours, theirs] = [contender(ONE), contender(TWO)]
  const nothing = { old: undefined, dialled: undefined }
  t.ok(isChosen(ours, { old: undefined, dialled: ours }, ONE, 0))
  t.ok(isChosen(theirs, nothing, ONE, 0))
  t.ok(isChosen(ours, { old: theirs, dialled: ours }, ONE, 0))
  t.notOk(isChosen(theirs, { old: ours, dialled: undefined }, ONE, 0))
  t.notOk(isChosen(theirs, { old: undefined, dialled: ours }, ONE, 0))
  const unmet = contender(ONE, { replica: undefined })
  t.ok(isChosen(theirs, { old: undefined, dialled: unmet }, ONE, 0))
})

t.test('a later run, or a dial when the old one seemed well, takes its place', async t => {
  const later = contender(TWO, { hello: { ...HELLO, boot: HELLO.boot + 1 } })
  const ours = contender(ONE, { upSinceMs: 0 })
  t.ok(isChosen(later, { old: ours, dialled: undefined }, ONE, 10))
  t.notOk(isChosen(contender(TWO), { old: later, dialled: undefined }, ONE, 10))
  t.notOk(isChosen(contender(TWO), { old: ours, dialled: undefined }, ONE, 10))
  t.ok(isChosen(contender(TWO), { old: ours, dialled: undefined }, ONE, 60_000))
  const ending = contender(ONE, { isEnding: true })
  t.ok(isChosen(contender(TWO), { old: ending, dialled: undefined }, ONE, 10))
})

t.test('an address is a host and a port', async t => {
  t.same(addressOf('[fe80::1]:1'), { host: 'fe80::1', port: 1 })
  t.same(addressOf('mail.example:4711'), { host: 'mail.example', port: 4711 })
  for (const bad of ['', ':1', 'host', 'host:', 'host:65536', 'a b:1', '::1:1', '[::1]']) {
    t.throws(() => addressOf(bad), { code: 'PEER_FAILED' }, bad)
  }
  t.equal(reachableAddress('0.0.0.0:5', '192.0.2.7'), '192.0.2.7:5')
  t.equal(reachableAddress('[::]:5', '2001:db8::1'), '[2001:db8::1]:5')
  t.equal(reachableAddress('mail.example:5', '192.0.2.7'), 'mail.example:5')
})
