import t from 'tap'
import type { Ino } from '../../lib/ids.ts'
import { SimReplicaHost } from '../support/sim-replica-host.ts'
import type { SimReplica } from '../support/sim-replica.ts'

t.setTimeout(300_000)

t.test('200 000 names: cookies stay valid over changes and a restart', async t => {
  t.setTimeout(300_000)
  const count = 200_000
  const host = new SimReplicaHost()
  const first = await host.start()
  const { ino } = (await first.shell.mkdir('anna/cur')).attr
  for (let i = 0; i < count; i++) {
    await first.replica.run(() =>
      first.replica.vfs.names.symlink(ino, `n${i}`, '', { uid: 0, gid: 0 })
    )
    if (i % 20_000 === 0) await first.replica.catchUp()
  }
  const all = await cookiesOf(first.replica, ino)
  t.equal(all.size, count)
  const middle = all.get(`n${count / 2}`) as number
  const rest = count / 2 - 1
  for (const name of ['n5', `n${count / 2}`, `n${count / 2 + 7}`]) {
    await first.shell.unlink(`anna/cur/${name}`)
  }
  await first.shell.rename('anna/cur/n6', 'anna/cur/n6.moved')
  const changed = await cookiesOf(first.replica, ino, middle)
  t.equal(changed.size, rest - 1 + 1, 'from the middle on, without what went, with what came')
  await first.replica.close()
  host.kill()
  const second = await host.start()
  const again = await cookiesOf(second.replica, ino, middle)
  t.equal(again.size, changed.size)
  let isSame = true
  for (const [name, cookie] of again) {
    const before = all.get(name) ?? cookie
    isSame &&= changed.get(name) === cookie && before === cookie
  }
  t.ok(isSame, 'every name has the cookie that it had before')
})

async function cookiesOf(replica: SimReplica, ino: Ino, from = 2): Promise<Map<string, number>> {
  return replica.run(() => {
    const cookies = new Map<string, number>()
    replica.vfs.names.readdir(ino, from, ({ name, dirent: { cookie } }) => {
      cookies.set(name, cookie)
      return true
    })
    return cookies
  })
}
