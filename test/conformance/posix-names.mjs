/** Creating, opening, linking and removing names. */

import assert from 'node:assert/strict'
import fs, { constants as flags } from 'node:fs'
import { fails } from '../support/posix-driver.mjs'

export const nameCases = [
  {
    name: 'a created file is there, empty, with its mode and one link',
    run(d) {
      d.close(d.open('f', 'wx', 0o640))
      const stat = d.stat('f')
      assert.ok(stat.isFile())
      assert.equal(stat.size, 0n)
      assert.equal(stat.mode & 0o7777n, 0o640n)
      assert.equal(stat.nlink, 1n)
      assert.deepEqual(d.list(), ['f'])
    }
  },
  {
    name: 'O_EXCL refuses a name that exists, whatever it names',
    run(d) {
      d.write('f', 'old')
      d.mkdir('d')
      fs.symlinkSync('nowhere', d.path('s'))
      for (const name of ['f', 'd', 's']) fails('EEXIST', () => d.open(name, 'wx'))
      assert.equal(d.read('f'), 'old')
      assert.deepEqual(d.list(), ['d', 'f', 's'])
    }
  },
  {
    name: 'O_CREAT without O_EXCL opens what exists and keeps its mode',
    run(d) {
      d.write('f', 'old')
      fs.chmodSync(d.path('f'), 0o600)
      d.close(d.open('f', flags.O_CREAT | flags.O_RDWR, 0o644))
      assert.equal(d.read('f'), 'old')
      assert.equal(d.stat('f').mode & 0o7777n, 0o600n)
    }
  },
  {
    name: 'O_TRUNC empties the file for those who have it open as well',
    run(d) {
      d.write('f', 'old content')
      const fd = d.open('f', 'r')
      d.close(d.open('f', flags.O_WRONLY | flags.O_TRUNC))
      assert.equal(fs.fstatSync(fd).size, 0)
      assert.equal(fs.readSync(fd, Buffer.alloc(9)), 0)
    }
  },
  {
    name: 'a missing name is ENOENT to every call',
    run(d) {
      const missing = d.path('missing')
      fails('ENOENT', () => fs.openSync(missing, 'r'))
      fails('ENOENT', () => fs.statSync(missing))
      fails('ENOENT', () => fs.unlinkSync(missing))
      fails('ENOENT', () => fs.rmdirSync(missing))
      fails('ENOENT', () => fs.readdirSync(missing))
      fails('ENOENT', () => fs.readlinkSync(missing))
      fails('ENOENT', () => fs.linkSync(missing, d.path('x')))
      fails('ENOENT', () => fs.renameSync(missing, d.path('x')))
      fails('ENOENT', () => fs.openSync(`${missing}/f`, 'w'))
      fails('ENOENT', () => fs.mkdirSync(`${missing}/d`))
    }
  },
  {
    name: 'a name that was missing is found once another process has made it',
    async run(d) {
      const peer = await d.peer()
      fails('ENOENT', () => d.stat('f'))
      await peer.fs('writeFileSync', 'f', 'new')
      assert.equal(d.read('f'), 'new')
      await peer.fs('unlinkSync', 'f')
      fails('ENOENT', () => d.stat('f'))
    }
  },
  {
    name: 'a directory is not opened for writing, and a file is not walked through',
    run(d) {
      d.mkdir('d')
      d.write('f')
      fails('EISDIR', () => d.open('d', 'r+'))
      fails('EISDIR', () => fs.readSync(d.open('d', 'r'), Buffer.alloc(1)))
      fails('ENOTDIR', () => d.open('f/x', 'r'))
      fails('ENOTDIR', () => d.open('f', flags.O_RDONLY | flags.O_DIRECTORY))
      fails('ENOTDIR', () => fs.readdirSync(d.path('f')))
      fails('ENOTDIR', () => fs.rmdirSync(d.path('f')))
      assert.ok(['EISDIR', 'EPERM'].includes(codeOf(() => fs.unlinkSync(d.path('d')))))
    }
  },
  {
    name: 'a link across directories is the same file under a second name',
    run(d) {
      d.mkdir('a')
      d.mkdir('b')
      d.write('a/f', 'text')
      fs.linkSync(d.path('a/f'), d.path('b/g'))
      assert.equal(d.stat('a/f').ino, d.stat('b/g').ino)
      assert.equal(d.stat('a/f').nlink, 2n)
      fs.appendFileSync(d.path('b/g'), ' more')
      assert.equal(d.read('a/f'), 'text more')
      fs.unlinkSync(d.path('a/f'))
      assert.equal(d.read('b/g'), 'text more')
      assert.equal(d.stat('b/g').nlink, 1n)
    }
  },
  {
    name: 'a link takes no name that exists and makes no second name of a directory',
    run(d) {
      d.write('f')
      d.write('g', 'kept')
      d.mkdir('d')
      fails('EEXIST', () => fs.linkSync(d.path('f'), d.path('g')))
      fails('EEXIST', () => fs.linkSync(d.path('f'), d.path('d')))
      fails('EPERM', () => fs.linkSync(d.path('d'), d.path('e')))
      assert.equal(d.read('g'), 'kept')
      assert.equal(d.stat('f').nlink, 1n)
    }
  },
  {
    name: 'a file can have 200 names, and lives until the last is gone',
    run(d) {
      d.write('f', 'text')
      const names = Array.from({ length: 199 }, (_, n) => `link ${n}`)
      for (const name of names) fs.linkSync(d.path('f'), d.path(name))
      assert.equal(d.stat('f').nlink, 200n)
      assert.equal(d.stat('link 198').ino, d.stat('f').ino)
      fs.unlinkSync(d.path('f'))
      for (const name of names.slice(1)) fs.unlinkSync(d.path(name))
      assert.equal(d.stat('link 0').nlink, 1n)
      assert.equal(d.read('link 0'), 'text')
    }
  },
  {
    name: 'a symbolic link keeps its text and is followed by all but lstat and readlink',
    run(d) {
      d.write('f', 'text')
      fs.symlinkSync('f', d.path('s'))
      fs.symlinkSync('no/such/place', d.path('dangling'))
      assert.equal(fs.readlinkSync(d.path('s')), 'f')
      assert.equal(d.read('s'), 'text')
      assert.equal(d.stat('s').ino, d.stat('f').ino)
      assert.ok(d.stat('s', false).isSymbolicLink())
      assert.equal(d.stat('s', false).size, 1n)
      assert.equal(fs.readlinkSync(d.path('dangling')), 'no/such/place')
      fails('ENOENT', () => d.stat('dangling'))
      fails('EINVAL', () => fs.readlinkSync(d.path('f')))
      fails('EEXIST', () => fs.symlinkSync('f', d.path('s')))
      fs.unlinkSync(d.path('s'))
      assert.equal(d.read('f'), 'text')
    }
  },
  {
    name: 'a circle of symbolic links is ELOOP, and so is O_NOFOLLOW on a link',
    run(d) {
      fs.symlinkSync('b', d.path('a'))
      fs.symlinkSync('a', d.path('b'))
      d.write('f')
      fs.symlinkSync('f', d.path('s'))
      fails('ELOOP', () => d.stat('a'))
      fails('ELOOP', () => d.open('b', 'r'))
      fails('ELOOP', () => d.open('s', flags.O_RDONLY | flags.O_NOFOLLOW))
    }
  },
  {
    name: 'the text of a symbolic link may have 4 095 bytes',
    run(d) {
      const target = 'x'.repeat(4095)
      fs.symlinkSync(target, d.path('s'))
      assert.equal(fs.readlinkSync(d.path('s')), target)
      assert.equal(d.stat('s', false).size, 4095n)
    }
  },
  {
    name: 'an unlinked file that is open is read and written as before, with no links',
    run(d) {
      d.write('f', 'text')
      const fd = d.open('f', 'r+')
      fs.unlinkSync(d.path('f'))
      assert.deepEqual(d.list(), [])
      assert.equal(fs.fstatSync(fd).nlink, 0)
      fs.writeSync(fd, 'more', 4)
      const buffer = Buffer.alloc(20)
      assert.equal(buffer.toString('latin1', 0, fs.readSync(fd, buffer, 0, 20, 0)), 'textmore')
      fs.ftruncateSync(fd, 2)
      assert.equal(fs.fstatSync(fd).size, 2)
      fs.fchmodSync(fd, 0o600)
      fs.fsyncSync(fd)
      d.write('f', 'another')
      assert.equal(fs.readSync(fd, buffer, 0, 20, 0), 2)
    }
  },
  {
    name: 'a name that is made anew while the old file is open is another file',
    run(d) {
      d.write('f', 'old')
      const fd = d.open('f', 'r')
      fs.unlinkSync(d.path('f'))
      d.write('f', 'new')
      assert.notEqual(fs.fstatSync(fd, { bigint: true }).ino, d.stat('f').ino)
      const buffer = Buffer.alloc(3)
      fs.readSync(fd, buffer)
      assert.equal(buffer.toString(), 'old')
    }
  },
  {
    name: 'a name has up to 255 bytes, and 256 are ENAMETOOLONG to every call',
    run(d) {
      const long = 'n'.repeat(255)
      d.write(long, 'text')
      assert.equal(d.read(long), 'text')
      assert.deepEqual(d.list(), [long])
      const tooLong = d.path(`${long}n`)
      d.write('f')
      fails('ENAMETOOLONG', () => fs.openSync(tooLong, 'w'))
      fails('ENAMETOOLONG', () => fs.statSync(tooLong))
      fails('ENAMETOOLONG', () => fs.mkdirSync(tooLong))
      fails('ENAMETOOLONG', () => fs.symlinkSync('f', tooLong))
      fails('ENAMETOOLONG', () => fs.linkSync(d.path('f'), tooLong))
      fails('ENAMETOOLONG', () => fs.renameSync(d.path('f'), tooLong))
    }
  },
  {
    name: 'a name may hold every byte but NUL and the slash',
    run(d) {
      const isAllowed = byte => byte !== 0 && byte !== 0x2f
      const bytes = Array.from({ length: 256 }, (_, n) => n).filter(isAllowed)
      const names = [bytes.slice(0, 127), bytes.slice(127), [0x66, 0xff, 0xc3], [0xc3, 0xa9]]
      for (const name of names) fs.writeFileSync(d.bytePath(Buffer.from(name)), 'text')
      const listed = fs.readdirSync(d.dir, { encoding: 'buffer' }).map(name => name.toString('hex'))
      const expected = names.map(name => Buffer.from(name).toString('hex'))
      assert.deepEqual(listed.sort(), expected.sort())
      for (const name of names) {
        const path = d.bytePath(Buffer.from(name))
        assert.equal(fs.readFileSync(path, 'latin1'), 'text')
        fs.renameSync(path, d.path('plain'))
        fs.unlinkSync(d.path('plain'))
      }
      assert.deepEqual(d.list(), [])
    }
  },
  {
    name: 'names that differ in case or in the form of a letter are different names',
    run(d) {
      const names = ['A', 'a', '\u00e9', 'e\u0301']
      for (const name of names) d.write(name, name)
      for (const name of names) assert.equal(fs.readFileSync(d.path(name), 'utf8'), name)
      assert.equal(d.list().length, 4)
    }
  }
]

function codeOf(task) {
  try {
    task()
    return undefined
  } catch (error) {
    return error.code
  }
}
