import t from 'tap'
import type { Ino } from '../../lib/ids.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'

const ROOT = 1 as Ino
const ME = { uid: 1000, gid: 1000 }
const O_RDWR = 2
const O_APPEND = 0o2000
const O_EXCL = 0o200
const RENAME_NOREPLACE = 1
const RENAME_EXCHANGE = 2

async function started() {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna/cur')
  await shell.mkdir('bert')
  return { host, replica, shell }
}

t.test('each user directory is a volume, and nothing is linked or moved between them', async t => {
  const { replica, shell } = await started()
  await shell.write('anna/x.lock', 'x')
  const [anna, bert] = [await shell.node('anna'), await shell.node('bert')]
  t.not(Math.floor(anna.attr.ino / 2 ** 32), Math.floor(bert.attr.ino / 2 ** 32))
  await t.rejects(shell.rename('anna/x.lock', 'bert/x.lock'), { message: 'EXDEV' })
  await t.rejects(shell.link('anna/x.lock', 'bert/x.lock'), { message: 'EXDEV' })
  await t.rejects(shell.rename('anna/cur', 'cur'), { message: 'EXDEV' })
  await shell.rename('anna', 'cleo')
  t.equal((await shell.node('cleo')).attr.ino, anna.attr.ino)
  t.equal(replica.vfs.names.parentOf(await shell.node('cleo')), ROOT)
})

t.test('names are exchanged within a volume, and two users as a whole', async t => {
  const { replica, shell } = await started()
  await shell.write('anna/x.lock', 'of anna')
  await shell.write('bert/x.lock', 'of bert')
  await shell.write('anna/cur/1', 'message')
  await shell.mkdir('anna/cur/below')
  await replica.catchUp()
  const exchange = async (one: [string, string], other: [string, string]): Promise<void> => {
    const [parent, newParent] = [await shell.node(one[0]), await shell.node(other[0])]
    await replica.run(() => {
      const into = newParent.attr.ino
      replica.vfs.names.rename(parent.attr.ino, one[1], into, other[1], RENAME_EXCHANGE)
    })
  }
  await t.rejects(exchange(['anna', 'x.lock'], ['bert', 'x.lock']), { message: 'EXDEV' })
  await t.rejects(exchange(['', 'bert'], ['anna', 'cur']), { message: 'EXDEV' })
  await t.rejects(exchange(['anna', 'cur'], ['anna/cur', 'below']), { message: 'EINVAL' })
  await t.rejects(exchange(['anna', 'cur'], ['anna', 'none']), { message: 'ENOENT' })
  await exchange(['', 'anna'], ['', 'bert'])
  t.equal(String(await shell.read('anna/x.lock')), 'of bert')
  await exchange(['bert', 'cur'], ['bert', 'x.lock'])
  t.equal(String(await shell.read('bert/x.lock/1')), 'message')
  t.equal(String(await shell.read('bert/cur')), 'of anna')
  t.equal((await shell.node('bert')).attr.nlink, 3)
})

t.test('a user that is removed and made again is another volume', async t => {
  const { replica, shell } = await started()
  const before = (await shell.node('bert')).attr.ino
  await replica.run(() => {
    replica.vfs.names.rmdir(ROOT, 'bert')
  })
  await replica.catchUp()
  await shell.mkdir('bert')
  t.not((await shell.node('bert')).attr.ino, before)
})

t.test('inode numbers are never used again, over restarts too', async t => {
  const { host, replica, shell } = await started()
  const seen = new Set<number>()
  for (let i = 0; i < 5; i++) {
    await shell.write('anna/x.lock', 'x')
    seen.add((await shell.node('anna/x.lock')).attr.ino)
    await shell.unlink('anna/x.lock')
  }
  await replica.catchUp()
  host.kill()
  const second = await host.start()
  await second.shell.write('anna/x.lock', 'x')
  t.notOk(seen.has((await second.shell.node('anna/x.lock')).attr.ino))
})

t.test('two that append to one file write behind each other', async t => {
  const { replica, shell } = await started()
  const { ino } = await shell.open('anna/dovecot.index.log')
  for (const text of ['one ', 'two ', 'three']) {
    const request = { ino, offset: 0, data: Buffer.from(text), flags: O_RDWR | O_APPEND }
    await replica.run(() => replica.vfs.data.write(request))
  }
  t.equal(String(await shell.read('anna/dovecot.index.log')), 'one two three')
})

t.test('a deleted file lives on for whoever has it open', async t => {
  const { replica, shell } = await started()
  const handle = await shell.open('anna/cur/1')
  await shell.writeAt(handle, 0, 'still ')
  await shell.unlink('anna/cur/1')
  await replica.catchUp()
  await shell.writeAt(handle, 6, 'here')
  const read = await replica.run(() => replica.vfs.data.read(handle.ino, 0, 100))
  t.equal(String(read), 'still here')
  await shell.close(handle)
  t.throws(() => replica.vfs.data.open(handle.ino, O_RDWR), { message: 'ESTALE' })
  t.throws(
    () => replica.vfs.data.write({ ino: handle.ino, offset: 0, data: Buffer.from('x'), flags: 2 }),
    { message: 'ESTALE' }
  )
  await replica.catchUp()
  t.same(await replica.keeper.orphans(), [])
})

t.test('a file replaced by a rename lives on for whoever has it open', async t => {
  const { replica, shell } = await started()
  const handle = await shell.open('anna/dovecot-uidlist')
  await shell.writeAt(handle, 0, 'old')
  await shell.write('anna/dovecot-uidlist.lock', 'new')
  await shell.rename('anna/dovecot-uidlist.lock', 'anna/dovecot-uidlist')
  t.equal(String(await shell.read('anna/dovecot-uidlist')), 'new')
  t.equal(String(await replica.run(() => replica.vfs.data.read(handle.ino, 0, 9))), 'old')
})

t.test('O_EXCL and RENAME_NOREPLACE keep what is there', async t => {
  const { replica, shell } = await started()
  await shell.write('anna/a.lock', 'a')
  await shell.write('anna/b.lock', 'b')
  const { ino } = (await shell.node('anna')).attr
  t.throws(() => replica.vfs.data.create(ino, 'a.lock', 0o600, O_RDWR | O_EXCL, ME), {
    message: 'EEXIST'
  })
  t.throws(
    () => {
      replica.vfs.names.rename(ino, 'a.lock', ino, 'b.lock', RENAME_NOREPLACE)
    },
    { message: 'EEXIST' }
  )
  t.throws(
    () => {
      replica.vfs.names.rename(ino, 'a.lock', ino, 'b.lock', 4)
    },
    { message: 'EINVAL' }
  )
})

t.test('times have nanoseconds and grow with every change of a volume', async t => {
  const { shell } = await started()
  let last = 0n
  for (let i = 0; i < 10; i++) {
    await shell.write(`anna/${i}.lock`, 'x')
    const { mtime, ctime } = (await shell.node(`anna/${i}.lock`)).attr
    t.ok(mtime > last && ctime === mtime)
    last = mtime
  }
})

t.test('a write that finds no space is refused before it is answered', async t => {
  const host = new SimReplicaHost({
    space: { reserve: bytes => bytes < 5000, totals: () => ({ freeBytes: 0, totalBytes: 0 }) }
  })
  const { shell } = await host.start()
  await shell.mkdir('anna')
  const handle = await shell.open('anna/x.lock')
  await t.rejects(shell.writeAt(handle, 0, Buffer.alloc(10_000)), { message: 'ENOSPC' })
  t.equal((await shell.node('anna/x.lock')).attr.size, 0)
  await shell.unlink('anna/x.lock')
})

t.test('names are bytes and at most 255 of them', async t => {
  const { host, replica, shell } = await started()
  const name = Buffer.from([1, 10, 0x7f, 0x80, 0xff]).toString('latin1')
  await shell.write(`anna/${name}`, 'any bytes')
  await shell.write(`anna/${'n'.repeat(255)}`, 'long')
  await t.rejects(shell.write(`anna/${'n'.repeat(256)}`, ''), { message: 'ENAMETOOLONG' })
  await replica.close()
  host.kill()
  const second = await host.start()
  t.same(await second.shell.list('anna'), ['cur', name, 'n'.repeat(255)])
})

t.test('a directory is not removed while it has names, nor moved into itself', async t => {
  const { replica, shell } = await started()
  const { ino } = (await shell.node('anna')).attr
  await shell.mkdir('anna/cur/below')
  t.throws(
    () => {
      replica.vfs.names.rmdir(ino, 'cur')
    },
    { message: 'ENOTEMPTY' }
  )
  await t.rejects(shell.rename('anna/cur', 'anna/cur/below/cur'), { message: 'EINVAL' })
  await shell.mkdir('anna/new')
  await t.rejects(shell.rename('anna/new', 'anna/cur'), { message: 'ENOTEMPTY' })
  const links = (await shell.node('anna')).attr.nlink
  t.equal(links, 4, 'two, and one for each directory in it')
})
