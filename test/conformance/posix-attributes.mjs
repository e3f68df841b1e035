/** Times, modes and owners: what is set is read back, and what changes a time changes it. */

import assert from 'node:assert/strict'
import fs, { constants as flags } from 'node:fs'
import * as sys from '../support/posix-syscalls.mjs'

/** Long ago, so that any change of a time shows. */
const OLD = [1_000_000, 5]
const OLD_NS = nanoseconds(OLD)

function nanoseconds([seconds, fraction]) {
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction)
}

/**
 * Asserts which times of which names `change` renews: 'm' mtime, 'c' ctime, 'mc', or '' for
 * neither. The names must be there before and after; a missing time must stay as it was.
 */
function assertRenewed(d, expected, change) {
  const names = Object.keys(expected)
  for (const name of names) sys.setTimes(d.path(name), OLD, OLD)
  const ctimes = names.map(name => d.stat(name).ctimeNs)
  d.passTime(ctimes.reduce((a, b) => (a > b ? a : b)))
  change()
  const renewed = names.map((name, n) => {
    const { mtimeNs, ctimeNs } = d.stat(name)
    return [name, (mtimeNs !== OLD_NS ? 'm' : '') + (ctimeNs > ctimes[n] ? 'c' : '')]
  })
  assert.deepEqual(Object.fromEntries(renewed), expected)
}

function modeOf(d, name) {
  return d.stat(name).mode & 0o7777n
}

const timeCases = [
  {
    name: 'times are kept to the nanosecond, for files, directories and symbolic links',
    run(d) {
      d.write('f')
      d.mkdir('d')
      fs.symlinkSync('f', d.path('s'))
      const atime = [1_700_000_000, 123_456_789]
      const mtime = [1_600_000_000, 999_999_999]
      for (const name of ['f', 'd', 's']) {
        sys.setTimes(d.path(name), atime, mtime, false)
        assert.equal(d.stat(name, false).atimeNs, nanoseconds(atime), name)
        assert.equal(d.stat(name, false).mtimeNs, nanoseconds(mtime), name)
      }
      sys.setTimes(d.path('s'), OLD, OLD)
      assert.equal(d.stat('f').mtimeNs, OLD_NS)
      assert.equal(d.stat('s', false).mtimeNs, nanoseconds(mtime))
    }
  },
  {
    name: 'a time that is too far off to be kept becomes the furthest that there is',
    run(d) {
      d.write('f')
      for (const seconds of [2 ** 34, 2 ** 50]) {
        sys.setTimes(d.path('f'), [seconds, 5], [-seconds, 5], false)
        const { atimeNs, mtimeNs } = d.stat('f')
        assert.ok(atimeNs > 9_200_000_000_000_000_000n, `${atimeNs}`)
        assert.ok(mtimeNs <= -(2n ** 31n) * 1_000_000_000n, `${mtimeNs}`)
      }
    }
  },
  {
    name: 'times before 1970 and after 2038 are kept',
    run(d) {
      d.write('f')
      for (const time of [
        [-1_000_000, 7],
        [0, 0],
        [2 ** 31 + 5, 1]
      ]) {
        sys.setTimes(d.path('f'), time, time)
        assert.equal(d.stat('f').mtimeNs, nanoseconds(time))
      }
    }
  },
  {
    name: 'one time is set without the other, and to the present',
    run(d) {
      d.write('f')
      sys.setTimes(d.path('f'), OLD, OLD)
      const created = d.stat('f').ctimeNs
      d.passTime(created)
      sys.setTimes(d.path('f'), [0, sys.UTIME_OMIT], [0, sys.UTIME_NOW])
      assert.equal(d.stat('f').atimeNs, OLD_NS)
      assert.ok(d.stat('f').mtimeNs >= created)
      sys.setTimes(d.path('f'), [77, 7], [0, sys.UTIME_OMIT])
      assert.equal(d.stat('f').atimeNs, nanoseconds([77, 7]))
      assert.ok(d.stat('f').mtimeNs >= created)
    }
  },
  {
    name: 'a write through an open file does not undo times that were set after it',
    run(d) {
      const fd = d.open('f', 'w')
      fs.writeSync(fd, 'text')
      sys.setTimes(d.path('f'), OLD, OLD)
      fs.fsyncSync(fd)
      d.close(fd)
      assert.equal(d.stat('f').mtimeNs, OLD_NS)
    }
  },
  {
    name: 'a directory gets new times when a name in it is made, removed or moved',
    run(d) {
      d.mkdir('d')
      d.mkdir('e')
      const renewed = (names, change) => assertRenewed(d, names, change)
      renewed({ d: 'mc', e: '' }, () => d.write('d/f'))
      renewed({ d: 'mc', e: '', 'd/f': 'c' }, () => fs.linkSync(d.path('d/f'), d.path('d/g')))
      renewed({ d: 'mc', 'd/f': 'c' }, () => fs.unlinkSync(d.path('d/g')))
      renewed({ d: 'mc' }, () => fs.mkdirSync(d.path('d/sub')))
      renewed({ d: 'mc' }, () => fs.rmdirSync(d.path('d/sub')))
      renewed({ d: 'mc' }, () => fs.symlinkSync('f', d.path('d/s')))
      renewed({ d: 'mc' }, () => fs.renameSync(d.path('d/s'), d.path('d/t')))
      renewed({ d: 'mc', e: 'mc' }, () => fs.renameSync(d.path('d/f'), d.path('e/f')))
    }
  },
  {
    name: 'a directory keeps its times when only a file in it changes or is looked up',
    run(d) {
      d.mkdir('d')
      d.write('d/f')
      assertRenewed(d, { d: '' }, () => {
        fs.appendFileSync(d.path('d/f'), 'more')
        fs.chmodSync(d.path('d/f'), 0o600)
        fs.readdirSync(d.path('d'))
        d.stat('d/f')
        assert.throws(() => d.open('d/f', 'wx'))
        assert.throws(() => d.stat('d/missing'))
      })
    }
  },
  {
    name: 'a write or a new size renews mtime and ctime, a mode or owner only ctime',
    run(d) {
      d.write('f', 'text')
      assertRenewed(d, { f: 'mc' }, () => fs.appendFileSync(d.path('f'), 'more'))
      assertRenewed(d, { f: 'mc' }, () => fs.truncateSync(d.path('f'), 2))
      assertRenewed(d, { f: 'mc' }, () => d.close(d.open('f', flags.O_RDWR | flags.O_TRUNC)))
      assertRenewed(d, { f: 'c' }, () => fs.chmodSync(d.path('f'), 0o600))
      assertRenewed(d, { f: 'c' }, () => fs.chownSync(d.path('f'), 12, 34))
      assertRenewed(d, { f: '' }, () => d.read('f'))
    }
  },
  {
    name: 'a rename renews the ctime of what moves, and a replaced file loses a link',
    run(d) {
      d.write('f')
      d.write('g')
      fs.linkSync(d.path('g'), d.path('h'))
      sys.setTimes(d.path('f'), OLD, OLD)
      const { ctimeNs } = d.stat('f')
      d.passTime(ctimeNs)
      assertRenewed(d, { h: 'c' }, () => fs.renameSync(d.path('f'), d.path('g')))
      assert.equal(d.stat('g').mtimeNs, OLD_NS)
      assert.ok(d.stat('g').ctimeNs > ctimeNs)
    }
  },
  {
    name: 'times that another process set are seen at once',
    async run(d) {
      d.write('f')
      const peer = await d.peer()
      for (let n = 1; n < 20; n++) {
        await peer.sys('setTimes', 'f', [n, n], [n, n])
        assert.equal(d.stat('f').mtimeNs, nanoseconds([n, n]))
        await peer.fs('chmodSync', 'f', 0o600 + n)
        assert.equal(modeOf(d, 'f'), BigInt(0o600 + n))
      }
    }
  }
]

const modeCases = [
  {
    name: 'modes are kept with their special bits',
    run(d) {
      d.write('f')
      d.mkdir('d')
      for (const mode of [0, 0o777, 0o1777, 0o2755, 0o4755, 0o7777, 0o644]) {
        fs.chmodSync(d.path('f'), mode)
        fs.chmodSync(d.path('d'), mode)
        assert.equal(modeOf(d, 'f'), BigInt(mode))
        assert.equal(modeOf(d, 'd'), BigInt(mode))
      }
      fs.fchmodSync(d.open('f', 'r'), 0o640)
      assert.equal(modeOf(d, 'f'), 0o640n)
    }
  },
  {
    name: 'owner and group are kept up to 32 bits, each set without the other',
    run(d) {
      d.write('f')
      fs.symlinkSync('f', d.path('s'))
      const owners = (name, follow) => [d.stat(name, follow).uid, d.stat(name, follow).gid]
      fs.chownSync(d.path('f'), 4_000_000_000, 3_000_000_000)
      assert.deepEqual(owners('f'), [4_000_000_000n, 3_000_000_000n])
      fs.chownSync(d.path('f'), 5, 2 ** 32 - 1)
      fs.chownSync(d.path('f'), 2 ** 32 - 1, 6)
      assert.deepEqual(owners('f'), [5n, 6n])
      fs.lchownSync(d.path('s'), 8, 9)
      assert.deepEqual(owners('s', false), [8n, 9n])
      assert.deepEqual(owners('f'), [5n, 6n])
    }
  },
  {
    name: 'a change of owner takes the setuid and setgid bits of a file',
    run(d) {
      d.write('f')
      fs.chmodSync(d.path('f'), 0o6755)
      fs.chownSync(d.path('f'), 12, 34)
      assert.equal(modeOf(d, 'f'), 0o755n)
    }
  },
  {
    name: 'what is made in a setgid directory has its group, and directories the bit',
    run(d) {
      d.mkdir('d')
      fs.chownSync(d.path('d'), 0, 1234)
      fs.chmodSync(d.path('d'), 0o2775)
      d.write('d/f')
      d.mkdir('d/sub')
      fs.symlinkSync('f', d.path('d/s'))
      assert.equal(d.stat('d/f').gid, 1234n)
      assert.equal(modeOf(d, 'd/f'), 0o644n)
      assert.equal(d.stat('d/sub').gid, 1234n)
      assert.equal(modeOf(d, 'd/sub'), 0o2755n)
      assert.equal(d.stat('d/s', false).gid, 1234n)
    }
  },
  {
    name: 'the umask of the process takes bits from new files and directories',
    run(d) {
      const before = process.umask(0o027)
      d.close(d.open('f', 'w', 0o666))
      d.mkdir('d', 0o777)
      process.umask(0o777)
      d.close(d.open('g', 'w', 0o666))
      process.umask(before)
      assert.equal(modeOf(d, 'f'), 0o640n)
      assert.equal(modeOf(d, 'd'), 0o750n)
      assert.equal(modeOf(d, 'g'), 0n)
    }
  },
  {
    name: 'stat says the same by name, by descriptor and by a second name',
    run(d) {
      d.write('f', 'x'.repeat(5000))
      fs.linkSync(d.path('f'), d.path('g'))
      const byName = d.stat('f')
      assert.deepEqual(fs.fstatSync(d.open('f', 'r'), { bigint: true }), byName)
      assert.deepEqual(d.stat('g'), byName)
      assert.ok(byName.blocks > 0n && byName.blksize > 0n)
    }
  }
]

export const attributeCases = [...timeCases, ...modeCases]
