import t from 'tap'
import { BlobStore } from '../../lib/blob/blob-store.ts'
import type { BlobId } from '../../lib/ids.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'

const BODY = Buffer.alloc(100_000, 'a body ')
const BLOB = sha256Hex(BODY) as BlobId
const STAGED = `staged/${BLOB}`
const KEPT = `blobs/${BLOB.slice(0, 2)}/${BLOB}`

function storeOn(disk: SimDisk): BlobStore {
  const store = new BlobStore(disk)
  store.prepare()
  return store
}

t.test('a blob is read as it was put', async t => {
  const store = storeOn(new SimDisk())
  store.put(BLOB, BODY)
  t.ok((await store.read(BLOB)).equals(BODY))
})

t.test('a staged blob is durable before it is adopted, and readable', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  await disk.syncAll()
  await store.stage(BLOB, BODY)
  t.ok((await store.read(BLOB)).equals(BODY))
  disk.crash(new SimRandom(1))
  t.same(disk.paths(), [STAGED])
  t.ok(BODY.equals(disk.bytes(STAGED)))
})

t.test('adopting moves a staged blob to its place, and may come again', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  await store.stage(BLOB, BODY)
  store.adopt(BLOB)
  store.adopt(BLOB)
  t.same(disk.paths(), [KEPT])
  t.ok((await store.read(BLOB)).equals(BODY))
})

t.test('whoever stages the same blob waits until it is durable for the first one', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  await disk.syncAll()
  const first = store.stage(BLOB, BODY)
  const second = store.stage(BLOB, BODY)
  await second
  disk.crash(new SimRandom(1))
  t.same(disk.paths(), [STAGED])
  await first
})

t.test('a blob is staged until everyone who staged it has taken that back', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  await Promise.all([store.stage(BLOB, BODY), store.stage(BLOB, BODY)])
  store.unstage(BLOB)
  t.ok(store.isStaged(BLOB))
  t.same(disk.paths(), [STAGED])
  store.unstage(BLOB)
  t.notOk(store.isStaged(BLOB))
  t.same(disk.paths(), [])
})

t.test('a stage that fails claims nothing and leaves nothing', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  disk.fail('write', 'ENOSPC')
  const both = [store.stage(BLOB, BODY), store.stage(BLOB, BODY)]
  for (const each of both) await t.rejects(each, { code: 'ENOSPC' })
  t.notOk(store.isStaged(BLOB))
  t.same(disk.paths(), [])
  await store.stage(BLOB, BODY)
  t.ok((await store.read(BLOB)).equals(BODY))
})

t.test('what an ended session was to stage is taken for there only when it is whole', async t => {
  const disk = new SimDisk()
  await storeOn(disk).stage(BLOB, BODY)
  const file = disk.open(STAGED, 'existing')
  file.truncate(100)
  file.close()
  const store = storeOn(disk)
  store.reclaim(BLOB)
  store.clearStaged()
  t.notOk(await store.claimFile(BLOB), 'what is there is not it')
  await store.stage(BLOB, BODY)
  t.ok(await store.claimFile(BLOB))
  store.unstage(BLOB)
  store.unstage(BLOB)
  store.adopt(BLOB)
  t.ok((await store.read(BLOB)).equals(BODY))
  store.unstage(BLOB)
  t.notOk(store.isStaged(BLOB))
})

t.test('what was staged and never named is cleared away at the start', async t => {
  const disk = new SimDisk()
  await storeOn(disk).stage(BLOB, BODY)
  disk.kill()
  const store = storeOn(disk)
  store.clearStaged()
  t.same(disk.paths(), [])
})

t.test('a blob with other bytes is refused, and remembered as damaged', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  store.put(BLOB, BODY)
  disk.flipBit(KEPT, 77)
  await t.rejects(store.read(BLOB), { code: 'BODY_DAMAGED' })
  t.match(store.damaged.get(BLOB), /BODY_DAMAGED/)
  store.put(BLOB, BODY)
  t.ok((await store.read(BLOB)).equals(BODY), 'until it is written anew')
  t.equal(store.damaged.size, 0)
})

t.test(
  'a blob that is shorter or cannot be read is damaged, one that is not there missing',
  async t => {
    const disk = new SimDisk()
    const store = storeOn(disk)
    await t.rejects(store.read(BLOB), { code: 'BODY_MISSING' })
    store.put(BLOB, BODY.subarray(0, 5000))
    await t.rejects(store.read(BLOB), { code: 'BODY_DAMAGED' })
    store.put(BLOB, BODY)
    disk.fail('read', 'EIO')
    await t.rejects(store.read(BLOB), { code: 'BODY_DAMAGED' })
    t.ok((await store.read(BLOB)).equals(BODY), 'a disk that recovers is believed')
  }
)

t.test('a removed blob is gone, also from memory', async t => {
  const store = storeOn(new SimDisk())
  store.put(BLOB, BODY)
  await store.read(BLOB)
  store.remove(BLOB)
  store.remove(BLOB)
  await t.rejects(store.read(BLOB), { code: 'BODY_MISSING' })
})

t.test('blobs that are checked at the same time do not mix', async t => {
  const store = storeOn(new SimDisk())
  const bodies = Array.from({ length: 10 }, (_, i) => Buffer.alloc(70_000 + i, `body ${i} `))
  const blobs = bodies.map(bytes => sha256Hex(bytes) as BlobId)
  blobs.forEach((blob, i) => {
    store.put(blob, bodies[i] as Buffer)
  })
  await Promise.all(blobs.map(blob => store.check(blob)))
  t.equal(store.damaged.size, 0)
})

t.test('a check refuses what a read would', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  await t.rejects(store.check(BLOB), { code: 'BODY_MISSING' })
  store.put(BLOB, BODY)
  disk.flipBit(KEPT, 77)
  await t.rejects(store.check(BLOB), { code: 'BODY_DAMAGED' })
  t.match(store.damaged.get(BLOB), /BODY_DAMAGED/)
})

t.test('a claim can be taken on what has a file, and on nothing else', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  t.notOk(await store.claimFile(BLOB))
  t.notOk(store.has(BLOB))
  await store.stage(BLOB, BODY)
  t.ok(await store.claimFile(BLOB))
  store.unstage(BLOB)
  t.ok(store.has(BLOB))
  store.unstage(BLOB)
  t.notOk(store.has(BLOB))
  store.put(BLOB, BODY)
  t.ok(await store.claimFile(BLOB))
  t.ok(store.isStaged(BLOB))
  store.unstage(BLOB)
  t.notOk(store.isStaged(BLOB))
  t.ok(store.has(BLOB))
})

t.test('a file that is not whole is not claimed, and no damage while nothing names it', async t => {
  const disk = new SimDisk()
  const store = storeOn(disk)
  store.put(BLOB, BODY.subarray(1))
  t.notOk(await store.claimFile(BLOB))
  t.notOk(store.isStaged(BLOB))
  t.equal(store.damaged.size, 0)
  await t.rejects(store.read(BLOB), { code: 'BODY_DAMAGED' })
  t.notOk(await store.claimFile(BLOB))
  t.equal(store.damaged.size, 1)
  await store.stage(BLOB, BODY)
  store.adopt(BLOB)
  t.equal(store.damaged.size, 0)
  store.unstage(BLOB)
  t.ok(await store.claimFile(BLOB))
})
