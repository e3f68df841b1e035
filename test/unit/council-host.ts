import { join } from 'node:path'
import { mkdirSync } from 'node:fs'
import t from 'tap'
import type { Test } from 'tap'
import { foundCouncil } from '../../lib/council/council-state.ts'
import { foundedState } from '../../lib/council/founding.ts'
import type { HistoryPoint } from '../../lib/council/lease-record.ts'
import type { Epoch, Index, ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'
import { bootMs } from '../../lib/io/boot-clock.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { CouncilHosts, opened, until, type TestMember } from '../support/council-hosts.ts'

const ONE = 1 as ReplicaId
const FOUNDER = { replica: ONE, key: 'key-1', storeId: 'store-1', role: 'store' } as const
const HEAD = { epoch: 7 as Epoch, index: 41 as Index, hash: 'ab' }
const OLD = 5 as VolumeId
const NEW = 9 as VolumeId
const DONE = { kind: 'done', refused: [] } as const

t.test('a voter alone decides, and goes on behind the history that it founded with', async t => {
  const { hosts, one } = await alone(t)
  t.equal(await opened(one), 20, 'higher than any session before')
  t.equal(one.host.isLeader, true)
  t.match(one.host.leaseView(OLD), { record: { epoch: 7, holder: 0, base: HEAD, copies: 1 } })
  t.same(await hosts.ask(one, claim(OLD, 7)), DONE)
  t.match(one.news.leases.get(OLD), {
    record: { epoch: 8, holder: 20, base: undefined, handed: HEAD, dataSet: [1] },
    holder: ONE
  })
  t.same(await hosts.ask(one, claim(OLD, 7)), { kind: 'done', refused: [OLD] }, 'too late')
})

t.test('what was decided is there after a restart, and the session is another', async t => {
  const { hosts, one, path } = await alone(t)
  await opened(one)
  await hosts.ask(one, claim(OLD, 7))
  await hosts.stop(1)
  const again = await hosts.start(1, path(1))
  t.equal(await opened(again), 21)
  const view = await until(() => again.host.leaseView(OLD))
  t.match(view, { record: { epoch: 8, holder: 20 }, holder: undefined }, 'nobody holds it now')
  t.same(await hosts.ask(again, claim(OLD, 8)), DONE)
})

t.test('three members claim, grant, resize and release', async t => {
  const { hosts, members } = await three(t)
  const [one, two] = members as [TestMember, TestMember]
  const [, second] = await Promise.all(members.map(opened))
  t.same(await hosts.ask(one, claim(NEW, 0)), DONE)
  const base = point(1, 3)
  const to = second as SessionId
  const grant = { kind: 'grant', volume: NEW, epoch: 1 as Epoch, base, to } as const
  t.same(await hosts.ask(one, grant), DONE)
  for (const { news } of members) {
    const view = await until(() => atEpoch(news.leases.get(NEW), 2))
    t.match(view, { record: { holder: second, handed: base }, holder: 2 }, 'told everywhere')
  }
  const resized = { volume: NEW, epoch: 2 as Epoch, dataSet: [one.id, two.id], copies: 2 }
  t.same(await hosts.ask(two, { kind: 'resize', volumes: [resized] }), DONE)
  const released = { volume: NEW, epoch: 3 as Epoch, base: point(3, 8) }
  t.same(await hosts.ask(two, { kind: 'release', volumes: [released] }), DONE)
  one.news.leases.clear()
  one.host.read(NEW)
  const read = await until(() => one.news.leases.get(NEW))
  t.match(read, { record: { epoch: 3, holder: 0, base: point(3, 8), dataSet: [1, 2] } })
})

t.test('when the leader is gone another leads, and its session is ended', async t => {
  const { hosts, members } = await three(t)
  await Promise.all(members.map(opened))
  const leader = await hosts.leader()
  t.same(await hosts.ask(leader, claim(NEW, 0)), DONE)
  await hosts.stop(leader.id)
  const other = await hosts.leader()
  t.not(other.id, leader.id)
  const view = await until(() => {
    const seen = other.host.leaseView(NEW)
    return seen?.holder === undefined && seen
  })
  t.match(view, { record: { epoch: 1 } })
  t.same(await hosts.ask(other, claim(NEW, 1)), DONE)
  t.equal(other.news.ends, 0, 'its own session goes on')
})

t.test('a leader that is cut off answers nothing alone, and follows when it is back', async t => {
  const { hosts, members } = await three(t)
  await Promise.all(members.map(opened))
  const leader = await hosts.leader()
  t.same(await hosts.ask(leader, claim(NEW, 0)), DONE)
  const others = members.filter(member => member !== leader)
  for (const { host } of others) await until(() => atEpoch(host.leaseView(NEW), 1))
  hosts.cut.add(leader.id)
  const [other] = others as [TestMember]
  await until(() => others.some(({ host }) => host.isLeader))
  await until(() => other.host.leaseView(NEW)?.holder === undefined)
  t.ok(leader.host.validUntil < bootMs(), 'it stopped before it was ended')
  t.notOk(leader.host.isLeader)
  t.same(await hosts.ask(other, claim(NEW, 1)), DONE)
  hosts.cut.clear()
  await until(() => leader.news.ends === 1 && leader.news.sessions.length === 2)
  const view = await until(() => atEpoch(leader.host.leaseView(NEW), 2))
  t.equal(view.holder, other.id)
})

t.test('a session that is not renewed ends, and another begins with a higher boot', async t => {
  const { hosts, members } = await three(t)
  const [one] = members as [TestMember]
  const session = await opened(one)
  one.health.servedAt = 0
  await until(() => one.host.state.members.get(ONE)?.isAlive === false)
  one.health.servedAt = 'now'
  await until(() => one.news.ends > 0)
  const next = await until(() => one.news.sessions[1])
  t.ok(next > session)
  t.same(await hosts.ask(one, claim(NEW, 0)), DONE)
  t.equal(await until(() => one.host.leaseView(NEW)?.record.holder), next)
})

t.test('who leaves is not waited for, and opens no session', async t => {
  const { hosts, members } = await three(t)
  await Promise.all(members.map(opened))
  const [one, two] = members as [TestMember, TestMember]
  await hosts.ask(one, claim(NEW, 0))
  await one.host.leave()
  t.equal(one.host.validUntil, 0)
  await until(() => two.host.state.members.get(ONE)?.isAlive === false)
  t.same(await hosts.ask(two, claim(NEW, 1)), DONE)
  await until(() => one.news.ends > 0)
  t.equal(one.host.session, 0)
})

t.test('a member joins with nothing, and then votes', async t => {
  const { hosts, one, path } = await alone(t)
  await opened(one)
  await hosts.ask(one, claim(OLD, 7))
  const two = await hosts.start(2, path(2), { hints: [ONE] })
  await until(() => two.news.refusals.includes('notMember'))
  const added = { replica: two.id, key: 'key-2', storeId: 'store-2', role: 'store' } as const
  t.same(await hosts.ask(one, { kind: 'addMember', ...added }), DONE)
  await opened(two)
  t.match(await until(() => two.host.leaseView(OLD)), { record: { epoch: 8 }, holder: ONE })
  t.same(await hosts.ask(two, { kind: 'setVoter', replica: two.id, isVoter: true }), DONE)
  await until(() => two.news.voters.length === 2 && one.news.voters.length === 2)
  t.same(await hosts.ask(two, claim(NEW, 0)), DONE, 'both take part')
  await hosts.stop(2)
  const again = await hosts.start(2, path(2))
  await opened(again)
  t.same(again.host.figures.voters, [1, 2], 'it knows them without being told')
})

t.test('a directory that was copied or rolled back gets no session', async t => {
  const { hosts, one } = await alone(t)
  await opened(one)
  const added = { replica: 2 as ReplicaId, key: 'key-2', storeId: 'other', role: 'store' } as const
  await hosts.ask(one, { kind: 'addMember', ...added })
  const two = await hosts.start(2, t.testdir({}), { hints: [ONE] })
  await until(() => two.news.refusals.length > 0)
  t.same(two.news.refusals, ['storeId'])
})

t.test('many requests at once are all done', async t => {
  const { hosts, members } = await three(t)
  const [one] = members as [TestMember]
  await opened(one)
  const volumes = Array.from({ length: 600 }, (_, i) => (100 + i) as VolumeId)
  const answers = await Promise.all(volumes.map(volume => hosts.ask(one, claim(volume, 0))))
  t.same(
    answers.filter(({ kind }) => kind === 'refused'),
    []
  )
})

t.test('what is asked for from within a callback is done', async t => {
  const { hosts, one } = await alone(t)
  await opened(one)
  const released = { volume: NEW, epoch: 1 as Epoch, base: point(1, 1) }
  let number = 0
  one.news.lease = (_volume, { record }) => {
    if (record.epoch === 1 && record.base === undefined) {
      number = one.host.request({ kind: 'release', volumes: [released] })
    }
  }
  await hosts.ask(one, claim(NEW, 0))
  await until(() => one.news.answers.get(number))
  t.match(one.host.leaseView(NEW), { record: { epoch: 1, holder: 0, base: point(1, 1) } })
})

t.test('what was asked for without a session is done in the next', async t => {
  const { hosts, path } = setting(t)
  const founded = foundedState({
    copies: 1,
    founder: FOUNDER,
    volumes: [],
    firstSession: 1 as SessionId
  })
  const one = await hosts.start(1, path(1), { founded })
  t.equal(one.host.session, 0)
  t.same(await hosts.ask(one, claim(NEW, 0)), DONE)
})

t.test('a disk that fails ends it, and says so', async t => {
  const { hosts } = setting(t)
  const disk = new SimDisk()
  const founded = foundCouncil(1, [{ ...FOUNDER, isVoter: true }])
  const one = await hosts.start(1, disk, { founded })
  await opened(one)
  disk.fail('sync', 'EIO')
  const number = one.host.request(claim(NEW, 0))
  await until(() => one.news.failures.length > 0)
  t.match(one.news.failures, [/^COUNCIL_FAILED: sync of the council's log: EIO/])
  t.equal(one.news.answers.get(number), undefined, 'nothing rests on what is not there')
})

t.test('nonsense is dropped and told of once', async t => {
  const { hosts, one } = await alone(t)
  await opened(one)
  for (const bytes of ['', 'nonsense', '\x01\x00\xff']) {
    one.host.hear(9 as ReplicaId, Buffer.from(bytes, 'latin1'))
  }
  t.equal(one.news.warnings.length, 1)
  t.match(one.news.warnings[0], /replica 9 sends the council nonsense/)
  t.same(await hosts.ask(one, claim(OLD, 7)), DONE)
})

interface Setting {
  readonly hosts: CouncilHosts
  /** The directory of a member. */
  readonly path: (id: number) => string
}

function setting(t: Test): Setting {
  const root = t.testdir({})
  const hosts = new CouncilHosts()
  t.teardown(() => hosts.stopAll())
  const path = (id: number): string => {
    const directory = join(root, String(id))
    mkdirSync(directory, { recursive: true })
    return directory
  }
  return { hosts, path }
}

/** A founder that had one volume before. */
async function alone(t: Test): Promise<Setting & { one: TestMember }> {
  const { hosts, path } = setting(t)
  const founded = foundedState({
    copies: 2,
    founder: FOUNDER,
    volumes: [{ volume: OLD, head: HEAD }],
    firstSession: 20 as SessionId
  })
  return { hosts, path, one: await hosts.start(1, path(1), { founded }) }
}

async function three(t: Test): Promise<Setting & { members: TestMember[] }> {
  const { hosts, path } = setting(t)
  const members = await Promise.all(
    [1, 2, 3].map(id => {
      const founders = [1, 2, 3].map(each => ({
        replica: each as ReplicaId,
        key: `key-${each}`,
        storeId: `store-${each}`,
        role: 'store' as const,
        isVoter: true
      }))
      return hosts.start(id, path(id), { founded: foundCouncil(2, founders) })
    })
  )
  return { hosts, path, members }
}

function claim(volume: VolumeId, epoch: number) {
  return { kind: 'claim', volumes: [{ volume, epoch: epoch as Epoch }] } as const
}

function point(epoch: number, index: number): HistoryPoint {
  return { epoch: epoch as Epoch, index: index as Index, hash: `${epoch}-${index}` }
}

function atEpoch<View extends { record: { epoch: number } }>(
  view: View | undefined,
  epoch: number
): View | undefined {
  return view?.record.epoch === epoch ? view : undefined
}
