import t from 'tap'
import { checkServed } from '../../lib/fsck/fsck.ts'
import type { LiveView } from '../../lib/keeper/live-view.ts'
import type { SimDisk } from '../support/sim-disk.ts'
import { exportedMap } from '../support/exported-map.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'
import type { SimReplica } from '../support/sim-replica.ts'
import type { SimReplicaShell } from '../support/sim-replica-shell.ts'

const OPTIONS = { onProgress: () => undefined, pace: () => Promise.resolve() }
const LARGE = Buffer.alloc(200_000, 'a body that is staged\n')

async function withTree(): Promise<{
  host: SimReplicaHost
  replica: SimReplica
  shell: SimReplicaShell
}> {
  const host = new SimReplicaHost()
  const { replica, shell } = await host.start()
  await shell.mkdir('anna/cur')
  await shell.write('anna/cur/1', 'a message')
  await shell.write('anna/cur/2', LARGE)
  await shell.write('anna/kept.lock', 'kept')
  await shell.write('anna/changed.lock', 'before')
  await shell.write('anna/removed.lock', 'before')
  await shell.write('anna/cut.lock', 'before')
  await shell.link('anna/cur/1', 'anna/linked')
  await replica.catchUp()
  return { host, replica, shell }
}

/** Everything that a store can do to what a view has seen. */
async function changeAll(replica: SimReplica, shell: SimReplicaShell): Promise<void> {
  await shell.unlink('anna/cur/1')
  await shell.unlink('anna/linked')
  await shell.unlink('anna/cur/2')
  await shell.unlink('anna/removed.lock')
  await shell.truncate('anna/cut.lock', 2)
  await shell.write('anna/changed.lock', 'later, and longer')
  await shell.write('anna/new.lock', 'made later')
  await replica.catchUp()
  await replica.keeper.writeCheckpoint()
  // The same blob comes back while it waits to be deleted.
  await shell.write('anna/cur/3', LARGE)
  await replica.catchUp()
  await replica.keeper.writeCheckpoint()
}

function blobsOn(disk: SimDisk): string[] {
  return disk.paths().filter(path => path.startsWith('blobs/'))
}

t.test('a view stands still while everything changes', async t => {
  const { host, replica, shell } = await withTree()
  const view = await replica.keeper.openView(() => true)
  const before = await exportedMap(view)
  t.equal(Object.keys(before).length, 9)
  await changeAll(replica, shell)
  t.same(await exportedMap(view), before)
  const later = await replica.keeper.openView(() => true)
  t.notSame(await exportedMap(later), before)
  t.ok(
    host.disk.paths().some(path => path.startsWith('staged/view-')),
    'containers were copied'
  )
  t.equal(blobsOn(host.disk).length, 2, 'and no blob was deleted')
  await view.close()
  await later.close()
  t.notOk(
    host.disk.paths().some(path => path.startsWith('staged/')),
    'the copies are gone'
  )
  await replica.keeper.writeCheckpoint()
  t.equal(blobsOn(host.disk).length, 1, 'and so is what was deleted')
})

t.test('a check beside a daemon that changes everything finds nothing', async t => {
  const { host, replica, shell } = await withTree()
  let changes = 0
  const opened: LiveView[] = []
  const report = await checkServed(
    async () => {
      const live = await replica.keeper.openView(() => true)
      opened.push(live)
      // Each thing that is looked at finds the store changed once more.
      const changing = async (): Promise<void> => {
        changes++
        await shell.write(`anna/cur/${String(changes)}.new`, `message ${String(changes)}`)
        if (changes === 3) await changeAll(replica, shell)
        else await replica.catchUp()
        if (changes % 5 === 0) await replica.keeper.writeCheckpoint()
      }
      return {
        applied: live.applied,
        checkpoint: live.checkpoint,
        disk: live.disk,
        get: async key => (await changing(), live.get(key)),
        getAll: async all => (await changing(), live.getAll(all)),
        range: async (...args) => (await changing(), live.range(...args)),
        containerSizes: async inos => (await changing(), live.containerSizes(inos)),
        readContainer: (...args) => live.readContainer(...args),
        confirm: () => live.confirm(),
        close: () => live.close(),
        releaseLog: async () => {
          live.holdsLog = false
          await changing()
        }
      }
    },
    host.disk,
    OPTIONS
  )
  t.same(report.problems, [])
  t.ok(changes > 10, `${String(changes)} changes`)
  t.equal(opened.length, 2, 'new files were looked for in a second view')
  t.equal(report.figures.bodies, 2)
})

t.test('a view is given up when nobody uses it, and says so', async t => {
  const { replica } = await withTree()
  let isUsed = true
  const view = await replica.keeper.openView(() => isUsed)
  await replica.keeper.writeCheckpoint()
  await view.confirm()
  isUsed = false
  await replica.keeper.writeCheckpoint()
  await t.rejects(view.range('a', 'z', 1), {
    code: 'VIEW_LOST',
    message: 'VIEW_LOST: the view of the running store was given up: nobody asked for a while'
  })
})

t.test('a view is given up when the store has to be opened anew', async t => {
  const { host, replica, shell } = await withTree()
  const view = await replica.keeper.openView(() => true)
  host.store.failWrites(1)
  await shell.write('anna/more.lock', 'more')
  await t.rejects(replica.catchUp(), { code: 'STORE_FAILED' })
  await t.rejects(
    replica.keeper.openView(() => true),
    { code: 'STORE_FAILED' }
  )
  await replica.catchUp()
  await t.rejects(view.confirm(), { message: /the store had to be opened anew$/ })
  const again = await replica.keeper.openView(() => true)
  t.ok('anna/more.lock' in (await exportedMap(again)))
})

t.test('a view keeps the log that it needs, until it is told', async t => {
  const { host, replica, shell } = await withTree()
  const segments = (): string[] => host.disk.paths().filter(path => path.endsWith('.seg'))
  const view = await replica.keeper.openView(() => true)
  const megabyte = Buffer.alloc(1024 * 1024, 1)
  const handle = await shell.open('anna/dovecot.index.log')
  for (let i = 0; i < 18; i++) await shell.writeAt(handle, 0, megabyte)
  await replica.catchUp()
  await replica.keeper.writeCheckpoint()
  t.equal(segments().length, 2)
  view.holdsLog = false
  await replica.keeper.writeCheckpoint()
  t.equal(segments().length, 1)
  await view.close()
})
