import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ERRNO } from '../../lib/errors.ts'
import * as libc from '../../lib/io/libc.ts'

const COUNT = 8

function eventfdFor(t: Test): number {
  const fd = libc.eventfd()
  t.teardown(() => libc.close(fd))
  return fd
}

t.test('reads and writes that fail return the negative errno', t => {
  const fd = eventfdFor(t)
  const buffer = Buffer.alloc(COUNT)
  t.equal(libc.read(fd, buffer, COUNT), -ERRNO.EAGAIN)
  t.equal(libc.read(fd, buffer, COUNT - 1), -ERRNO.EINVAL)
  t.equal(libc.write(-1, buffer, COUNT), -ERRNO.EBADF)
  t.throws(() => libc.read(fd, buffer, COUNT + 1), { name: 'InvariantError' })
  t.throws(() => libc.write(fd, buffer, COUNT + 1), { name: 'InvariantError' })
  t.end()
})

t.test('poll says which of two descriptors can be read', t => {
  const a = eventfdFor(t)
  const b = eventfdFor(t)
  const one = Buffer.from('0100000000000000', 'hex')
  t.equal(libc.poll2(a, b, 0), 0)
  t.equal(libc.write(a, one, COUNT), COUNT)
  t.equal(libc.poll2(a, b, -1), libc.POLL2.A_READABLE)
  t.equal(libc.poll2(b, a, -1), libc.POLL2.B_READABLE)
  t.equal(libc.poll2(a, -1, -1), libc.POLL2.A_READABLE)
  libc.write(b, one, COUNT)
  t.equal(libc.poll2(a, b, -1), libc.POLL2.A_READABLE | libc.POLL2.B_READABLE)
  const count = Buffer.alloc(COUNT)
  t.equal(libc.read(a, count, COUNT), COUNT)
  t.same(count, one)
  t.equal(libc.poll2(a, b, -1), libc.POLL2.B_READABLE)
  t.end()
})

t.test('poll says which of two descriptors was hung up or is not open', t => {
  const [a, b] = libc.socketpair()
  libc.close(b)
  t.equal(libc.poll2(a, -1, -1), libc.POLL2.A_READABLE | libc.POLL2.A_TROUBLE)
  libc.close(a)
  t.equal(libc.poll2(-1, a, -1), libc.POLL2.B_TROUBLE)
  t.end()
})

t.test('an exclusive lock is refused to a second opening until the first is closed', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'roost-libc-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const path = join(directory, 'lock')
  const first = openSync(path, 'w')
  const second = openSync(path, 'w')
  t.equal(libc.flock(first), true)
  t.equal(libc.flock(second), false)
  closeSync(first)
  t.equal(libc.flock(second), true)
  await libc.syncfs(second)
  closeSync(second)
  t.throws(() => libc.flock(second), { code: 'EBADF', syscall: 'flock' })
  await t.rejects(libc.syncfs(second), { code: 'EIO' })
  t.throws(() => libc.setNonBlocking(second, true), { code: 'EBADF' })
  t.throws(() => libc.close(second), { code: 'EBADF' })
})

t.test('a descriptor does not wait once it is non-blocking', t => {
  const [a, b] = libc.socketpair()
  libc.setNonBlocking(a, true)
  t.equal(libc.read(a, Buffer.alloc(1), 1), -ERRNO.EAGAIN)
  libc.setNonBlocking(a, false)
  libc.write(b, Buffer.from('x'), 1)
  t.equal(libc.read(a, Buffer.alloc(1), 1), 1)
  libc.close(a)
  libc.close(b)
  t.end()
})

t.test('a descriptor is closed in programs only when it is marked so', t => {
  const fd = eventfdFor(t)
  const marked = () => {
    const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${String(fd)}`, 'utf8'))
    return (parseInt(flags?.[1] ?? '', 8) & 0o2000000) !== 0
  }
  t.equal(marked(), true)
  libc.setCloseOnExec(fd, false)
  t.equal(marked(), false)
  libc.setCloseOnExec(fd, true)
  t.equal(marked(), true)
  t.end()
})

t.test('no descriptor comes from a socket that is silent, closed, or sends plain bytes', t => {
  const [a, b] = libc.socketpair()
  t.equal(libc.receiveFd(a), undefined)
  libc.write(b, Buffer.from('x'), 1)
  t.equal(libc.receiveFd(a), undefined)
  libc.close(b)
  t.equal(libc.receiveFd(a), undefined)
  libc.close(a)
  t.throws(() => libc.receiveFd(a), { code: 'EBADF', syscall: 'recvmsg' })
  t.end()
})

t.test('a descriptor that is sent names the same file at the other end', t => {
  const [a, b] = libc.socketpair()
  const file = openSync('/dev/zero', 'r')
  libc.sendFd(b, file)
  closeSync(file)
  const received = libc.receiveFd(a)
  const bytes = Buffer.alloc(4, 1)
  t.equal(libc.read(received ?? -1, bytes, 4), 4)
  t.same(bytes, Buffer.alloc(4))
  libc.close(received ?? -1)
  libc.close(a)
  t.throws(
    () => {
      libc.sendFd(b, 0)
    },
    { code: 'EPIPE', syscall: 'sendmsg' }
  )
  libc.close(b)
  t.end()
})

t.test('an unmount of what is not mounted fails with the name of the errno', async t => {
  t.throws(
    () => {
      libc.umount2('/proc/self/nothing', 0)
    },
    { code: 'ENOENT', syscall: 'umount2' }
  )
  t.equal(await libc.umount2Async('/proc/self/nothing', 0), false)
  t.throws(
    () => {
      libc.mount('roost', '/proc/self/nothing', 'fuse', 0, '')
    },
    { code: 'ENOENT', syscall: 'mount' }
  )
})

t.test('a page of memory has at least 4 KiB', t => {
  t.ok(libc.pageSize() >= 4096)
  t.equal(libc.pageSize() % 4096, 0)
  t.end()
})
