import t from 'tap'
import { BlobStore } from '../../lib/blob/blob-store.ts'
import { BodyExchange } from '../../lib/blob/body-exchange.ts'
import { FETCHES_MAX } from '../../lib/blob/body-fetcher.ts'
import { encodeBodyMessage } from '../../lib/blob/body-message.ts'
import type { BlobId, ReplicaId } from '../../lib/ids.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import { ManualTimers } from '../support/manual-timers.ts'
import { PeerLinks, settle } from '../support/peer-links.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'

const [ME, ONE, TWO] = [1, 2, 3] as [ReplicaId, ReplicaId, ReplicaId]
const BODY = Buffer.alloc(300_000, 'a body that does not ride ')
const BLOB = sha256Hex(BODY) as BlobId
const STAGED = `staged/${BLOB}`

class Machine {
  readonly disk = new SimDisk()
  readonly blobs = new BlobStore(this.disk)
  readonly timers = new ManualTimers()
  readonly riding = new Map<BlobId, Buffer>()
  readonly exchange: BodyExchange

  constructor(links: PeerLinks, replica: ReplicaId) {
    this.blobs.prepare()
    this.exchange = new BodyExchange({
      blobs: this.blobs,
      send: links.sendAs(replica),
      after: this.timers.after,
      lookup: blob => this.riding.get(blob)
    })
    links.connect(replica, this.exchange)
  }
}

function machines(): { links: PeerLinks; me: Machine; one: Machine; two: Machine } {
  const links = new PeerLinks()
  const [me, one, two] = [ME, ONE, TWO].map(replica => new Machine(links, replica))
  return { links, me, one, two } as { links: PeerLinks; me: Machine; one: Machine; two: Machine }
}

function isRefused(fetching: Promise<void>): Promise<string> {
  return fetching.then(
    () => 'it came',
    (error: unknown) => (error instanceof Error ? error.message : String(error))
  )
}

t.test('a body is durable here, with a claim, when it was fetched', async t => {
  const { me, one } = machines()
  one.blobs.put(BLOB, BODY)
  await me.disk.syncAll()
  await me.exchange.fetchBlob([ONE], BLOB)
  t.ok(me.blobs.isStaged(BLOB))
  t.equal(me.exchange.fetchCount, 0)
  t.equal(me.timers.count, 0, 'no timer is left')
  me.disk.crash(new SimRandom(1))
  t.ok(BODY.equals(me.disk.bytes(STAGED)))
})

t.test('several that want one blob share a fetch, and have a claim each', async t => {
  const { links, me, one } = machines()
  await one.blobs.stage(BLOB, BODY)
  await Promise.all([1, 2, 3].map(() => me.exchange.fetchBlob([ONE], BLOB)))
  t.equal(links.sent.length, 2, 'a question and an answer')
  me.blobs.unstage(BLOB)
  me.blobs.unstage(BLOB)
  t.ok(me.blobs.isStaged(BLOB))
  me.blobs.unstage(BLOB)
  t.notOk(me.blobs.isStaged(BLOB))
  t.notOk(me.disk.exists(STAGED))
  t.ok(one.blobs.isStaged(BLOB), 'whoever answered keeps what it had')
})

t.test('what is here already is asked of nobody, and not written again', async t => {
  const { links, me } = machines()
  me.blobs.put(BLOB, BODY)
  const before = me.disk.mutations
  await Promise.all([1, 2].map(() => me.exchange.fetchBlob([ONE], BLOB)))
  t.equal(links.sent.length, 0)
  t.equal(me.disk.mutations, before)
  me.blobs.unstage(BLOB)
  t.ok(me.blobs.isStaged(BLOB), 'so nothing deletes it')
  me.blobs.unstage(BLOB)
  t.notOk(me.blobs.isStaged(BLOB))
})

t.test('what only rides in the log of a peer is found there', async t => {
  const { me, one } = machines()
  one.riding.set(BLOB, BODY)
  await me.exchange.fetchBlob([ONE], BLOB)
  t.ok((await me.blobs.read(BLOB)).equals(BODY))
})

t.test('a peer that does not have it, or not whole, is not the last', async t => {
  const { me, one, two } = machines()
  two.blobs.put(BLOB, BODY)
  await me.exchange.fetchBlob([ONE, TWO], BLOB)
  t.ok((await me.blobs.read(BLOB)).equals(BODY))
  t.same([...one.blobs.damaged], [], 'to be asked for what one does not have is no damage')
  const other = machines()
  other.one.blobs.put(BLOB, BODY.subarray(1))
  other.two.blobs.put(BLOB, BODY)
  await other.me.exchange.fetchBlob([ONE, TWO], BLOB)
  t.ok((await other.me.blobs.read(BLOB)).equals(BODY))
})

t.test('bytes that changed on their way are not taken', async t => {
  const { links, me, one, two } = machines()
  one.blobs.put(BLOB, BODY)
  two.blobs.put(BLOB, BODY)
  links.tamper = ({ from, bytes }) => {
    if (from === ONE && bytes.length > 200) bytes.writeUInt8(bytes.readUInt8(200) ^ 1, 200)
    return bytes
  }
  t.match(await isRefused(me.exchange.fetchBlob([ONE], BLOB)), /replica 2 sent other bytes$/)
  await me.exchange.fetchBlob([ONE, TWO], BLOB)
  t.ok((await me.blobs.read(BLOB)).equals(BODY))
})

t.test('who does not answer, is not there or goes away is not waited for', async t => {
  const { links, me, one, two } = machines()
  one.blobs.put(BLOB, BODY)
  links.silent.add(ONE)
  links.silent.add(TWO)
  const fetching = isRefused(me.exchange.fetchBlob([9 as ReplicaId, ONE, TWO], BLOB))
  await settle()
  t.equal(links.sent.length, 1)
  me.timers.fireAll()
  await settle()
  t.equal(links.sent.length, 2)
  links.disconnect(TWO)
  t.equal(
    await fetching,
    `BODY_MISSING: blob ${BLOB} is not to be had: replica 9 is not connected; ` +
      'replica 2 did not answer; replica 3 is not connected'
  )
  t.equal(me.timers.count, 0)
  links.silent.clear()
  await me.exchange.fetchBlob([ONE], BLOB)
  t.notOk(two.blobs.isStaged(BLOB))
})

t.test('another that wants it brings peers of its own', async t => {
  const { links, me, two } = machines()
  two.blobs.put(BLOB, BODY)
  links.silent.add(ONE)
  const first = me.exchange.fetchBlob([ONE], BLOB)
  await settle()
  const second = me.exchange.fetchBlob([TWO], BLOB)
  me.timers.fireAll()
  await Promise.all([first, second])
  t.ok(me.blobs.isStaged(BLOB))
})

t.test('so many are fetched at a time, and the others in their turn', async t => {
  const { links, me, one } = machines()
  const bodies = Array.from({ length: FETCHES_MAX * 3 }, (_, i) => Buffer.from(`body ${i}`))
  const blobs = bodies.map(body => sha256Hex(body) as BlobId)
  bodies.forEach((body, i) => {
    one.blobs.put(blobs[i] as BlobId, body)
  })
  links.silent.add(ONE)
  const all = Promise.all(blobs.map(blob => me.exchange.fetchBlob([ONE, TWO, ONE], blob)))
  await settle()
  t.equal(links.sent.length, FETCHES_MAX)
  links.silent.delete(ONE)
  for (const { bytes } of links.sent.slice()) one.exchange.hear(ME, bytes)
  await all
  t.equal(me.disk.list('staged').length, blobs.length)
})

t.test('a disk that does not take it says so to all who wait', async t => {
  const { me, one } = machines()
  one.blobs.put(BLOB, BODY)
  me.disk.fail('write', 'ENOSPC')
  const both = [1, 2].map(() => me.exchange.fetchBlob([ONE], BLOB))
  const outcomes = await Promise.allSettled(both)
  t.same(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected']
  )
  t.notOk(me.blobs.isStaged(BLOB))
  await me.exchange.fetchBlob([ONE], BLOB)
  t.ok(me.blobs.isStaged(BLOB))
})

t.test('the end of a replica ends its fetches', async t => {
  const { links, me } = machines()
  links.silent.add(ONE)
  const fetching = isRefused(me.exchange.fetchBlob([ONE, TWO], BLOB))
  await settle()
  me.exchange.close()
  t.match(await fetching, /this replica stops/)
  t.match(await isRefused(me.exchange.fetchBlob([ONE], BLOB)), /there is nobody to ask/)
})

t.test('what makes no sense is refused, what was not asked for is dropped', async t => {
  const { me } = machines()
  const unasked = encodeBodyMessage({ kind: 'body', number: 1, bytes: BODY })
  me.exchange.hear(ONE, unasked)
  t.notOk(me.blobs.isStaged(BLOB))
  const refuses = (bytes: number[] | Buffer, message: RegExp): void => {
    t.throws(() => me.exchange.hear(ONE, Buffer.from(bytes)), { code: 'PROTOCOL', message })
  }
  refuses([], /1 bytes wanted/)
  refuses([2, 0], /version 2 about a body/)
  refuses([1, 3, 0, 0, 0, 0, 0, 0, 0, 0], /unknown kind 3/)
  refuses(Buffer.concat([encodeBodyMessage({ kind: 'none', number: 1 }), BODY]), /bytes left/)
  const large = Buffer.concat([unasked, Buffer.alloc(1024 * 1024)])
  refuses(large, /no body has \d+ bytes/)
})
