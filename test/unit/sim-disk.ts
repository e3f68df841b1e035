import t from 'tap'
import { PowerCut, SimDisk } from '../support/sim-disk.ts'
import type { SimDiskOptions } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed)

t.test('what was synced, bytes and name, survives every power cut', async t => {
  for (const nameOrder of ['journal', 'directory'] as const) {
    for (const seed of SEEDS) {
      const disk = new SimDisk({ nameOrder })
      disk.makeDirectory('d')
      await disk.syncDirectory('.')
      write(disk, 'd/a', 'kept')
      await disk.open('d/a', 'existing').sync()
      await disk.syncDirectory('d')
      write(disk, 'd/b', 'perhaps')
      disk.crash(new SimRandom(seed))
      t.equal(read(disk, 'd/a'), 'kept')
    }
  }
})

t.test('a synced file without a synced name may be lost', async t => {
  const { some, all } = await outcomes({}, async disk => {
    write(disk, 'a', 'x')
    await disk.open('a', 'existing').sync()
  })
  t.ok(some(disk => !disk.exists('a')))
  t.ok(some(disk => disk.exists('a')))
  t.ok(all(disk => !disk.exists('a') || read(disk, 'a') === 'x'))
})

t.test('a name may be durable while the bytes are not', async t => {
  const { some } = await outcomes({}, async disk => {
    write(disk, 'a', 'x')
    await disk.syncDirectory('.')
  })
  t.ok(some(disk => read(disk, 'a') === ''))
  t.ok(some(disk => read(disk, 'a') === '\0'))
  t.ok(some(disk => read(disk, 'a') === 'x'))
})

t.test('an unsynced write is torn at sectors, in any order', async t => {
  const { some, all } = await outcomes({}, async disk => {
    write(disk, 'a', '-'.repeat(1536))
    await disk.syncAll()
    write(disk, 'a', '#'.repeat(1536))
  })
  t.ok(all(disk => /^(-{512}|#{512}){3}$/.test(read(disk, 'a'))))
  t.ok(some(disk => read(disk, 'a').startsWith('-') && read(disk, 'a').endsWith('#')))
  t.ok(some(disk => read(disk, 'a').startsWith('#') && read(disk, 'a').endsWith('-')))
  t.ok(some(disk => read(disk, 'a') === '#'.repeat(1536)))
})

t.test('files lose what was not synced independently of each other', async t => {
  const { some } = await outcomes({}, async disk => {
    write(disk, 'a', '-')
    write(disk, 'b', '-')
    await disk.syncAll()
    write(disk, 'a', '#')
    write(disk, 'b', '#')
  })
  t.ok(some(disk => read(disk, 'a') === '-' && read(disk, 'b') === '#'))
  t.ok(some(disk => read(disk, 'a') === '#' && read(disk, 'b') === '-'))
})

t.test('bytes that a truncate freed never come back in a longer file', async t => {
  const { all } = await outcomes({}, async disk => {
    write(disk, 'a', 'x'.repeat(1024))
    await disk.syncAll()
    const file = disk.open('a', 'existing')
    file.truncate(0)
    await file.sync()
    file.truncate(2048)
    file.close()
  })
  t.ok(all(disk => !read(disk, 'a').includes('x')))
})

t.test('a truncate that was not synced may not have been', async t => {
  const { some } = await outcomes({}, async disk => {
    write(disk, 'a', 'x'.repeat(1024))
    await disk.syncAll()
    disk.open('a', 'existing').truncate(0)
  })
  t.ok(some(disk => read(disk, 'a') === ''))
  t.ok(some(disk => read(disk, 'a') === 'x'.repeat(1024)))
})

t.test('a rename is done or not, in both directories at once', async t => {
  for (const nameOrder of ['journal', 'directory'] as const) {
    const { some, all } = await outcomes({ nameOrder }, async disk => {
      disk.makeDirectory('from')
      disk.makeDirectory('to')
      write(disk, 'from/a', 'x')
      await disk.syncAll()
      disk.rename('from/a', 'to/a')
    })
    t.ok(some(disk => disk.exists('from/a')))
    t.ok(some(disk => disk.exists('to/a')))
    t.ok(all(disk => disk.exists('from/a') !== disk.exists('to/a')))
  }
})

t.test('a removed file may come back with its synced bytes', async t => {
  const { some } = await outcomes({}, async disk => {
    write(disk, 'a', 'x')
    await disk.syncAll()
    disk.remove('a')
  })
  t.ok(some(disk => disk.exists('a') && read(disk, 'a') === 'x'))
  t.ok(some(disk => !disk.exists('a')))
})

t.test('only a journal keeps names of two directories in order', async t => {
  const work = async (disk: SimDisk): Promise<void> => {
    disk.makeDirectory('d')
    disk.makeDirectory('e')
    await disk.syncAll()
    write(disk, 'd/first', '')
    write(disk, 'e/second', '')
  }
  const isReversed = (disk: SimDisk): boolean => disk.exists('e/second') && !disk.exists('d/first')
  const journal = await outcomes({ nameOrder: 'journal' }, work)
  t.notOk(journal.some(isReversed))
  const directory = await outcomes({ nameOrder: 'directory' }, work)
  t.ok(directory.some(isReversed))
})

t.test('syncDirectory takes along what its renames need elsewhere', async t => {
  const { all } = await outcomes({ nameOrder: 'directory' }, async disk => {
    disk.makeDirectory('from')
    disk.makeDirectory('to')
    await disk.syncDirectory('.')
    write(disk, 'from/a', '')
    disk.rename('from/a', 'to/a')
    await disk.syncDirectory('to')
  })
  t.ok(all(disk => disk.exists('to/a') && !disk.exists('from/a')))
})

t.test('the same seed leaves the same disk', async t => {
  const run = async (): Promise<[string, string][]> => {
    const disk = new SimDisk()
    const random = new SimRandom(7)
    for (let n = 0; n < 50; n++) {
      write(disk, `f${random.int(9)}`, String.fromCharCode(97 + random.int(26)).repeat(3000))
      if (random.chance(0.2)) await disk.syncDirectory('.')
    }
    disk.crash(random)
    return disk.paths().map(path => [path, read(disk, path)])
  }
  t.same(await run(), await run())
})

t.test('a power cut voids open files and waiting syncs', async t => {
  const disk = new SimDisk()
  const file = disk.open('a', 'create')
  const waiting = file.sync()
  disk.crash(new SimRandom(1))
  await t.rejects(waiting, PowerCut)
  t.throws(() => file.size(), PowerCut)
  t.throws(() => {
    file.write(Buffer.from('x'), 0)
  }, PowerCut)
  file.close()
})

t.test('a killed process loses its open files and nothing else', async t => {
  const disk = new SimDisk()
  write(disk, 'a', 'x')
  const file = disk.open('a', 'existing')
  disk.kill()
  t.throws(() => file.size(), PowerCut)
  t.equal(read(disk, 'a'), 'x')
})

t.test('the power can be cut in place of any mutation', async t => {
  const disk = new SimDisk()
  disk.cutAtMutation = 3
  write(disk, 'a', 'x')
  t.equal(disk.mutations, 2)
  await t.rejects(disk.syncDirectory('.'), PowerCut)
  t.throws(() => disk.exists('a'), PowerCut)
  disk.crash(new SimRandom(1))
  t.ok(Array.isArray(disk.list('.')))
})

t.test('a chosen call fails, and only as often as chosen', async t => {
  const disk = new SimDisk()
  disk.fail('write', 'EIO', { skip: 1, times: 2 })
  write(disk, 'a', 'x')
  for (const _ of [1, 2]) {
    t.throws(
      () => {
        write(disk, 'a', 'y')
      },
      { code: 'EIO' }
    )
  }
  write(disk, 'a', 'z')
  disk.fail('syncAll', 'EIO', { times: Infinity })
  await t.rejects(disk.syncAll(), { code: 'EIO' })
  disk.heal()
  await disk.syncAll()
  t.equal(Buffer.from(disk.durableBytes('a')).toString(), 'z')
})

t.test('after a failed sync a later one saves nothing, though it succeeds', async t => {
  const disk = new SimDisk()
  const file = disk.open('a', 'create')
  file.write(Buffer.from('x'), 0)
  disk.fail('sync', 'EIO')
  await t.rejects(file.sync(), { code: 'EIO' })
  await file.sync()
  t.equal(disk.durableBytes('a').byteLength, 0)
})

t.test('a disk that loses syncs says that it has synced', async t => {
  const disk = new SimDisk({ losesSyncs: true })
  const file = disk.open('a', 'create')
  file.write(Buffer.from('x'), 0)
  await file.sync()
  file.syncNow()
  await disk.syncAll()
  t.equal(disk.durableBytes('a').byteLength, 0)
})

t.test('a full disk takes what fits and then fails with ENOSPC', async t => {
  const disk = new SimDisk({ capacityBytes: 8192 })
  const file = disk.open('a', 'create')
  t.throws(
    () => {
      file.write(Buffer.alloc(10_000, 'x'), 0)
    },
    { code: 'ENOSPC' }
  )
  t.equal(file.size(), 8192)
  t.equal(disk.space().freeBytes, 0)
  file.write(Buffer.alloc(8192, 'y'), 0)
  t.throws(
    () => {
      write(disk, 'b', 'x')
    },
    { code: 'ENOSPC' }
  )
  disk.remove('a')
  t.equal(disk.space().freeBytes, 0, 'the open file still takes its space')
  file.close()
  t.equal(disk.space().freeBytes, 8192)
})

t.test('a hole takes no space until it is written', async t => {
  const disk = new SimDisk({ capacityBytes: 8192 })
  const file = disk.open('a', 'create')
  file.truncate(100_000)
  t.equal(disk.space().freeBytes, 8192)
  file.write(Buffer.from('x'), 50_000)
  t.equal(disk.space().freeBytes, 4096)
  file.truncate(0)
  t.equal(disk.space().freeBytes, 8192)
})

t.test('a flipped bit stays', async t => {
  const disk = new SimDisk()
  write(disk, 'a', 'ab')
  await disk.syncAll()
  disk.flipBit('a', 1, 1)
  t.equal(read(disk, 'a'), 'a`')
  disk.crash(new SimRandom(1))
  t.equal(read(disk, 'a'), 'a`')
})

t.test('a fork of chance depends on its name and on nothing asked before', async t => {
  const asked = new SimRandom(5)
  asked.next()
  t.equal(asked.fork('disk').next(), new SimRandom(5).fork('disk').next())
  t.not(new SimRandom(5).fork('disk').next(), new SimRandom(5).fork('clock').next())
})

/** What the disk may be after the same work and a power cut, over all seeds. */
async function outcomes(options: SimDiskOptions, work: (disk: SimDisk) => Promise<void>) {
  const disks: SimDisk[] = []
  for (const seed of SEEDS) {
    const disk = new SimDisk(options)
    await work(disk)
    disk.crash(new SimRandom(seed))
    disks.push(disk)
  }
  return {
    some: (holds: (disk: SimDisk) => boolean) => disks.some(holds),
    all: (holds: (disk: SimDisk) => boolean) => disks.every(holds)
  }
}

function write(disk: SimDisk, path: string, text: string): void {
  const file = disk.open(path, 'create')
  file.write(Buffer.from(text), 0)
  file.close()
}

function read(disk: SimDisk, path: string): string {
  return Buffer.from(disk.bytes(path)).toString('latin1')
}
