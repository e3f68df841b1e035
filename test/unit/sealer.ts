import t from 'tap'
import type { SimReplica } from '../support/sim-replica.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'
import type { SimReplicaShell } from '../support/sim-replica-shell.ts'

const LARGE = Buffer.alloc(200_000, 'a large body ')
const MIB = 1024 * 1024

async function withFolder(): Promise<{
  host: SimReplicaHost
  replica: SimReplica
  shell: SimReplicaShell
}> {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna/tmp')
  return { host, replica, shell }
}

/** What a restart after a kill finds: everything that was in history. */
async function afterKill(host: SimReplicaHost): Promise<SimReplicaShell> {
  host.kill()
  return (await host.start()).shell
}

const pathsBelow = (host: SimReplicaHost, directory: string): string[] =>
  host.disk.paths().filter(path => path.startsWith(`${directory}/`))

t.test('a body is outside history until it is synced, named or closed', async t => {
  const { host, shell } = await withFolder()
  await shell.writeAt(await shell.open('anna/tmp/1'), 0, 'bytes')
  t.equal((await shell.node('anna/tmp/1')).attr.size, 5)
  const after = await afterKill(host)
  t.equal((await after.node('anna/tmp/1')).attr.size, 0)
})

for (const [what, act] of [
  ['an fsync', shell => shell.fsync('anna/tmp/1')],
  ['an fsync of the directory', shell => shell.fsync('anna/tmp')],
  ['a rename', shell => shell.rename('anna/tmp/1', 'anna/tmp/2')],
  ['a link', shell => shell.link('anna/tmp/1', 'anna/tmp/2')],
  ['a truncate', shell => shell.truncate('anna/tmp/1', 3)]
] as [string, (shell: SimReplicaShell) => Promise<void>][]) {
  t.test(`${what} makes history of what was written`, async t => {
    const { host, shell } = await withFolder()
    await shell.writeAt(await shell.open('anna/tmp/1'), 0, 'bytes')
    await act(shell)
    const after = await afterKill(host)
    const [name = ''] = await after.list('anna/tmp')
    t.match(String(await after.read(`anna/tmp/${name}`)), /^byt/)
  })
}

t.test('a small body rides in the log, and is a file when the store has it', async t => {
  const { host, replica, shell } = await withFolder()
  await shell.write('anna/tmp/1', 'small')
  t.same(pathsBelow(host, 'blobs'), [])
  t.same(pathsBelow(host, 'staged'), [])
  t.equal(String(await shell.read('anna/tmp/1')), 'small')
  await replica.catchUp()
  t.equal(pathsBelow(host, 'blobs').length, 1)
})

t.test('a large body is a durable file before history names it', async t => {
  const { host, replica, shell } = await withFolder()
  await shell.write('anna/tmp/1', LARGE)
  t.equal(pathsBelow(host, 'staged').length, 1)
  await replica.catchUp()
  t.same(pathsBelow(host, 'staged'), [])
  t.equal(pathsBelow(host, 'blobs').length, 1)
})

t.test('the same large body for two users lies on the disk once', async t => {
  const { host, replica, shell } = await withFolder()
  await shell.write('anna/tmp/1', LARGE)
  await shell.write('anna/tmp/2', LARGE)
  await replica.catchUp()
  await replica.catchUp()
  t.equal(pathsBelow(host, 'blobs').length, 1)
  t.same(pathsBelow(host, 'staged'), [])
})

t.test('a body that was staged survives the deletion of its twin', async t => {
  const { host, replica, shell } = await withFolder()
  await shell.write('anna/tmp/1', LARGE)
  const second = await shell.open('anna/tmp/2')
  await shell.writeAt(second, 0, LARGE)
  // Staged by the seal that the close asks for, and named only when that runs again.
  t.throws(() => {
    replica.vfs.data.release(second.fh)
  })
  await replica.answerLoads()
  await replica.catchUp()
  await shell.unlink('anna/tmp/1')
  await replica.catchUp()
  await replica.keeper.writeCheckpoint()
  await shell.close(second)
  await replica.catchUp()
  const after = await afterKill(host)
  t.ok((await after.read('anna/tmp/2')).equals(LARGE))
})

t.test('what was staged and is never named goes when that is clear', async t => {
  const { host, replica, shell } = await withFolder()
  const handle = await shell.open('anna/tmp/1')
  for (let i = 0; i < 2; i++) await shell.writeAt(handle, i * MIB, Buffer.alloc(MIB, i + 1))
  await replica.answerLoads()
  t.equal(pathsBelow(host, 'staged').length, 2, 'full windows are staged while writing goes on')
  await shell.truncate('anna/tmp/1', 0)
  await shell.fsync('anna/tmp/1')
  for (let second = 0; second < 5; second++) {
    replica.vfs.sealIdle()
    await replica.catchUp()
  }
  t.same(pathsBelow(host, 'staged'), [])
})

t.test('an idle body becomes history by itself', async t => {
  const { host, replica, shell } = await withFolder()
  await shell.writeAt(await shell.open('anna/tmp/1'), 0, 'bytes')
  replica.vfs.sealIdle()
  t.equal(replica.vfs.figures()['unsealed'], 1, 'not at the first look')
  replica.vfs.sealIdle()
  t.equal(replica.vfs.figures()['unsealed'], 0)
  t.equal(String(await (await afterKill(host)).read('anna/tmp/1')), 'bytes')
})

t.test('an append to a sealed body adds to it, an overwrite replaces', async t => {
  const { host, shell } = await withFolder()
  await shell.write('anna/tmp/1', 'header and first')
  const handle = await shell.open('anna/tmp/1')
  await shell.writeAt(handle, 16, ', second')
  await shell.fsync('anna/tmp/1')
  await shell.writeAt(handle, 0, 'HEADER')
  await shell.fsync('anna/tmp/1')
  const after = await afterKill(host)
  t.equal(String(await after.read('anna/tmp/1')), 'HEADER and first, second')
})

t.test('a file that no rule names becomes a body when it is large', async t => {
  const { host, replica, shell } = await withFolder()
  const handle = await shell.open('anna/notes')
  await shell.writeAt(handle, 0, Buffer.alloc(60_000, 'n'))
  t.equal((await shell.node('anna/notes')).attr.fileClass, 'general')
  await shell.writeAt(handle, 60_000, Buffer.alloc(60_000, 'm'))
  await shell.fsync('anna/notes')
  t.equal((await shell.node('anna/notes')).attr.fileClass, 'blob')
  await replica.catchUp()
  await replica.keeper.writeCheckpoint()
  t.same(pathsBelow(host, 'containers'), [])
  const bytes = await (await afterKill(host)).read('anna/notes')
  t.ok(bytes.equals(Buffer.concat([Buffer.alloc(60_000, 'n'), Buffer.alloc(60_000, 'm')])))
})

t.test('a hole that makes a file large costs neither memory nor log', async t => {
  const { host, replica, shell } = await withFolder()
  await shell.write('anna/notes', 'head')
  const before = replica.end
  await shell.truncate('anna/notes', 2 ** 39)
  await shell.writeAt(await shell.open('anna/notes'), 2 ** 39, 'tail')
  await shell.fsync('anna/notes')
  t.ok(replica.end - before < 10_000)
  const after = await afterKill(host)
  t.equal((await after.node('anna/notes')).attr.size, 2 ** 39 + 4)
})

t.test('a body in very many pieces is sealed before its entry is too long', async t => {
  const { host, shell } = await withFolder()
  const handle = await shell.open('anna/tmp/1')
  for (let i = 0; i < 5000; i++) await shell.writeAt(handle, i * 20, 'x')
  await shell.fsync('anna/tmp/1')
  const bytes = await (await afterKill(host)).read('anna/tmp/1')
  t.equal(bytes.filter(byte => byte === 0x78).length, 5000)
})
