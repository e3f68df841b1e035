/** rename(2): what it replaces, what it refuses, and what those see who have a file open. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { fails } from '../support/posix-driver.mjs'
import { renameWith } from '../support/posix-syscalls.mjs'

function rename(d, from, to) {
  fs.renameSync(d.path(from), d.path(to))
}

function exchange(d, one, other) {
  renameWith('exchange', d.path(one), d.path(other))
}

export const renameCases = [
  {
    name: 'a rename moves a file between directories and keeps its identity',
    run(d) {
      d.mkdir('a')
      d.mkdir('b')
      d.write('a/f', 'text')
      const { ino } = d.stat('a/f')
      rename(d, 'a/f', 'b/g')
      assert.deepEqual(d.list('a'), [])
      assert.equal(d.stat('b/g').ino, ino)
      assert.equal(d.read('b/g'), 'text')
    }
  },
  {
    name: 'a rename over a file replaces it in one step',
    run(d) {
      d.write('f', 'new')
      d.write('g', 'old')
      fs.linkSync(d.path('g'), d.path('other name'))
      rename(d, 'f', 'g')
      assert.equal(d.read('g'), 'new')
      assert.deepEqual(d.list(), ['g', 'other name'])
      assert.equal(d.read('other name'), 'old')
      assert.equal(d.stat('other name').nlink, 1n)
    }
  },
  {
    name: 'a file that a rename replaced is still read and written by those who have it open',
    run(d) {
      d.write('f', 'new')
      d.write('g', 'old')
      const fd = d.open('g', 'r+')
      rename(d, 'f', 'g')
      const buffer = Buffer.alloc(9)
      assert.equal(buffer.toString('latin1', 0, fs.readSync(fd, buffer)), 'old')
      assert.equal(fs.fstatSync(fd).nlink, 0)
      fs.writeSync(fd, 'more', 3)
      assert.equal(fs.fstatSync(fd).size, 7)
      assert.equal(d.read('g'), 'new')
    }
  },
  {
    name: 'a file that is renamed stays open under its new name',
    run(d) {
      const fd = d.open('f', 'w+')
      rename(d, 'f', 'g')
      fs.writeSync(fd, 'text')
      assert.equal(d.read('g'), 'text')
    }
  },
  {
    name: 'a directory is renamed over an empty one, with all that is in it',
    run(d) {
      d.mkdir('from')
      d.mkdir('from/sub')
      d.write('from/sub/f', 'text')
      d.mkdir('to')
      const { ino } = d.stat('from')
      rename(d, 'from', 'to')
      assert.equal(d.stat('to').ino, ino)
      assert.equal(d.read('to/sub/f'), 'text')
      assert.deepEqual(d.list(), ['to'])
    }
  },
  {
    name: 'a rename over a directory that is not empty is ENOTEMPTY',
    run(d) {
      d.mkdir('from')
      d.mkdir('to')
      d.write('to/f', 'kept')
      assert.throws(
        () => rename(d, 'from', 'to'),
        error => ['ENOTEMPTY', 'EEXIST'].includes(error.code)
      )
      assert.equal(d.read('to/f'), 'kept')
      assert.deepEqual(d.list(), ['from', 'to'])
    }
  },
  {
    name: 'a directory does not go below itself',
    run(d) {
      d.mkdir('a')
      d.mkdir('a/b')
      d.mkdir('a/b/c')
      fails('EINVAL', () => rename(d, 'a', 'a/x'))
      fails('EINVAL', () => rename(d, 'a', 'a/b/c/x'))
      fails('EINVAL', () => rename(d, 'a', 'a/b/c'))
      assert.deepEqual(d.list('a/b'), ['c'])
    }
  },
  {
    name: 'a file does not replace a directory, nor a directory a file',
    run(d) {
      d.write('f', 'text')
      d.mkdir('d')
      fails('EISDIR', () => rename(d, 'f', 'd'))
      fails('ENOTDIR', () => rename(d, 'd', 'f'))
      assert.equal(d.read('f'), 'text')
      assert.ok(d.stat('d').isDirectory())
    }
  },
  {
    name: 'a rename between two names of one file does nothing',
    run(d) {
      d.write('f', 'text')
      fs.linkSync(d.path('f'), d.path('g'))
      rename(d, 'f', 'g')
      rename(d, 'f', 'f')
      assert.deepEqual(d.list(), ['f', 'g'])
      assert.equal(d.stat('f').nlink, 2n)
    }
  },
  {
    name: 'a directory that moves takes its ".." along and the link counts follow',
    run(d) {
      d.mkdir('a')
      d.mkdir('b')
      d.mkdir('a/sub')
      assert.equal(d.stat('a').nlink, 3n)
      rename(d, 'a/sub', 'b/sub')
      assert.equal(d.stat('a').nlink, 2n)
      assert.equal(d.stat('b').nlink, 3n)
      assert.equal(d.stat('b/sub/..').ino, d.stat('b').ino)
    }
  },
  {
    name: 'a process whose working directory moves stays in it',
    async run(d) {
      d.mkdir('a')
      d.mkdir('b')
      const peer = await d.peer()
      await peer.process('chdir', 'a')
      rename(d, 'a', 'b/c')
      await peer.fs('writeFileSync', 'f', 'text')
      assert.equal(d.read('b/c/f'), 'text')
      assert.equal(await peer.process('cwd'), fs.realpathSync(d.path('b/c')))
    }
  },
  {
    name: 'a symbolic link is renamed itself, not what it names',
    run(d) {
      d.write('f', 'text')
      fs.symlinkSync('f', d.path('s'))
      rename(d, 's', 't')
      assert.equal(fs.readlinkSync(d.path('t')), 'f')
      d.write('g', 'other')
      rename(d, 'g', 't')
      assert.equal(d.read('f'), 'text')
      assert.equal(d.read('t'), 'other')
    }
  },
  {
    name: 'a rename that must not replace moves to a free name and refuses a taken one',
    run(d) {
      d.write('f', 'text')
      d.write('g', 'other')
      fails('EEXIST', () => renameWith('noreplace', d.path('f'), d.path('g')))
      fails('EEXIST', () => renameWith('noreplace', d.path('f'), d.path('f')))
      renameWith('noreplace', d.path('f'), d.path('h'))
      assert.deepEqual(d.list(), ['g', 'h'])
      assert.equal(d.read('g'), 'other')
      assert.equal(d.read('h'), 'text')
    }
  },
  {
    name: 'two files are exchanged, with all that is theirs',
    run(d) {
      d.write('f', 'text')
      d.mkdir('sub')
      d.write('sub/g', 'other')
      fs.chmodSync(d.path('sub/g'), 0o600)
      const [f, g] = [d.stat('f'), d.stat('sub/g')]
      const fd = d.open('f', 'r')
      exchange(d, 'f', 'sub/g')
      assert.equal(d.stat('f').ino, g.ino)
      assert.equal(d.stat('f').mode, g.mode)
      assert.equal(d.stat('sub/g').ino, f.ino)
      assert.equal(d.read('f'), 'other')
      assert.equal(d.read('sub/g'), 'text')
      assert.equal(fs.readFileSync(fd, 'latin1'), 'text')
      assert.deepEqual([d.list(), d.list('sub')], [['f', 'sub'], ['g']])
    }
  },
  {
    name: 'an exchange changes the ctime of both files and the times of both directories',
    run(d) {
      d.mkdir('a')
      d.mkdir('b')
      d.write('a/f')
      d.write('b/g')
      const before = ['a', 'b', 'a/f', 'b/g'].map(name => d.stat(name).ctimeNs)
      const { mtimeNs } = d.stat('a/f')
      d.passTime(before.reduce((a, b) => (a > b ? a : b)))
      exchange(d, 'a/f', 'b/g')
      for (const name of ['a', 'b', 'a/f', 'b/g']) {
        assert.ok(d.stat(name).ctimeNs > before[0], name)
      }
      assert.ok(d.stat('a').mtimeNs > before[0])
      assert.ok(d.stat('b').mtimeNs > before[0])
      assert.equal(d.stat('b/g').mtimeNs, mtimeNs)
    }
  },
  {
    name: 'a directory is exchanged with a file in another, and ".." and link counts follow',
    run(d) {
      d.mkdir('a')
      d.mkdir('b')
      d.mkdir('a/sub')
      d.write('a/sub/f', 'text')
      d.write('b/g', 'other')
      exchange(d, 'a/sub', 'b/g')
      assert.equal(d.read('a/sub'), 'other')
      assert.equal(d.read('b/g/f'), 'text')
      assert.equal(d.stat('a').nlink, 2n)
      assert.equal(d.stat('b').nlink, 3n)
      assert.equal(d.stat('b/g/..').ino, d.stat('b').ino)
      exchange(d, 'a', 'b')
      assert.equal(d.read('a/g/f'), 'text')
      assert.equal(d.stat('a/g/..').ino, d.stat('a').ino)
    }
  },
  {
    name: 'what can be exchanged is two names that exist, none below the other',
    run(d) {
      d.write('f', 'text')
      d.mkdir('a')
      d.mkdir('a/b')
      fails('ENOENT', () => exchange(d, 'f', 'none'))
      fails('ENOENT', () => exchange(d, 'none', 'f'))
      fails('EINVAL', () => exchange(d, 'a', 'a/b'))
      fails('EINVAL', () => exchange(d, 'a/b', 'a'))
      exchange(d, 'f', 'f')
      assert.deepEqual([d.list(), d.list('a')], [['a', 'f'], ['b']])
    }
  }
]
