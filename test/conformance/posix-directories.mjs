/** Directories: making, removing, and reading them while they change. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { fails, rejects } from '../support/posix-driver.mjs'
import * as sys from '../support/posix-syscalls.mjs'

const MANY = 5000

function fill(d, count) {
  const names = Array.from({ length: count }, (_, n) => `entry.${n}.with-a-longer-name`)
  for (const name of names) d.write(name)
  return names
}

function isEntry(name) {
  return name !== '.' && name !== '..'
}

/** Reads the directory to its end and calls `visit` for each name but "." and "..". */
function walk(d, visit) {
  const directory = sys.openDirectory(d.dir)
  let name
  while ((name = sys.readDirectory(directory)) !== undefined) if (isEntry(name)) visit(name)
  sys.closeDirectory(directory)
}

function restOf(directory) {
  const names = []
  let name
  while ((name = sys.readDirectory(directory)) !== undefined) names.push(name)
  return names
}

export const directoryCases = [
  {
    name: 'a new directory holds "." and "..", and its parent gains a link',
    run(d) {
      const before = d.stat('.').nlink
      d.mkdir('d', 0o750)
      assert.equal(d.stat('d').mode & 0o7777n, 0o750n)
      assert.equal(d.stat('d').nlink, 2n)
      assert.equal(d.stat('.').nlink, before + 1n)
      assert.equal(d.stat('d/.').ino, d.stat('d').ino)
      assert.equal(d.stat('d/..').ino, d.stat('.').ino)
      const directory = sys.openDirectory(d.path('d'))
      assert.deepEqual(restOf(directory).sort(), ['.', '..'])
      sys.closeDirectory(directory)
      fails('EEXIST', () => fs.mkdirSync(d.path('d')))
      fs.rmdirSync(d.path('d'))
      assert.equal(d.stat('.').nlink, before)
    }
  },
  {
    name: 'a directory with entries is not removed',
    run(d) {
      d.mkdir('d')
      d.write('d/f')
      assert.throws(
        () => fs.rmdirSync(d.path('d')),
        error => ['ENOTEMPTY', 'EEXIST'].includes(error.code)
      )
      fs.unlinkSync(d.path('d/f'))
      fs.rmdirSync(d.path('d'))
      assert.deepEqual(d.list(), [])
    }
  },
  {
    name: 'a working directory can be removed; its process sees it, and makes nothing in it',
    async run(d) {
      d.mkdir('d')
      const peer = await d.peer()
      await peer.process('chdir', 'd')
      fs.rmdirSync(d.path('d'))
      assert.ok(await peer.fs('statSync', '.'))
      assert.deepEqual(await peer.fs('readdirSync', '.'), [])
      await rejects('ENOENT', peer.fs('writeFileSync', 'f', ''))
      await rejects('ENOENT', peer.fs('mkdirSync', 'e'))
      await rejects('ENOENT', peer.process('cwd'))
    }
  },
  {
    name: 'readdir says of each entry what it is',
    run(d) {
      d.write('f')
      d.mkdir('d')
      fs.symlinkSync('f', d.path('s'))
      const kinds = fs.readdirSync(d.dir, { withFileTypes: true }).map(entry => {
        return [entry.name, entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()]
      })
      assert.deepEqual(kinds.sort(), [
        ['d', false, true, false],
        ['f', true, false, false],
        ['s', false, false, true]
      ])
    }
  },
  {
    name: 'a directory of 5 000 files is emptied while it is read, each seen once',
    run(d) {
      const names = new Set(fill(d, MANY))
      walk(d, name => {
        assert.ok(names.delete(name), `${name} came twice`)
        fs.unlinkSync(d.path(name))
      })
      assert.equal(names.size, 0, `${[...names].slice(0, 3)} did not come`)
      assert.deepEqual(d.list(), [])
    }
  },
  {
    name: 'files that stay are each seen once while all around them are deleted',
    run(d) {
      const names = fill(d, MANY)
      const isKept = name => Number(name.split('.')[1]) % 3 === 0
      const doomed = names.filter(name => !isKept(name))
      const seen = new Map()
      walk(d, name => {
        seen.set(name, (seen.get(name) ?? 0) + 1)
        const victim = doomed.pop()
        if (victim !== undefined) fs.unlinkSync(d.path(victim))
      })
      assert.equal(Math.max(...seen.values()), 1, 'a name came twice')
      const missed = names.filter(name => isKept(name) && !seen.has(name))
      assert.deepEqual(missed, [])
    }
  },
  {
    name: 'files that were there are each seen once while others are made and renamed',
    run(d) {
      const names = fill(d, 1000)
      const seen = new Map()
      let count = 0
      walk(d, name => {
        seen.set(name, (seen.get(name) ?? 0) + 1)
        if (count++ >= 500) return
        d.write(`new ${count}`)
        fs.renameSync(d.path(`new ${count}`), d.path(`newer ${count}`))
      })
      assert.deepEqual(
        names.filter(name => seen.get(name) !== 1),
        []
      )
    }
  },
  {
    name: 'seekdir goes back to where telldir was, also after deletions',
    run(d) {
      fill(d, 1000)
      const directory = sys.openDirectory(d.dir)
      for (let n = 0; n < 400; n++) sys.readDirectory(directory)
      const place = sys.tellDirectory(directory)
      const rest = restOf(directory)
      assert.equal(rest.length, 602)
      sys.seekDirectory(directory, place)
      assert.deepEqual(restOf(directory), rest)
      const gone = new Set(rest.filter((name, n) => isEntry(name) && n % 2 === 0))
      for (const name of gone) fs.unlinkSync(d.path(name))
      sys.seekDirectory(directory, place)
      // Whether what went since opendir is still shown, POSIX leaves open; what stayed is.
      assert.deepEqual(
        restOf(directory).filter(name => !gone.has(name)),
        rest.filter(name => !gone.has(name))
      )
      sys.closeDirectory(directory)
    }
  },
  {
    name: 'rewinddir shows what was made since the directory was opened',
    run(d) {
      d.write('first')
      const directory = sys.openDirectory(d.dir)
      restOf(directory)
      d.write('second')
      sys.rewindDirectory(directory)
      assert.deepEqual(restOf(directory).sort(), ['.', '..', 'first', 'second'])
      sys.closeDirectory(directory)
    }
  },
  {
    name: 'a listing shows what another process has just changed',
    async run(d) {
      d.write('kept')
      const peer = await d.peer()
      for (let n = 0; n < 20; n++) {
        await peer.fs('writeFileSync', `f${n}`, '')
        assert.equal(d.list().length, 2)
        await peer.fs('renameSync', `f${n}`, 'kept')
        assert.deepEqual(d.list(), ['kept'])
        await peer.fs('writeFileSync', `f${n}`, '')
        await peer.fs('unlinkSync', 'kept')
        await peer.fs('renameSync', `f${n}`, 'kept')
      }
    }
  },
  {
    name: 'a path of 64 directories is made, walked and removed',
    run(d) {
      const deep = 'd/'.repeat(64)
      fs.mkdirSync(d.path(deep), { recursive: true })
      d.write(`${deep}f`, 'text')
      assert.equal(d.read(`${deep}f`), 'text')
      fs.rmSync(d.path('d'), { recursive: true })
      assert.deepEqual(d.list(), [])
    }
  },
  {
    name: 'directories and files are synced, and statfs is plausible',
    run(d) {
      const fd = d.open('f', 'w')
      fs.writeSync(fd, 'text')
      fs.fsyncSync(fd)
      fs.fdatasyncSync(fd)
      fs.fsyncSync(d.open('.', 'r'))
      const { bsize, blocks, bfree, bavail, files, ffree } = fs.statfsSync(d.dir)
      assert.ok(bsize >= 512 && blocks > 0 && files > 0)
      assert.ok(bfree <= blocks && bavail <= bfree && ffree <= files)
    }
  }
]
