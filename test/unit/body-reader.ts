import t from 'tap'
import { SimReplicaHost } from '../support/sim-replica-host.ts'

const MIB = 1024 * 1024

t.test('a read of pieces from more blobs than memory holds comes to its end', async t => {
  const host = new SimReplicaHost()
  host.disk.hasPageCache = false
  const first = await host.start()
  await first.shell.mkdir('anna/tmp')
  const handle = await first.shell.open('anna/tmp/1')
  const expected = Buffer.alloc(MIB)
  for (let i = 0; i < 40; i++) {
    expected.fill(i + 1, i * 4096)
    await first.shell.writeAt(handle, i * 4096, expected.subarray(i * 4096))
    await first.shell.fsync('anna/tmp/1')
  }
  await first.replica.close()
  host.kill()
  const { shell } = await host.start()
  t.ok((await shell.read('anna/tmp/1')).equals(expected))
})

t.test('a write between the tries of a read is in what it gives', async t => {
  const host = new SimReplicaHost()
  host.disk.hasPageCache = false
  const first = await host.start()
  await first.shell.mkdir('anna/tmp')
  const handle = await first.shell.open('anna/tmp/1')
  for (const [at, text] of ['first ', 'second', 'third '].entries()) {
    await first.shell.writeAt(handle, at * 6, text)
    await first.shell.fsync('anna/tmp/1')
  }
  await first.replica.close()
  host.kill()
  const { replica, shell } = await host.start()
  const { ino } = (await shell.node('anna/tmp/1')).attr
  const read = () => replica.vfs.data.read(ino, 0, 18)
  // The window first, then one blob of three.
  t.throws(read)
  await replica.answerLoads()
  replica.deliver()
  t.throws(read)
  await replica.answerLoads(1)
  replica.deliver()
  t.throws(read)
  await replica.run(() =>
    replica.vfs.data.write({ ino, offset: 2, data: Buffer.from('REST'), flags: 2 })
  )
  t.equal(String(await replica.run(read)), 'fiRESTsecondthird ')
})

t.test('a large body is checked ahead of whoever reads it in sequence', async t => {
  const host = new SimReplicaHost()
  const first = await host.start()
  await first.shell.mkdir('anna/tmp')
  const expected = Buffer.alloc(6 * MIB, 'a long message ')
  const handle = await first.shell.open('anna/tmp/1')
  for (let at = 0; at < expected.length; at += MIB) {
    await first.shell.writeAt(handle, at, expected.subarray(at, at + MIB))
  }
  await first.shell.fsync('anna/tmp/1')
  await first.replica.close()
  host.kill()
  const { replica, shell } = await host.start()
  const { ino } = (await shell.node('anna/tmp/1')).attr
  const part = MIB / 8
  const target = Buffer.alloc(part)
  let ahead = 0
  for (let at = 0; at < expected.length; at += part) {
    t.equal(await replica.run(() => replica.vfs.data.readInto(ino, at, target)), part)
    t.ok(target.equals(expected.subarray(at, at + part)))
    // The read is over, so this is for those that will follow.
    ahead += replica.loadCount
    await replica.answerLoads()
    replica.deliver()
  }
  // A window and a blob for each megabyte, but for the beginning.
  t.ok(ahead >= 9, `${ahead} loads ahead`)
})
