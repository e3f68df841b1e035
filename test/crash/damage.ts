import t from 'tap'
import { sha256Hex } from '../../lib/util/hash.ts'
import { SimRandom } from '../support/sim-random.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'

const SEGMENT = 'feeds/0000000001/00000000.seg'

/** A killed daemon whose log has a durable part, and one that was never synced. */
async function withLog() {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna')
  await shell.write('anna/first.lock', 'one')
  await shell.fsync('anna')
  const firstEnd = replica.durable
  await shell.write('anna/second.lock', 'two')
  await shell.fsync('anna')
  const durable = replica.durable
  await shell.write('anna/third.lock', 'three')
  const end = replica.end
  host.kill()
  return { host, firstEnd, durable, end }
}

t.test('a flipped bit in what was durable ends the start, naming file and byte', async t => {
  const { host, firstEnd } = await withLog()
  host.disk.flipBit(SEGMENT, firstEnd - 20)
  const place = /^FEED_DAMAGED: feeds\/0000000001\/00000000\.seg at byte \d+: wrong checksum$/
  await t.rejects(host.start(), { code: 'FEED_DAMAGED', message: place })
  await t.rejects(host.start(), { code: 'FEED_DAMAGED', message: place }, 'and again')
  host.disk.flipBit(SEGMENT, firstEnd - 20)
  const { shell } = await host.start()
  t.same(await shell.list('anna'), ['first.lock', 'second.lock', 'third.lock'])
})

t.test('a flipped bit in what was never synced cuts the log there, and says so', async t => {
  const { host, durable } = await withLog()
  host.disk.flipBit(SEGMENT, durable + 100)
  const { replica, shell } = await host.start()
  t.same(await shell.list('anna'), ['first.lock', 'second.lock'])
  t.equal(String(await shell.read('anna/second.lock')), 'two')
  t.same(replica.keeper.recovered.tornTails, [`feed 1 was cut at ${durable}: wrong checksum`])
})

t.test('what the store has applied counts as durable', async t => {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna')
  await replica.catchUp()
  host.kill()
  host.disk.flipBit(SEGMENT, replica.durable - 20)
  await t.rejects(host.start(), { code: 'FEED_DAMAGED' })
})

t.test('no flipped bit of a log is ever read as data', async t => {
  const random = new SimRandom(7)
  for (let i = 0; i < 150; i++) {
    const { host, end } = await withLog()
    const place = random.int(end)
    host.disk.flipBit(SEGMENT, place, random.int(8))
    const started = await host.start().catch((error: unknown) => String(error))
    if (typeof started === 'string') {
      t.match(started, /^RoostError: FEED_DAMAGED: feeds\/0000000001\/00000000\.seg at byte/)
      continue
    }
    const { shell } = started
    const names = await shell.list('anna')
    t.same(names.slice(0, 2), ['first.lock', 'second.lock'], `bit at ${place}`)
    const bytes = await Promise.all(names.map(async name => shell.read(`anna/${name}`)))
    const said = bytes.map(String)
    const whole = ['one', 'two', 'three']
    // Of the third, the name may be there without its bytes: two ops, two entries.
    t.ok(
      said.every((text, n) => text === whole[n] || (n === 2 && text === '')),
      `bit at ${place}`
    )
  }
})

t.test('a segment that is missing before another one is damage', async t => {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna')
  const handle = await shell.open('anna/dovecot.index.log')
  const megabyte = Buffer.alloc(1024 * 1024, 1)
  for (let i = 0; i < 17; i++) await shell.writeAt(handle, 0, megabyte)
  await replica.syncThrough()
  await shell.writeAt(handle, 0, megabyte)
  host.kill()
  host.disk.remove(SEGMENT)
  await t.rejects(host.start(), {
    code: 'FEED_DAMAGED',
    message: /00000000\.seg .*no such segment/
  })
})

t.test('a body with another hash fails by itself, and is named', async t => {
  const host = new SimReplicaHost()
  const first = await host.start()
  await first.shell.mkdir('anna/cur')
  const [good, bad] = [Buffer.alloc(200_000, 'good'), Buffer.alloc(200_000, 'bad')]
  await first.shell.write('anna/cur/good', good)
  await first.shell.write('anna/cur/bad', bad)
  await first.replica.close()
  host.kill()
  const blob = sha256Hex(bad)
  host.disk.flipBit(`blobs/${blob.slice(0, 2)}/${blob}`, 100_000)
  const { replica, shell } = await host.start()
  await t.rejects(shell.read('anna/cur/bad'), { message: 'EIO' })
  t.ok((await shell.read('anna/cur/good')).equals(good))
  t.same([...replica.keeper.blobs.damaged.keys()], [blob])
  t.match([...replica.keeper.blobs.damaged.values()], [/^BODY_DAMAGED/])
  await shell.write('anna/cur/other', 'everything else works')
  await shell.unlink('anna/cur/bad')
})

t.test('a body that is not there is an error, never an empty or absent file', async t => {
  const host = new SimReplicaHost()
  const first = await host.start()
  await first.shell.mkdir('anna/cur')
  await first.shell.write('anna/cur/1', 'a message')
  await first.replica.close()
  host.kill()
  const blob = sha256Hex(Buffer.from('a message'))
  host.disk.remove(`blobs/${blob.slice(0, 2)}/${blob}`)
  const { replica, shell } = await host.start()
  t.equal((await shell.node('anna/cur/1')).attr.size, 9)
  await t.rejects(shell.read('anna/cur/1'), { message: 'EIO' })
  t.match([...replica.keeper.blobs.damaged.values()], [/^BODY_MISSING/])
})
