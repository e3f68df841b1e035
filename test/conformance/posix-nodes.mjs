/** FIFOs, sockets and device nodes: names like any other, whose bytes are not the filesystem's. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import { fails, rejects } from '../support/posix-driver.mjs'
import { makeNode } from '../support/posix-syscalls.mjs'

const { S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, O_RDONLY, O_NONBLOCK } = fs.constants
const STRANGER = 65533

/** As makedev(3) puts them together. */
function deviceNumber(major, minor) {
  return ((major & 0xfff) << 8) | (minor & 0xff) | ((minor & 0xfff00) << 12)
}

export const nodeCases = [
  {
    name: 'a FIFO carries bytes from process to process and keeps none',
    async run(d) {
      makeNode(d.path('p'), S_IFIFO | 0o640)
      assert.ok(d.stat('p').isFIFO())
      assert.equal(d.stat('p').mode & 0o7777n, 0o640n)
      const reader = d.open('p', O_RDONLY | O_NONBLOCK)
      const peer = await d.peer()
      const fd = await peer.fs('openSync', 'p', 'w')
      await peer.fs('writeSync', fd, 'by the pipe')
      const bytes = Buffer.alloc(99)
      assert.equal(bytes.toString('latin1', 0, fs.readSync(reader, bytes)), 'by the pipe')
      assert.equal(d.stat('p').size, 0n)
      fails('EINVAL', () => fs.ftruncateSync(d.open('p', 'r+'), 5))
    }
  },
  {
    name: 'a socket is bound to a name and reached by it, until the name is gone',
    async run(d) {
      const before = process.cwd()
      // The address of a socket is short, and the directory's path may be long.
      process.chdir(d.dir)
      const server = net.createServer(socket => socket.end('hello'))
      try {
        server.listen('s')
        await once(server, 'listening')
        assert.ok(d.stat('s').isSocket())
        fs.renameSync('s', 't')
        const client = net.connect('t')
        const [bytes] = await once(client, 'data')
        assert.equal(String(bytes), 'hello')
        client.destroy()
        fails('ENXIO', () => fs.openSync('t', 'r'))
        fs.unlinkSync('t')
        await assert.rejects(once(net.connect('t'), 'connect'), { code: 'ENOENT' })
      } finally {
        server.close()
        process.chdir(before)
      }
    }
  },
  {
    name: 'a socket can be made without anybody behind it',
    run(d) {
      makeNode(d.path('s'), S_IFSOCK | 0o600)
      assert.ok(d.stat('s').isSocket())
      assert.equal(fs.readdirSync(d.dir, { withFileTypes: true })[0].isSocket(), true)
    }
  },
  {
    name: 'device nodes keep their kind and their numbers',
    run(d) {
      for (const [major, minor] of [
        [1, 3],
        [0, 1],
        [259, 70_000],
        [4095, 2 ** 20 - 1]
      ]) {
        const device = deviceNumber(major, minor) >>> 0
        makeNode(d.path('c'), S_IFCHR | 0o600, device)
        makeNode(d.path('b'), S_IFBLK | 0o600, device)
        assert.ok(d.stat('c').isCharacterDevice())
        assert.ok(d.stat('b').isBlockDevice())
        assert.equal(d.stat('c').rdev, BigInt(device))
        assert.equal(d.stat('b').rdev, BigInt(device))
        fs.unlinkSync(d.path('c'))
        fs.unlinkSync(d.path('b'))
      }
    }
  },
  {
    name: 'only root makes device nodes, and anybody makes FIFOs',
    async run(d) {
      d.mkdir('sub', 0o777)
      fs.chmodSync(d.path('sub'), 0o777)
      const peer = await d.peer({ uid: STRANGER })
      await rejects('EPERM', peer.sys('makeNode', 'sub/c', S_IFCHR | 0o600, 0x103))
      await rejects('EPERM', peer.sys('makeNode', 'sub/b', S_IFBLK | 0o600, 0x103))
      await peer.sys('makeNode', 'sub/p', S_IFIFO | 0o600)
      assert.equal(d.stat('sub/p').uid, BigInt(STRANGER))
      assert.deepEqual(d.list('sub'), ['p'])
    }
  },
  {
    name: 'nodes are named, renamed, linked and removed as files are',
    run(d) {
      makeNode(d.path('p'), S_IFIFO | 0o600)
      makeNode(d.path('c'), S_IFCHR | 0o600, 0x103)
      fails('EEXIST', () => makeNode(d.path('p'), S_IFIFO | 0o600))
      fs.linkSync(d.path('p'), d.path('q'))
      assert.equal(d.stat('q').nlink, 2n)
      assert.equal(d.stat('q').ino, d.stat('p').ino)
      fs.renameSync(d.path('c'), d.path('q'))
      assert.ok(d.stat('q').isCharacterDevice())
      assert.equal(d.stat('p').nlink, 1n)
      fs.chmodSync(d.path('q'), 0o4711)
      fs.chownSync(d.path('q'), 7, 8)
      assert.deepEqual([d.stat('q').uid, d.stat('q').gid], [7n, 8n])
      fs.unlinkSync(d.path('p'))
      fs.unlinkSync(d.path('q'))
      assert.deepEqual(d.list(), [])
    }
  }
]
