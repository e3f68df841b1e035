/** fcntl byte ranges and flock between processes: conflicts, waits, signals, close and death. */

import assert from 'node:assert/strict'
import fs from 'node:fs'
import { rejects } from '../support/posix-driver.mjs'
import * as sys from '../support/posix-syscalls.mjs'

/** Two other processes that have the file "f" open. */
async function pair(d) {
  d.write('f', 'x'.repeat(100))
  return [await locker(d), await locker(d)]
}

/** A process with "f" open, and the three fcntl calls on it. */
async function locker(d) {
  const { peer, fd } = await d.opener('f')
  return {
    peer,
    fd,
    set: (type, start, length) => peer.sys('setLock', fd, type, start, length),
    wait: (type, start, length) => peer.sys('waitForLock', fd, type, start, length),
    get: (type, start, length) => peer.sys('getLock', fd, type, start, length),
    flock: (operation, wait = false) => peer.sys('flock', fd, operation, wait)
  }
}

/** Starts a wait and returns it, in an array lest it be awaited, once the process sleeps. */
async function sleeping(peer, call, promise) {
  promise.catch(() => undefined)
  await peer.blockedIn(call)
  return [promise]
}

const rangeCases = [
  {
    name: 'fcntl: readers share, and a writer is refused where they overlap',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('read', 0, 10)
      await b.set('read', 5, 10)
      await rejects('EAGAIN', b.set('write', 0, 10))
      await rejects('EAGAIN', a.set('write', 8, 1))
      await b.set('write', 10, 5)
      await rejects('EAGAIN', a.set('read', 14, 1))
      await a.set('write', 15, 5)
    }
  },
  {
    name: 'fcntl: GETLK names the first lock in the way and its process',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 20, 10)
      await a.set('read', 50, 0)
      const found = await b.get('write', 0, 0)
      assert.deepEqual(found, { type: 'write', start: 20, length: 10, pid: a.peer.pid })
      const tail = await b.get('write', 40, 20)
      assert.deepEqual(tail, { type: 'read', start: 50, length: 0, pid: a.peer.pid })
      assert.equal((await b.get('read', 30, 0)).type, 'none')
      assert.equal((await a.get('write', 0, 0)).type, 'none')
    }
  },
  {
    name: 'fcntl: a lock is upgraded, downgraded, split and joined',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('read', 0, 30)
      await a.set('write', 10, 10)
      await b.set('read', 0, 10)
      await rejects('EAGAIN', b.set('read', 15, 1))
      await rejects('EAGAIN', a.set('write', 0, 30))
      await b.set('none', 0, 0)
      await a.set('write', 0, 30)
      await a.set('none', 10, 10)
      await b.set('write', 10, 10)
      assert.deepEqual(pick(await b.get('write', 0, 0)), ['write', 0, 10])
      assert.deepEqual(pick(await b.get('write', 20, 0)), ['write', 20, 10])
      await b.set('none', 10, 10)
      await a.set('write', 10, 10)
      assert.deepEqual(pick(await b.get('read', 0, 0)), ['write', 0, 30])
    }
  },
  {
    name: 'fcntl: locks reach beyond the end of the file, and far',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 1_000_000, 10)
      await rejects('EAGAIN', b.set('write', 999_995, 10))
      await a.set('write', 2 ** 40, 1)
      await rejects('EAGAIN', b.set('read', 2 ** 40, 0))
      await b.set('write', 2 ** 40 + 1, 0)
      assert.deepEqual(pick(await a.get('read', 2 ** 41, 1)), ['write', 2 ** 40 + 1, 0])
      assert.equal(d.stat('f').size, 100n)
    }
  },
  {
    name: 'fcntl: who waits is woken by the unlock',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 0, 10)
      const [waiting] = await sleeping(b.peer, 'fcntl', b.wait('write', 5, 10))
      await a.set('none', 0, 10)
      await waiting
      await rejects('EAGAIN', a.set('read', 14, 1))
    }
  },
  {
    name: 'fcntl: a downgrade wakes the readers, an unlock elsewhere nobody',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 0, 20)
      const [waiting] = await sleeping(b.peer, 'fcntl', b.wait('read', 0, 10))
      await a.set('none', 10, 10)
      await b.peer.blockedIn('fcntl')
      await a.set('read', 0, 10)
      await waiting
      await rejects('EAGAIN', a.set('write', 0, 1))
    }
  },
  {
    name: 'fcntl: a signal ends a wait with EINTR, and the lock is not had later',
    async run(d) {
      const [a, b] = await pair(d)
      await b.peer.sys('letSignalInterrupt')
      await a.set('write', 0, 10)
      const [waiting] = await sleeping(b.peer, 'fcntl', b.wait('write', 0, 10))
      b.peer.signal('SIGUSR2')
      await rejects('EINTR', waiting)
      await a.set('none', 0, 10)
      assert.equal((await a.get('write', 0, 0)).type, 'none')
      await b.wait('write', 0, 10)
    }
  },
  {
    name: 'fcntl: a killed process that waited leaves nothing in the way',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 0, 10)
      await sleeping(b.peer, 'fcntl', b.wait('write', 0, 10))
      await b.peer.end('SIGKILL')
      await a.set('none', 0, 10)
      const c = await locker(d)
      await c.set('write', 0, 10)
    }
  },
  {
    name: 'fcntl: two processes that wait for each other are a deadlock for the second',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 0, 10)
      await b.set('write', 10, 10)
      const [waiting] = await sleeping(a.peer, 'fcntl', a.wait('write', 10, 10))
      await rejects('EDEADLK', b.wait('write', 0, 10))
      await b.set('none', 0, 0)
      await waiting
    }
  },
  {
    name: 'fcntl: the close of any descriptor of the file drops the locks of the process',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 0, 0)
      const second = await a.peer.fs('openSync', 'f', 'r')
      await rejects('EAGAIN', b.set('read', 0, 1))
      await a.peer.fs('closeSync', second)
      await b.set('write', 0, 0)
    }
  },
  {
    name: 'fcntl: the close of one process wakes another that waits',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 0, 0)
      const [waiting] = await sleeping(b.peer, 'fcntl', b.wait('read', 3, 1))
      await a.peer.fs('closeSync', a.fd)
      await waiting
    }
  },
  {
    name: 'fcntl: the death of the holder releases its locks',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 0, 0)
      await rejects('EAGAIN', b.set('write', 0, 1))
      const [waiting] = await sleeping(b.peer, 'fcntl', b.wait('write', 0, 0))
      await a.peer.end('SIGKILL')
      await waiting
    }
  },
  {
    name: 'fcntl: a lock holds on the file, not on its name',
    async run(d) {
      const [a, b] = await pair(d)
      await a.set('write', 0, 0)
      fs.linkSync(d.path('f'), d.path('g'))
      fs.renameSync(d.path('f'), d.path('h'))
      fs.unlinkSync(d.path('g'))
      await rejects('EAGAIN', b.set('write', 0, 0))
      fs.unlinkSync(d.path('h'))
      await rejects('EAGAIN', b.set('write', 0, 0))
      d.write('f')
      const c = await locker(d)
      await c.set('write', 0, 0)
    }
  },
  {
    name: 'fcntl: a lock needs a descriptor open for what it guards',
    async run(d) {
      const [a] = await pair(d)
      const readOnly = await a.peer.fs('openSync', 'f', 'r')
      await rejects('EBADF', a.peer.sys('setLock', readOnly, 'write', 0, 0))
      const writeOnly = await a.peer.fs('openSync', 'f', 'a')
      await rejects('EBADF', a.peer.sys('setLock', writeOnly, 'read', 0, 0))
    }
  },
  {
    name: 'fcntl: four processes count together under a lock and lose no step',
    async run(d) {
      d.write('f', '0')
      const lockers = await Promise.all([1, 2, 3, 4].map(() => locker(d)))
      await Promise.all(lockers.map(each => count(each, 50)))
      assert.equal(d.read('f'), '200')
    }
  }
]

const flockCases = [
  {
    name: 'flock: shared locks go together, an exclusive one stands alone',
    async run(d) {
      const [a, b] = await pair(d)
      await a.flock('shared')
      await b.flock('shared')
      await rejects('EAGAIN', a.flock('exclusive'))
      await b.flock('none')
      await a.flock('exclusive')
      await rejects('EAGAIN', b.flock('shared'))
      await a.flock('none')
      await b.flock('exclusive')
    }
  },
  {
    name: 'flock: two descriptors of one process are two owners',
    async run(d) {
      d.write('f')
      const [first, second] = [d.open('f', 'r'), d.open('f', 'r')]
      sys.flock(first, 'exclusive', false)
      assert.throws(() => sys.flock(second, 'shared', false), { code: 'EAGAIN' })
      d.close(first)
      sys.flock(second, 'exclusive', false)
    }
  },
  {
    name: 'flock: who waits is woken by the unlock, and by a close',
    async run(d) {
      const [a, b] = await pair(d)
      await a.flock('exclusive')
      const [waiting] = await sleeping(b.peer, 'flock', b.flock('exclusive', true))
      await a.flock('none')
      await waiting
      const [again] = await sleeping(a.peer, 'flock', a.flock('shared', true))
      await b.peer.fs('closeSync', b.fd)
      await again
    }
  },
  {
    name: 'flock: a signal ends a wait with EINTR',
    async run(d) {
      const [a, b] = await pair(d)
      await b.peer.sys('letSignalInterrupt')
      await a.flock('exclusive')
      const [waiting] = await sleeping(b.peer, 'flock', b.flock('shared', true))
      b.peer.signal('SIGUSR2')
      await rejects('EINTR', waiting)
      await a.flock('none')
      await a.flock('exclusive')
    }
  },
  {
    name: 'flock: a child inherits the lock, which lasts until the last close',
    async run(d) {
      const [a] = await pair(d)
      const fd = d.open('f', 'r')
      sys.flock(fd, 'exclusive', false)
      const heir = await d.peer({ fds: [fd] })
      await heir.fs('fstatSync', 3)
      d.close(fd)
      await rejects('EAGAIN', a.flock('shared'))
      await heir.fs('closeSync', 3)
      await a.flock('shared')
    }
  },
  {
    name: 'flock: the unlock of an heir frees it for all',
    async run(d) {
      const [a] = await pair(d)
      const fd = d.open('f', 'r')
      sys.flock(fd, 'exclusive', false)
      const heir = await d.peer({ fds: [fd] })
      await heir.sys('flock', 3, 'none', false)
      await a.flock('exclusive')
    }
  },
  {
    name: 'flock: the close of another descriptor keeps the lock, a death drops it',
    async run(d) {
      const [a, b] = await pair(d)
      await a.flock('exclusive')
      await a.peer.fs('closeSync', await a.peer.fs('openSync', 'f', 'r'))
      await rejects('EAGAIN', b.flock('shared'))
      await a.peer.end('SIGKILL')
      await b.flock('exclusive')
    }
  },
  {
    name: 'flock and fcntl do not see each other',
    async run(d) {
      const [a, b] = await pair(d)
      await a.flock('exclusive')
      await b.set('write', 0, 0)
      await rejects('EAGAIN', a.set('read', 0, 1))
      await rejects('EAGAIN', b.flock('shared'))
    }
  }
]

export const lockCases = [...rangeCases, ...flockCases]

function pick({ type, start, length }) {
  return [type, start, length]
}

/** Adds one to the number in "f", `times` times, each step under a lock. */
async function count({ peer, fd, wait, set }, times) {
  for (let n = 0; n < times; n++) {
    await wait('write', 0, 0)
    const value = Number(await peer.sys('readText', fd))
    await peer.fs('writeSync', fd, String(value + 1), 0)
    await set('none', 0, 0)
  }
}
