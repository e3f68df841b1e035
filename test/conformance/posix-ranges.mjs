/** Ranges of files: allocated, emptied, sought and copied; and files without a name. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { fails } from '../support/posix-driver.mjs'
import { copyRange, fallocate, linkOpenFile, seek } from '../support/posix-syscalls.mjs'

const { O_RDWR, O_WRONLY, O_EXCL } = fs.constants
const O_TMPFILE = 0o20200000
/** Holes are as coarse as this on any filesystem, and on most finer. */
const MIB = 2 ** 20
/** Of a name that Roost keeps in its history, and of one that it does not. */
const NAMES = ['x.lock', 'u.1']

function bytesOf(d, name) {
  return fs.readFileSync(d.path(name))
}

function filled(length, byte = 0x61) {
  return Buffer.alloc(length, byte)
}

export const rangeCases = [
  {
    name: 'fallocate makes a file longer with zeros, and leaves what is there',
    run(d) {
      for (const name of NAMES) {
        d.write(name, 'text')
        const fd = d.open(name, 'r+')
        fallocate(fd, [], 2, 100_000)
        assert.equal(d.stat(name).size, 100_002n)
        const bytes = bytesOf(d, name)
        assert.equal(bytes.toString('latin1', 0, 5), 'text\0')
        assert.ok(bytes.subarray(4).every(byte => byte === 0))
        fallocate(fd, [], 0, 10)
        assert.equal(d.stat(name).size, 100_002n)
        fs.writeSync(fd, 'end', 99_999)
        assert.equal(bytesOf(d, name).toString('latin1', 99_998), '\0end')
      }
    }
  },
  {
    name: 'fallocate can keep the size, and refuses what makes no sense',
    run(d) {
      for (const name of NAMES) {
        d.write(name, 'text')
        const fd = d.open(name, 'r+')
        fallocate(fd, ['keepSize'], 0, 300_000)
        assert.equal(d.read(name), 'text')
        fails('EINVAL', () => fallocate(fd, [], 0, 0))
        fails('EINVAL', () => fallocate(fd, [], -1, 10))
        fails('EBADF', () => fallocate(d.open(name, 'r'), [], 0, 10))
        fails('EFBIG', () => fallocate(fd, [], 2 ** 62, 10))
        assert.equal(d.read(name), 'text')
      }
    }
  },
  {
    name: 'a punched hole reads as zeros, and all around it stays',
    run(d) {
      for (const name of NAMES) {
        fs.writeFileSync(d.path(name), filled(200_000))
        const fd = d.open(name, 'r+')
        fallocate(fd, ['punchHole', 'keepSize'], 5000, 100_000)
        const expected = filled(200_000).fill(0, 5000, 105_000)
        assert.ok(bytesOf(d, name).equals(expected))
        fallocate(fd, ['punchHole', 'keepSize'], 190_000, 50_000)
        assert.ok(bytesOf(d, name).equals(expected.fill(0, 190_000)))
        fallocate(fd, ['punchHole', 'keepSize'], 500_000, 50_000)
        fs.writeSync(fd, filled(10, 0x62), 0, 10, 6000)
        fs.fsyncSync(fd)
        assert.ok(bytesOf(d, name).equals(expected.fill(0x62, 6000, 6010)))
        assert.equal(d.stat(name).size, 200_000n)
      }
    }
  },
  {
    name: 'a range that is zeroed reads as zeros, and can make the file longer',
    run(d) {
      for (const name of NAMES) {
        fs.writeFileSync(d.path(name), filled(10_000))
        const fd = d.open(name, 'r+')
        fallocate(fd, ['zeroRange', 'keepSize'], 100, 1000)
        fallocate(fd, ['zeroRange', 'keepSize'], 9000, 9000)
        const expected = filled(10_000).fill(0, 100, 1100).fill(0, 9000)
        assert.ok(bytesOf(d, name).equals(expected))
        fallocate(fd, ['zeroRange'], 8000, 92_000)
        const longer = Buffer.concat([expected.fill(0, 8000), Buffer.alloc(90_000)])
        assert.ok(bytesOf(d, name).equals(longer))
      }
    }
  },
  {
    name: 'a hole shows through a mapping and to other descriptors at once',
    run(d) {
      fs.writeFileSync(d.path('u.1'), filled(8 * MIB))
      const reader = d.open('u.1', 'r')
      const bytes = Buffer.alloc(8 * MIB)
      assert.equal(fs.readSync(reader, bytes, 0, bytes.length, 0), bytes.length)
      fallocate(d.open('u.1', 'r+'), ['punchHole', 'keepSize'], MIB + 1, 5 * MIB)
      fs.readSync(reader, bytes, 0, bytes.length, 0)
      assert.ok(bytes.equals(filled(8 * MIB).fill(0, MIB + 1, 6 * MIB + 1)))
    }
  },
  {
    name: 'data and holes of a sparse file are found',
    run(d) {
      const fd = d.open('u.1', 'w+')
      fs.writeSync(fd, filled(MIB), 0, MIB, 0)
      fs.writeSync(fd, filled(MIB), 0, MIB, 4 * MIB)
      fs.ftruncateSync(fd, 8 * MIB)
      assert.equal(seek(fd, 0, 'data'), 0)
      assert.equal(seek(fd, 0, 'hole'), MIB)
      assert.equal(seek(fd, MIB, 'data'), 4 * MIB)
      assert.equal(seek(fd, 2 * MIB, 'hole'), 2 * MIB)
      assert.equal(seek(fd, 4 * MIB + 5, 'data'), 4 * MIB + 5)
      assert.equal(seek(fd, 4 * MIB, 'hole'), 5 * MIB)
      fails('ENXIO', () => seek(fd, 5 * MIB, 'data'))
      assert.equal(seek(fd, 8 * MIB - 1, 'hole'), 8 * MIB - 1)
      fails('ENXIO', () => seek(fd, 8 * MIB, 'hole'))
      fails('ENXIO', () => seek(fd, 8 * MIB, 'data'))
      fallocate(fd, ['punchHole', 'keepSize'], 0, MIB)
      assert.equal(seek(fd, 0, 'data'), 4 * MIB)
    }
  },
  {
    name: 'a file without holes has one at its end, and an empty one has neither',
    run(d) {
      for (const name of NAMES) {
        const fd = d.open(name, 'w+')
        fails('ENXIO', () => seek(fd, 0, 'data'))
        fails('ENXIO', () => seek(fd, 0, 'hole'))
        fs.writeSync(fd, filled(5000))
        assert.equal(seek(fd, 100, 'data'), 100)
        assert.equal(seek(fd, 100, 'hole'), 5000)
      }
    }
  },
  {
    name: 'a range is copied between files and within one, as far as there is something',
    run(d) {
      const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 251))
      for (const [from, to] of [NAMES, [...NAMES].reverse()]) {
        fs.writeFileSync(d.path(from), bytes)
        fs.writeFileSync(d.path(to), filled(10))
        const [source, target] = [d.open(from, 'r'), d.open(to, 'r+')]
        assert.equal(copyRange(source, 50_000, target, 5, 90_000), 50_000)
        const copied = Buffer.concat([filled(5), bytes.subarray(50_000)])
        assert.ok(bytesOf(d, to).equals(copied))
        assert.equal(copyRange(source, 100_000, target, 0, 10), 0)
        assert.equal(copyRange(target, 5, d.open(to, 'r+'), 60_000, 100), 100)
        assert.ok(bytesOf(d, to).subarray(60_000).equals(bytes.subarray(50_000, 50_100)))
        fails('EINVAL', () => copyRange(target, 0, target, 5, 100))
        fails('EBADF', () => copyRange(target, 0, source, 0, 100))
      }
    }
  },
  {
    name: 'a file without a name is read and written, and is gone with its descriptor',
    run(d) {
      const fd = fs.openSync(d.dir, O_TMPFILE | O_RDWR, 0o640)
      assert.equal(fs.fstatSync(fd).nlink, 0)
      assert.equal(fs.fstatSync(fd).mode & 0o7777, 0o640)
      fs.writeSync(fd, filled(100_000))
      const bytes = Buffer.alloc(100_000)
      assert.equal(fs.readSync(fd, bytes, 0, bytes.length, 0), 100_000)
      assert.ok(bytes.equals(filled(100_000)))
      fs.fsyncSync(fd)
      assert.deepEqual(d.list(), [])
      fs.closeSync(fd)
    }
  },
  {
    name: 'a file without a name can be given one, and then others',
    run(d) {
      const fd = fs.openSync(d.dir, O_TMPFILE | O_RDWR, 0o600)
      fs.writeSync(fd, 'text')
      linkOpenFile(fd, d.path('f'))
      assert.equal(d.read('f'), 'text')
      assert.equal(d.stat('f').nlink, 1n)
      linkOpenFile(fd, d.path('g'))
      fails('EEXIST', () => linkOpenFile(fd, d.path('g')))
      fs.unlinkSync(d.path('f'))
      fs.unlinkSync(d.path('g'))
      fails('ENOENT', () => linkOpenFile(fd, d.path('f')))
      fs.closeSync(fd)
      assert.deepEqual(d.list(), [])
    }
  },
  {
    name: 'with O_EXCL a file without a name stays without, and one is made in directories only',
    run(d) {
      const fd = fs.openSync(d.dir, O_TMPFILE | O_RDWR | O_EXCL, 0o600)
      fails('ENOENT', () => linkOpenFile(fd, d.path('f')))
      fs.closeSync(fd)
      d.write('f')
      fails('ENOTDIR', () => fs.openSync(d.path('f'), O_TMPFILE | O_WRONLY, 0o600))
      fails('ENOENT', () => fs.openSync(d.path('none'), O_TMPFILE | O_WRONLY, 0o600))
    }
  },
  {
    name: 'a file without a name takes the group of a setgid directory',
    run(d) {
      d.mkdir('sub')
      fs.chownSync(d.path('sub'), 0, 4242)
      fs.chmodSync(d.path('sub'), 0o2755)
      const fd = fs.openSync(d.path('sub'), O_TMPFILE | O_RDWR, 0o600)
      assert.equal(fs.fstatSync(fd).gid, 4242)
      fs.closeSync(fd)
    }
  }
]
