/** mmap(2): what a mapping shows, and what is written through one. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import {
  mapFile,
  readMapping,
  syncMapping,
  unmap,
  writeMapping
} from '../support/posix-syscalls.mjs'

const PAGE = 4096

export const mappingCases = [
  {
    name: 'what is written through a shared mapping is read by all, at once',
    async run(d) {
      d.write('f', '.'.repeat(3 * PAGE))
      const mapping = mapFile(d.open('f', 'r+'), 3 * PAGE, 'shared')
      writeMapping(mapping, PAGE - 2, 'over the edge')
      assert.equal(d.read('f').slice(PAGE - 3, PAGE + 12), '.over the edge.')
      const peer = await d.peer()
      const text = await peer.fs('readFileSync', 'f', 'latin1')
      assert.equal(text.slice(PAGE - 3, PAGE + 12), '.over the edge.')
      unmap(mapping)
    }
  },
  {
    name: 'a shared mapping keeps what was written after unmapping, closing and a sync',
    run(d) {
      d.write('f', '.'.repeat(PAGE))
      const fd = d.open('f', 'r+')
      const mapping = mapFile(fd, PAGE, 'shared')
      d.close(fd)
      writeMapping(mapping, 0, 'first')
      syncMapping(mapping)
      writeMapping(mapping, 100, 'second')
      unmap(mapping)
      const again = d.open('f', 'r')
      fs.fsyncSync(again)
      assert.equal(d.read('f').slice(0, 6), 'first.')
      assert.equal(d.read('f').slice(99, 107), '.second.')
    }
  },
  {
    name: 'a shared mapping of a file that its user may not own writes with the opener’s right',
    async run(d) {
      d.write('f', '.'.repeat(PAGE))
      fs.chmodSync(d.path('f'), 0o666)
      const peer = await d.peer({ uid: 65533 })
      const fd = await peer.fs('openSync', 'f', 'r+')
      const mapping = await peer.sys('mapFile', fd, PAGE, 'shared')
      fs.chmodSync(d.path('f'), 0o600)
      await peer.sys('writeMapping', mapping, 7, 'mapped')
      await peer.sys('syncMapping', mapping)
      assert.equal(d.read('f').slice(6, 14), '.mapped.')
    }
  },
  {
    name: 'a mapping writes no byte beyond the end of its file',
    run(d) {
      d.write('f', 'short')
      const mapping = mapFile(d.open('f', 'r+'), PAGE, 'shared')
      writeMapping(mapping, 3, 'RT and more')
      syncMapping(mapping)
      assert.equal(d.read('f'), 'shoRT')
      assert.equal(d.stat('f').size, 5n)
      unmap(mapping)
    }
  },
  {
    name: 'a mapping and a descriptor see what the other writes',
    run(d) {
      d.write('f', '.'.repeat(2 * PAGE))
      const fd = d.open('f', 'r+')
      const mapping = mapFile(fd, 2 * PAGE, 'shared')
      for (let n = 0; n < 20; n++) {
        writeMapping(mapping, n, `m${n}`)
        fs.writeSync(fd, `d${n}`, PAGE + n)
        assert.equal(d.read('f').slice(n, n + 2 + (n > 9)), `m${n}`)
        assert.equal(readMapping(mapping, PAGE + n, 2 + (n > 9)), `d${n}`)
      }
      unmap(mapping)
    }
  },
  {
    name: 'a private mapping is written for its process alone',
    run(d) {
      d.write('f', '.'.repeat(PAGE))
      const mapping = mapFile(d.open('f', 'r+'), PAGE, 'private')
      writeMapping(mapping, 0, 'mine')
      assert.equal(readMapping(mapping, 0, 5), 'mine.')
      syncMapping(mapping)
      unmap(mapping)
      assert.equal(d.read('f'), '.'.repeat(PAGE))
    }
  },
  {
    name: 'an unlinked file is still written through its mapping',
    run(d) {
      d.write('f', '.'.repeat(PAGE))
      const fd = d.open('f', 'r+')
      const mapping = mapFile(fd, PAGE, 'shared')
      fs.unlinkSync(d.path('f'))
      writeMapping(mapping, 0, 'kept')
      syncMapping(mapping)
      const bytes = Buffer.alloc(5)
      fs.readSync(fd, bytes, 0, 5, 0)
      assert.equal(String(bytes), 'kept.')
      unmap(mapping)
    }
  }
]
