import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { blobPathOf } from '../../lib/blob/blob-store.ts'
import { CachedBlobs } from '../../lib/blob/cached-blobs.ts'
import type { BlobId } from '../../lib/ids.ts'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import { SimDisk } from '../support/sim-disk.ts'

const SMALL = Buffer.alloc(10_000, 'a small body ')
const LARGE = Buffer.alloc(300_000, 'a large body ')

/** Blobs on a real disk, which were just written and so are in the page cache. */
function blobsOnDisk(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'roost-'))
  const blobs = new CachedBlobs(new NodeDisk(directory))
  t.teardown(() => {
    blobs.close()
    rmSync(directory, { recursive: true })
  })
  const put = (bytes: Buffer, blob = idOf(bytes)): BlobId => {
    const path = join(directory, blobPathOf(blob))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
    return blob
  }
  return { blobs, put, openCount: () => descriptorsBelow(directory) }
}

function idOf(bytes: Buffer): BlobId {
  return sha256Hex(bytes) as BlobId
}

function descriptorsBelow(directory: string): number {
  const targets = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      // That of this listing.
      return ''
    }
  })
  return targets.filter(target => target.startsWith(directory)).length
}

t.test('a part of a small blob is read, which is checked on the way', t => {
  const { blobs, put } = blobsOnDisk(t)
  const blob = put(SMALL)
  const target = Buffer.alloc(100)
  for (const position of [0, 9_900, 5_000]) {
    t.ok(blobs.read(blob, position, target))
    t.ok(target.equals(SMALL.subarray(position, position + 100)))
  }
  t.end()
})

t.test('a small blob with another hash is not handed out, again and again', t => {
  const { blobs, put } = blobsOnDisk(t)
  const blob = put(LARGE.subarray(0, 10_000), idOf(SMALL))
  const target = Buffer.alloc(100)
  t.notOk(blobs.read(blob, 0, target))
  t.notOk(blobs.read(blob, 0, target))
  t.ok(target.equals(Buffer.alloc(100)))
  t.end()
})

t.test('a large blob is handed out only when it was checked elsewhere', t => {
  const { blobs, put } = blobsOnDisk(t)
  const blob = put(LARGE)
  const target = Buffer.alloc(200_000)
  t.notOk(blobs.read(blob, 50_000, target))
  blobs.noteVerified(blob)
  t.ok(blobs.read(blob, 50_000, target))
  t.ok(target.equals(LARGE.subarray(50_000, 250_000)))
  t.end()
})

t.test('a checked blob that is shorter by now, or gone, is not certain', t => {
  const { blobs, put } = blobsOnDisk(t)
  blobs.noteVerified(idOf(SMALL))
  t.notOk(blobs.read(idOf(SMALL), 0, Buffer.alloc(100)))
  put(SMALL.subarray(0, 5_000), idOf(SMALL))
  t.notOk(blobs.read(idOf(SMALL), 4_950, Buffer.alloc(100)))
  t.end()
})

t.test('what the page cache does not have is not waited for', t => {
  const disk = new SimDisk()
  disk.makeDirectory(dirname(blobPathOf(idOf(SMALL))))
  const file = disk.open(blobPathOf(idOf(SMALL)), 'create')
  file.write(SMALL, 0)
  file.close()
  disk.hasPageCache = false
  t.notOk(new CachedBlobs(disk).read(idOf(SMALL), 0, Buffer.alloc(100)))
  t.end()
})

t.test('files stay open while they are read from, and not many of them', t => {
  const { blobs, put, openCount } = blobsOnDisk(t)
  const bodies = Array.from({ length: 100 }, (_, i) => Buffer.alloc(1000, `${i} `))
  const ids = bodies.map(bytes => put(bytes))
  for (const blob of ids) t.ok(blobs.read(blob, 0, Buffer.alloc(1000)))
  t.equal(openCount(), 32)
  blobs.closeIdle()
  t.equal(openCount(), 32)
  t.ok(blobs.read(ids[99] as BlobId, 0, Buffer.alloc(10)))
  blobs.closeIdle()
  t.equal(openCount(), 1)
  blobs.closeIdle()
  t.equal(openCount(), 0)
  t.end()
})
