import type { Test } from 'tap'
import type { Disk } from '../../lib/io/disk.ts'
import { InvariantError } from '../../lib/util/assert.ts'

/** What every Disk does, the real one and the simulated. `make` gives an empty one. */
export function diskSuite(t: Test, make: (t: Test) => Disk): void {
  openSuite(t, make)
  bytesSuite(t, make)
  namesSuite(t, make)
  removalSuite(t, make)
  directorySuite(t, make)
  syncSuite(t, make)
}

function openSuite(t: Test, make: (t: Test) => Disk): void {
  t.test('existing refuses a file that is not there', async t => {
    const disk = make(t)
    t.throws(() => disk.open('a', 'existing'), { code: 'ENOENT' })
    t.throws(() => disk.openRead('a'), { code: 'ENOENT' })
    t.notOk(disk.exists('a'))
  })

  t.test('create makes an empty file once and then opens it', async t => {
    const disk = make(t)
    put(disk, 'a', 'hello')
    const file = disk.open('a', 'create')
    t.equal(file.size(), 5)
    file.close()
    t.ok(disk.exists('a'))
  })

  t.test('exclusive refuses a file that is there', async t => {
    const disk = make(t)
    disk.open('a', 'exclusive').close()
    t.throws(() => disk.open('a', 'exclusive'), { code: 'EEXIST' })
  })

  t.test('a directory and a missing directory are refused', async t => {
    const disk = make(t)
    disk.makeDirectory('d')
    put(disk, 'file', '')
    t.throws(() => disk.open('d', 'create'), { code: 'EISDIR' })
    t.throws(() => disk.open('no/a', 'create'), { code: 'ENOENT' })
    t.throws(() => disk.open('file/a', 'create'), { code: 'ENOTDIR' })
  })

  t.test('openRead reads and does not write', async t => {
    const disk = make(t)
    put(disk, 'a', 'hello')
    const file = disk.openRead('a')
    t.equal(textOf(file.read.bind(file), 5), 'hello')
    t.throws(
      () => {
        file.write(Buffer.from('x'), 0)
      },
      { code: 'EBADF' }
    )
    file.close()
  })

  t.test('a closed file cannot be used', async t => {
    const disk = make(t)
    const file = disk.open('a', 'create')
    file.close()
    t.throws(() => file.size(), InvariantError)
    t.throws(() => {
      file.write(Buffer.from('x'), 0)
    }, InvariantError)
    t.throws(() => {
      file.close()
    }, InvariantError)
  })
}

function bytesSuite(t: Test, make: (t: Test) => Disk): void {
  t.test('a read ends at the end of the file', async t => {
    const file = make(t).open('a', 'create')
    file.write(Buffer.from('hello'), 0)
    const target = Buffer.alloc(10, '.')
    t.equal(file.read(target, 1), 4)
    t.equal(target.toString(), 'ello......')
    t.equal(file.read(target, 5), 0)
    t.equal(file.read(target, 500), 0)
    file.close()
  })

  t.test('readAsync reads as read does', async t => {
    const file = make(t).open('a', 'create')
    file.write(Buffer.from('hello'), 0)
    const target = Buffer.alloc(10, '.')
    t.equal(await file.readAsync(target, 2), 3)
    t.equal(target.toString(), 'llo.......')
    t.equal(await file.readAsync(target, 5), 0)
    file.close()
  })

  t.test('a gap reads as zeros', async t => {
    const file = make(t).open('a', 'create')
    file.write(Buffer.from('x'), 10_000)
    t.equal(file.size(), 10_001)
    t.equal(textOf(file.read.bind(file), 10_001), '\0'.repeat(10_000) + 'x')
    file.close()
  })

  t.test('truncate cuts, and lengthens by zeros', async t => {
    const file = make(t).open('a', 'create')
    file.write(Buffer.from('hello'), 0)
    file.truncate(2)
    t.equal(file.size(), 2)
    file.truncate(4)
    t.equal(textOf(file.read.bind(file), 4), 'he\0\0')
    file.close()
  })

  t.test('a write takes the bytes as they are at the call', async t => {
    const file = make(t).open('a', 'create')
    const source = Buffer.from('hello')
    file.write(source, 0)
    source.fill('x')
    t.equal(textOf(file.read.bind(file), 5), 'hello')
    file.close()
  })

  t.test('two handles of a file see the same bytes', async t => {
    const disk = make(t)
    const writer = disk.open('a', 'create')
    const reader = disk.openRead('a')
    writer.write(Buffer.from('hello'), 0)
    t.equal(textOf(reader.read.bind(reader), 5), 'hello')
    writer.close()
    reader.close()
  })
}

function namesSuite(t: Test, make: (t: Test) => Disk): void {
  t.test('rename moves a file and replaces another', async t => {
    const disk = make(t)
    disk.makeDirectory('d')
    put(disk, 'a', 'new')
    put(disk, 'd/b', 'old')
    disk.rename('a', 'd/b')
    t.notOk(disk.exists('a'))
    t.equal(contentsOf(disk, 'd/b'), 'new')
    t.throws(
      () => {
        disk.rename('a', 'c')
      },
      { code: 'ENOENT' }
    )
  })

  t.test('rename moves a directory with all it holds', async t => {
    const disk = make(t)
    disk.makeDirectory('d/e')
    put(disk, 'd/e/a', 'x')
    disk.rename('d', 'f')
    t.equal(contentsOf(disk, 'f/e/a'), 'x')
    disk.makeDirectory('full/of')
    t.throws(
      () => {
        disk.rename('f', 'full')
      },
      { code: 'ENOTEMPTY' }
    )
    t.throws(
      () => {
        disk.rename('f', 'f/e/g')
      },
      { code: 'EINVAL' }
    )
  })

  t.test('rename to itself changes nothing', async t => {
    const disk = make(t)
    put(disk, 'a', 'x')
    disk.rename('a', 'a')
    t.equal(contentsOf(disk, 'a'), 'x')
  })
}

function removalSuite(t: Test, make: (t: Test) => Disk): void {
  t.test('a removed file can be read through an open handle', async t => {
    const disk = make(t)
    put(disk, 'a', 'hello')
    const file = disk.open('a', 'existing')
    disk.remove('a')
    t.notOk(disk.exists('a'))
    t.equal(textOf(file.read.bind(file), 5), 'hello')
    file.close()
    t.throws(
      () => {
        disk.remove('a')
      },
      { code: 'ENOENT' }
    )
  })

  t.test('a name that comes again names another file', async t => {
    const disk = make(t)
    put(disk, 'a', 'old')
    const file = disk.open('a', 'existing')
    disk.remove('a')
    put(disk, 'a', 'new')
    t.equal(textOf(file.read.bind(file), 3), 'old')
    t.equal(contentsOf(disk, 'a'), 'new')
    file.close()
  })
}

function directorySuite(t: Test, make: (t: Test) => Disk): void {
  t.test('makeDirectory makes the ones above and bears those that are there', async t => {
    const disk = make(t)
    disk.makeDirectory('a/b/c')
    disk.makeDirectory('a/b')
    t.same(disk.list('a'), ['b'])
    t.ok(disk.exists('a/b/c'))
  })

  t.test('list names what is there', async t => {
    const disk = make(t)
    t.same(disk.list('.'), [])
    disk.makeDirectory('d')
    put(disk, 'a', '')
    put(disk, 'b', '')
    t.same(disk.list('.').sort(), ['a', 'b', 'd'])
    t.throws(() => disk.list('no'), { code: 'ENOENT' })
    t.throws(() => disk.list('a'), { code: 'ENOTDIR' })
  })

  t.test('removeDirectory removes an empty one only', async t => {
    const disk = make(t)
    disk.makeDirectory('d')
    put(disk, 'd/a', '')
    t.throws(
      () => {
        disk.removeDirectory('d')
      },
      { code: 'ENOTEMPTY' }
    )
    disk.remove('d/a')
    disk.removeDirectory('d')
    t.notOk(disk.exists('d'))
    t.throws(
      () => {
        disk.removeDirectory('d')
      },
      { code: 'ENOENT' }
    )
  })

  t.test('remove refuses a directory', async t => {
    const disk = make(t)
    disk.makeDirectory('d')
    t.throws(
      () => {
        disk.remove('d')
      },
      { code: 'EISDIR' }
    )
  })
}

function syncSuite(t: Test, make: (t: Test) => Disk): void {
  t.test('every kind of sync leaves things as they are', async t => {
    const disk = make(t)
    disk.makeDirectory('d')
    const file = disk.open('d/a', 'create')
    file.write(Buffer.from('hello'), 0)
    await file.sync()
    file.syncNow()
    await disk.syncDirectory('d')
    await disk.syncDirectory('.')
    await disk.syncAll()
    file.close()
    t.equal(contentsOf(disk, 'd/a'), 'hello')
    await t.rejects(disk.syncDirectory('no'), { code: 'ENOENT' })
    await t.rejects(disk.syncDirectory('d/a'), { code: 'ENOTDIR' })
  })

  t.test('there is space, and less than the disk has', async t => {
    const { freeBytes, totalBytes } = make(t).space()
    t.ok(freeBytes > 0)
    t.ok(freeBytes <= totalBytes)
  })
}

function put(disk: Disk, path: string, text: string): void {
  const file = disk.open(path, 'create')
  file.write(Buffer.from(text), 0)
  file.close()
}

function contentsOf(disk: Disk, path: string): string {
  const file = disk.openRead(path)
  const text = textOf(file.read.bind(file), file.size())
  file.close()
  return text
}

function textOf(read: (target: Uint8Array, position: number) => number, size: number): string {
  const target = Buffer.alloc(size)
  return target.subarray(0, read(target, 0)).toString('latin1')
}
