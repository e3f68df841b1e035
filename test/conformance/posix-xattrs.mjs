/** Extended attributes in the namespace `user`. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { fails, rejects } from '../support/posix-driver.mjs'
import {
  attributeSize,
  getAttribute,
  listAttributes,
  removeAttribute,
  setAttribute
} from '../support/posix-syscalls.mjs'

export const xattrCases = [
  {
    name: 'extended attributes are set, read, listed, replaced and removed',
    run(d) {
      d.write('f')
      d.mkdir('sub')
      for (const path of [d.path('f'), d.path('sub')]) {
        assert.deepEqual(listAttributes(path), [])
        setAttribute(path, 'user.b', 'two')
        setAttribute(path, 'user.a', 'one\0and \xff')
        setAttribute(path, 'user.empty', '')
        assert.deepEqual(listAttributes(path), ['user.a', 'user.b', 'user.empty'])
        assert.equal(getAttribute(path, 'user.a'), 'one\0and \xff')
        assert.equal(getAttribute(path, 'user.empty'), '')
        assert.equal(attributeSize(path, 'user.a'), 9)
        setAttribute(path, 'user.a', 'another, longer value')
        assert.equal(getAttribute(path, 'user.a'), 'another, longer value')
        removeAttribute(path, 'user.b')
        removeAttribute(path, 'user.empty')
        assert.deepEqual(listAttributes(path), ['user.a'])
      }
    }
  },
  {
    name: 'an extended attribute is made or replaced on demand only, and missed where it is not',
    run(d) {
      const path = d.write('f')
      fails('ENODATA', () => setAttribute(path, 'user.a', 'x', 'replace'))
      setAttribute(path, 'user.a', 'x', 'create')
      fails('EEXIST', () => setAttribute(path, 'user.a', 'y', 'create'))
      setAttribute(path, 'user.a', 'z', 'replace')
      assert.equal(getAttribute(path, 'user.a'), 'z')
      fails('ENODATA', () => getAttribute(path, 'user.b'))
      fails('ENODATA', () => removeAttribute(path, 'user.b'))
      fails('ENOENT', () => getAttribute(d.path('none'), 'user.a'))
    }
  },
  {
    name: 'extended attributes have limits: of the buffer, of names, of values, of all together',
    run(d) {
      const path = d.write('f')
      setAttribute(path, 'user.a', 'twelve bytes')
      fails('ERANGE', () => getAttribute(path, 'user.a', 11))
      assert.equal(getAttribute(path, 'user.a', 12), 'twelve bytes')
      fails('ERANGE', () => listAttributes(path, 3))
      const longest = `user.${'n'.repeat(250)}`
      setAttribute(path, longest, 'x')
      fails('ERANGE', () => setAttribute(path, `${longest}n`, 'x'))
      fails('E2BIG', () => setAttribute(path, 'user.b', 'x'.repeat(65_537)))
      fails('EINVAL', () => setAttribute(path, 'user.', 'x'))
      const fill = () => {
        for (let n = 0; n < 300; n++) setAttribute(path, `user.${n}`, 'x'.repeat(1000))
      }
      fails('ENOSPC', fill)
      assert.equal(getAttribute(path, 'user.a'), 'twelve bytes')
      assert.equal(getAttribute(path, 'user.0').length, 1000)
    }
  },
  {
    name: 'an extended attribute renews the ctime, stays through a rename, and is the inode’s',
    run(d) {
      const path = d.write('f', 'text')
      fs.linkSync(path, d.path('g'))
      const { ctimeNs, mtimeNs } = d.stat('f')
      d.passTime(ctimeNs)
      setAttribute(path, 'user.a', 'x')
      assert.ok(d.stat('f').ctimeNs > ctimeNs)
      assert.equal(d.stat('f').mtimeNs, mtimeNs)
      assert.equal(getAttribute(d.path('g'), 'user.a'), 'x')
      fs.renameSync(path, d.path('h'))
      fs.appendFileSync(d.path('h'), 'more')
      fs.truncateSync(d.path('h'), 1)
      assert.equal(getAttribute(d.path('h'), 'user.a'), 'x')
    }
  },
  {
    name: 'who may not write a file sets no extended attribute, who may not read it reads none',
    async run(d) {
      const path = d.write('f')
      setAttribute(path, 'user.a', 'x')
      fs.chmodSync(path, 0o644)
      const peer = await d.peer({ uid: 65533 })
      assert.equal(await peer.sys('getAttribute', 'f', 'user.a'), 'x')
      await rejects('EACCES', peer.sys('setAttribute', 'f', 'user.a', 'y'))
      await rejects('EACCES', peer.sys('removeAttribute', 'f', 'user.a'))
      fs.chmodSync(path, 0o600)
      await rejects('EACCES', peer.sys('getAttribute', 'f', 'user.a'))
      assert.equal(getAttribute(path, 'user.a'), 'x')
    }
  }
]
