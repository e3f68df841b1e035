/** What a user without privileges may not do; the driver itself is root. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { rejects } from '../support/posix-driver.mjs'

const STRANGER = 65533
const OTHER = 65532

export const permissionCases = [
  {
    name: 'below a directory with mode 0700 another user reaches nothing',
    async run(d) {
      d.mkdir('d', 0o700)
      d.write('d/f', 'secret')
      fs.chmodSync(d.path('d/f'), 0o666)
      const peer = await d.peer({ uid: STRANGER })
      await rejects('EACCES', peer.fs('statSync', 'd/f'))
      await rejects('EACCES', peer.fs('openSync', 'd/f', 'r'))
      await rejects('EACCES', peer.fs('readdirSync', 'd'))
      await rejects('EACCES', peer.fs('writeFileSync', 'd/g', ''))
      await rejects('EACCES', peer.fs('unlinkSync', 'd/f'))
      await rejects('EACCES', peer.fs('linkSync', 'd/f', 'g'))
      assert.ok(await peer.fs('statSync', 'd'))
      assert.deepEqual(d.list('d'), ['f'])
    }
  },
  {
    name: 'a mode is obeyed as soon as it is set',
    async run(d) {
      d.write('f', 'text')
      const peer = await d.peer({ uid: STRANGER })
      for (let n = 0; n < 10; n++) {
        fs.chmodSync(d.path('f'), 0o644)
        assert.equal(await peer.fs('readFileSync', 'f', 'latin1'), 'text')
        await rejects('EACCES', peer.fs('openSync', 'f', 'r+'))
        fs.chmodSync(d.path('f'), 0o600)
        await rejects('EACCES', peer.fs('openSync', 'f', 'r'))
      }
    }
  },
  {
    name: 'an open file is read on after its mode forbids it',
    async run(d) {
      d.write('f', 'text')
      const peer = await d.peer({ uid: STRANGER })
      const fd = await peer.fs('openSync', 'f', 'r')
      fs.chmodSync(d.path('f'), 0)
      assert.equal(await peer.fs('readFileSync', fd, 'latin1'), 'text')
    }
  },
  {
    name: 'mode, owner and times of a file are its owner’s to change',
    async run(d) {
      d.write('f')
      d.write('own')
      fs.chownSync(d.path('own'), STRANGER, STRANGER)
      const peer = await d.peer({ uid: STRANGER })
      await rejects('EPERM', peer.fs('chmodSync', 'f', 0o666))
      await rejects('EPERM', peer.fs('chownSync', 'f', STRANGER, STRANGER))
      await rejects('EPERM', peer.sys('setTimes', 'f', [1, 1], [1, 1]))
      await peer.fs('chmodSync', 'own', 0o600)
      await peer.sys('setTimes', 'own', [1, 1], [1, 1])
      await rejects('EPERM', peer.fs('chownSync', 'own', OTHER, STRANGER))
      await rejects('EPERM', peer.fs('chownSync', 'own', STRANGER, OTHER))
    }
  },
  {
    name: 'names are made and removed only by those who may write the directory',
    async run(d) {
      d.write('f')
      fs.chmodSync(d.path('f'), 0o666)
      d.mkdir('sub', 0o777)
      fs.chmodSync(d.path('sub'), 0o777)
      const peer = await d.peer({ uid: STRANGER })
      await rejects('EACCES', peer.fs('unlinkSync', 'f'))
      await rejects('EACCES', peer.fs('renameSync', 'f', 'sub/f'))
      await rejects('EACCES', peer.fs('mkdirSync', 'd'))
      await rejects('EACCES', peer.fs('symlinkSync', 'f', 's'))
      await peer.fs('writeFileSync', 'sub/own', '')
      assert.equal(d.stat('sub/own').uid, BigInt(STRANGER))
      assert.equal(d.stat('sub/own').gid, BigInt(STRANGER))
    }
  },
  {
    name: 'in a sticky directory nobody removes or renames the file of another',
    async run(d) {
      fs.chmodSync(d.dir, 0o1777)
      d.write('f')
      const peer = await d.peer({ uid: STRANGER })
      await peer.fs('writeFileSync', 'own', '')
      await rejects('EPERM', peer.fs('unlinkSync', 'f'))
      await rejects('EPERM', peer.fs('renameSync', 'f', 'g'))
      await rejects('EPERM', peer.fs('renameSync', 'own', 'f'))
      await peer.fs('renameSync', 'own', 'mine')
      await peer.fs('unlinkSync', 'mine')
      assert.deepEqual(d.list(), ['f'])
    }
  },
  {
    name: 'a write by another user takes the setuid bit',
    async run(d) {
      d.write('f', 'text')
      fs.chmodSync(d.path('f'), 0o4777)
      const peer = await d.peer({ uid: STRANGER })
      await peer.fs('appendFileSync', 'f', 'more')
      assert.equal(d.stat('f').mode & 0o7777n, 0o777n)
    }
  },
  {
    name: 'a truncation by another user takes the setuid bit, and root’s takes none',
    async run(d) {
      d.write('f', 'text')
      d.write('g', 'text')
      fs.chmodSync(d.path('f'), 0o6777)
      fs.chmodSync(d.path('g'), 0o6777)
      const peer = await d.peer({ uid: STRANGER })
      await peer.fs('truncateSync', 'f', 2)
      assert.equal(d.stat('f').mode & 0o7777n, 0o777n)
      fs.truncateSync(d.path('g'), 2)
      fs.appendFileSync(d.path('g'), 'more')
      assert.equal(d.stat('g').mode & 0o7777n, 0o6777n)
    }
  },
  {
    name: 'opening with O_TRUNC takes the setuid bit',
    async run(d) {
      d.write('f', 'text')
      fs.chmodSync(d.path('f'), 0o4777)
      const peer = await d.peer({ uid: STRANGER })
      await peer.fs('openSync', 'f', 'w')
      assert.equal(d.stat('f').mode & 0o7777n, 0o777n)
    }
  },
  {
    name: 'a setgid bit without execution for the group outlives a change of owner',
    run(d) {
      d.write('f', 'text')
      fs.chmodSync(d.path('f'), 0o6644)
      fs.chownSync(d.path('f'), OTHER, OTHER)
      assert.equal(d.stat('f').mode & 0o7777n, 0o2644n)
    }
  },
  {
    name: 'who is not in the group of a file cannot set its setgid bit',
    async run(d) {
      d.write('f')
      fs.chownSync(d.path('f'), STRANGER, OTHER)
      const peer = await d.peer({ uid: STRANGER })
      await peer.fs('chmodSync', 'f', 0o2755)
      assert.equal(d.stat('f').mode & 0o7777n, 0o755n)
      await peer.fs('chmodSync', 'f', 0o4755)
      assert.equal(d.stat('f').mode & 0o7777n, 0o4755n)
    }
  },
  {
    name: 'a directory that may be read but not entered shows names only',
    async run(d) {
      d.mkdir('d')
      d.write('d/f')
      fs.chmodSync(d.path('d'), 0o744)
      const peer = await d.peer({ uid: STRANGER })
      assert.deepEqual(await peer.fs('readdirSync', 'd'), ['f'])
      await rejects('EACCES', peer.fs('statSync', 'd/f'))
      fs.chmodSync(d.path('d'), 0o711)
      await rejects('EACCES', peer.fs('readdirSync', 'd'))
      assert.ok(await peer.fs('statSync', 'd/f'))
    }
  }
]
