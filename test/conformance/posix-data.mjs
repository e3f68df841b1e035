/** Reading and writing: appends, holes, sizes, positions and shared mappings. */

import assert from 'node:assert/strict'
import fs, { constants as flags } from 'node:fs'
import { fails } from '../support/posix-driver.mjs'
import * as sys from '../support/posix-syscalls.mjs'

const GIB = 2 ** 30

function readAt(fd, position, length) {
  const buffer = Buffer.alloc(length)
  return buffer.toString('latin1', 0, fs.readSync(fd, buffer, 0, length, position))
}

function zeros(length) {
  return '\0'.repeat(length)
}

export const dataCases = [
  {
    name: 'what was written is read back, for sizes around blocks and requests',
    run(d) {
      for (const size of [1, 4095, 4096, 4097, 131072, 131073, 1048577, 3000001]) {
        const bytes = Buffer.alloc(size, `${size}.`)
        fs.writeFileSync(d.path('f'), bytes)
        assert.ok(fs.readFileSync(d.path('f')).equals(bytes), `${size} bytes`)
        assert.equal(d.stat('f').size, BigInt(size))
      }
    }
  },
  {
    name: 'O_APPEND writes of two descriptors lose no byte and mix no line',
    async run(d) {
      d.write('f')
      const peer = await d.peer()
      const there = await peer.fs('openSync', 'f', 'a')
      const here = d.open('f', 'a')
      for (let n = 0; n < 200; n++) {
        const pending = peer.fs('writeSync', there, `peer ${n}\n`)
        fs.writeSync(here, `self ${n}\n`)
        await pending
      }
      const lines = d.read('f').trimEnd().split('\n')
      const linesOf = who => lines.filter(line => line.startsWith(who))
      const expected = who => Array.from({ length: 200 }, (_, n) => `${who} ${n}`)
      assert.equal(lines.length, 400)
      assert.deepEqual(linesOf('self'), expected('self'))
      assert.deepEqual(linesOf('peer'), expected('peer'))
    }
  },
  {
    name: 'O_APPEND goes to the end as another process has just moved it',
    async run(d) {
      d.write('f', 'long content')
      const fd = d.open('f', 'a')
      const peer = await d.peer()
      await peer.fs('truncateSync', 'f', 4)
      fs.writeSync(fd, '+')
      assert.equal(d.read('f'), 'long+')
      await peer.fs('appendFileSync', 'f', 'er')
      fs.writeSync(fd, '.')
      assert.equal(d.read('f'), 'long+er.')
    }
  },
  {
    name: 'a write at a position leaves what surrounds it',
    run(d) {
      d.write('f', '0123456789')
      const fd = d.open('f', 'r+')
      fs.writeSync(fd, 'abc', 3)
      assert.equal(d.read('f'), '012abc6789')
      fs.writeSync(fd, 'XYZ', 9)
      assert.equal(d.read('f'), '012abc678XYZ')
    }
  },
  {
    name: 'reads at and beyond the end are empty, and writes beyond it leave zeros',
    run(d) {
      d.write('f', 'abc')
      const fd = d.open('f', 'r+')
      assert.equal(readAt(fd, 3, 10), '')
      assert.equal(readAt(fd, 1e12, 10), '')
      assert.equal(readAt(fd, 2, 10), 'c')
      fs.writeSync(fd, 'z', 10000)
      assert.equal(fs.fstatSync(fd).size, 10001)
      assert.equal(readAt(fd, 0, 20000), `abc${zeros(9997)}z`)
    }
  },
  {
    name: 'a truncated file that grows again reads zeros where its content was',
    run(d) {
      d.write('f', 'x'.repeat(10000))
      const fd = d.open('f', 'r+')
      fs.ftruncateSync(fd, 4999)
      assert.equal(readAt(fd, 0, 20000), 'x'.repeat(4999))
      fs.ftruncateSync(fd, 12000)
      assert.equal(fs.fstatSync(fd).size, 12000)
      assert.equal(readAt(fd, 4990, 20000), 'x'.repeat(9) + zeros(7001))
      fs.truncateSync(d.path('f'), 0)
      fs.ftruncateSync(fd, 100)
      assert.equal(d.read('f'), zeros(100))
    }
  },
  {
    name: 'truncation refuses directories, missing names and negative sizes',
    run(d) {
      d.mkdir('d')
      d.write('f')
      fails('EISDIR', () => fs.truncateSync(d.path('d'), 0))
      fails('ENOENT', () => fs.truncateSync(d.path('missing'), 0))
      fails('EINVAL', () => fs.ftruncateSync(d.open('f', 'r'), 5))
    }
  },
  {
    name: 'an unlinked file is truncated and grows through its descriptor',
    run(d) {
      d.write('f', 'content')
      const fd = d.open('f', 'r+')
      fs.unlinkSync(d.path('f'))
      fs.ftruncateSync(fd, 3)
      assert.equal(readAt(fd, 0, 10), 'con')
      fs.ftruncateSync(fd, 6)
      assert.equal(readAt(fd, 0, 10), `con${zeros(3)}`)
    }
  },
  {
    name: 'a sparse file beyond 4 GiB keeps its size and its bytes',
    run(d) {
      const fd = d.open('f', 'wx+')
      const position = 5 * GIB + 12345
      fs.writeSync(fd, 'start', 0)
      fs.writeSync(fd, 'far away', position)
      assert.equal(d.stat('f').size, BigInt(position + 8))
      assert.equal(readAt(fd, position - 2, 20), `${zeros(2)}far away`)
      assert.equal(readAt(fd, 4 * GIB - 5, 10), zeros(10))
      assert.equal(readAt(fd, 0, 7), `start${zeros(2)}`)
      fs.ftruncateSync(fd, 4 * GIB + 1)
      fs.ftruncateSync(fd, position + 8)
      assert.equal(readAt(fd, position, 8), zeros(8))
    }
  },
  {
    name: 'a descriptor does only what it was opened for',
    run(d) {
      d.write('f', 'text')
      fails('EBADF', () => fs.writeSync(d.open('f', 'r'), 'x'))
      fails('EBADF', () => fs.readSync(d.open('f', flags.O_WRONLY), Buffer.alloc(1)))
      assert.equal(d.read('f'), 'text')
    }
  },
  {
    name: 'another process reads at once what was written, without a sync',
    async run(d) {
      d.write('f')
      const peer = await d.peer()
      const there = await peer.fs('openSync', 'f', 'r')
      const fd = d.open('f', 'r+')
      for (let n = 0; n < 50; n++) {
        const text = `${n}`.repeat(n + 1)
        fs.ftruncateSync(fd, 0)
        fs.writeSync(fd, text, 0)
        assert.equal(await peer.fs('readFileSync', 'f', 'latin1'), text)
        assert.equal((await peer.fs('fstatSync', there)).size, text.length)
      }
    }
  },
  {
    name: 'a shared mapping shows what another process writes later',
    async run(d) {
      d.write('f', 'a'.repeat(8192))
      const { peer, fd } = await d.opener('f')
      const mapping = await peer.sys('mapShared', fd, 8192)
      assert.equal(await peer.sys('readMapping', mapping, 4000, 4), 'aaaa')
      const here = d.open('f', 'r+')
      fs.writeSync(here, 'bb', 4001)
      assert.equal(await peer.sys('readMapping', mapping, 4000, 4), 'abba')
      fs.writeSync(here, 'c'.repeat(8192), 0)
      assert.equal(await peer.sys('readMapping', mapping, 0, 8192), 'c'.repeat(8192))
    }
  },
  {
    name: 'a shared mapping shows a file that was cut off and written anew',
    async run(d) {
      d.write('f', 'a'.repeat(8192))
      const { peer, fd } = await d.opener('f')
      const mapping = await peer.sys('mapShared', fd, 8192)
      assert.equal(await peer.sys('readMapping', mapping, 0, 4), 'aaaa')
      fs.truncateSync(d.path('f'), 0)
      fs.writeFileSync(d.path('f'), 'new'.repeat(2000))
      const expected = 'new'.repeat(2000) + zeros(2192)
      assert.equal(await peer.sys('readMapping', mapping, 0, 8192), expected)
    }
  },
  {
    name: 'a file that is unlinked stays mapped, and a mapping outlives its descriptor',
    run(d) {
      d.write('f', 'text'.repeat(1024))
      const fd = d.open('f', 'r')
      const mapping = sys.mapShared(fd, 4096)
      d.close(fd)
      fs.unlinkSync(d.path('f'))
      assert.equal(sys.readMapping(mapping, 4092, 4), 'text')
    }
  },
  {
    name: 'a thousand small appends with a sync each are all there',
    run(d) {
      const fd = d.open('f', 'a')
      for (let n = 0; n < 1000; n++) {
        fs.writeSync(fd, `line ${n}\n`)
        if (n % 50 === 0) fs.fdatasyncSync(fd)
      }
      const expected = Array.from({ length: 1000 }, (_, n) => `line ${n}\n`).join('')
      assert.equal(d.read('f'), expected)
    }
  }
]
