import t from 'tap'
import { encodeCouncil, decodeCouncil } from '../../lib/council/council-codec.ts'
import { CouncilFold, REQUESTS_IN_FLIGHT_MAX } from '../../lib/council/council-fold.ts'
import type { Command } from '../../lib/council/command.ts'
import { EMPTY_HISTORY } from '../../lib/council/lease-record.ts'
import type { Epoch, ReplicaId, VolumeId } from '../../lib/ids.ts'
import { anonymous, CouncilAsker, foundFold, pointOf } from '../support/council-asker.ts'
import { SimRandom } from '../support/sim-random.ts'

const V = 7 as VolumeId
const DONE = { kind: 'done', refused: [] }
const NOT_FOR_V = { kind: 'done', refused: [V] }
const refusedBy = (why: string) => ({ kind: 'refused', why })
const ids = (...replicas: number[]) => replicas as ReplicaId[]

t.test('a volume that nobody claimed is empty, on 2k - 1 stores', async t => {
  const fold = foundFold(2, ['store', 'store', 'store', 'store', 'witness', 'cache'])
  const lease = fold.leaseOf(V)
  t.match(lease, { epoch: 0, holder: 0, base: EMPTY_HISTORY, copies: 2 })
  t.equal(lease?.dataSet.length, 3)
  t.ok(lease?.dataSet.every(replica => replica <= 4))
  t.same(foundFold(2, ['store']).leaseOf(V)?.copies, 1, 'one store alone keeps one copy')
  t.equal(foundFold(2, ['witness']).leaseOf(V), undefined)
})

t.test('a claim hands the base over once, and raises the epoch by one', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const [a, b] = [new CouncilAsker(fold, 1), new CouncilAsker(fold, 2)]
  t.same(a.claim(V, 0), DONE)
  t.match(fold.leaseOf(V), { epoch: 1, holder: a.session, handed: EMPTY_HISTORY })
  t.same(fold.changed, [V])
  t.equal(fold.leaseOf(V)?.base, undefined)
  t.same(b.claim(V, 1), NOT_FOR_V, 'the holder lives')
  t.same(b.claim(V, 0), NOT_FOR_V, 'the epoch is over')
  t.same(fold.changed, [])
  t.same(anonymous(fold, { kind: 'end', ended: a.session }), DONE)
  t.same(b.claim(V, 1), DONE)
  t.match(fold.leaseOf(V), { epoch: 2, holder: b.session })
  t.equal(fold.leaseOf(V)?.handed, undefined, 'what was handed to one is not handed on')
})

t.test('a holder that cannot go on may claim anew', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const a = new CouncilAsker(fold, 1)
  a.claim(V, 0)
  t.same(a.claim(V, 1), DONE)
  t.match(fold.leaseOf(V), { epoch: 2, holder: a.session })
})

t.test('only the holder grants, in its epoch, and to a session that lives', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const [a, b] = [new CouncilAsker(fold, 1), new CouncilAsker(fold, 2)]
  const grant = (epoch: number, to = b.session): Command => ({
    kind: 'grant',
    volume: V,
    epoch: epoch as Epoch,
    base: pointOf(1, 3),
    to
  })
  a.claim(V, 0)
  t.same(b.ask(grant(1)), refusedBy('notHolder'))
  t.same(a.ask(grant(0)), refusedBy('notHolder'))
  t.same(a.ask(grant(1)), DONE)
  t.match(fold.leaseOf(V), { epoch: 2, holder: b.session, handed: pointOf(1, 3) })
  anonymous(fold, { kind: 'end', ended: a.session })
  t.same(b.ask(grant(2, a.session)), refusedBy('sessionEnded'))
})

t.test('a release keeps the epoch and the base for whoever comes next', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const [a, b] = [new CouncilAsker(fold, 1), new CouncilAsker(fold, 2)]
  a.claim(V, 0)
  const volumes = [{ volume: V, epoch: 1 as Epoch, base: pointOf(1, 9) }]
  t.same(b.ask({ kind: 'release', volumes }), NOT_FOR_V)
  t.same(a.ask({ kind: 'release', volumes }), DONE)
  t.match(fold.leaseOf(V), { epoch: 1, holder: 0, base: pointOf(1, 9) })
  t.same(b.claim(V, 1), DONE)
  t.match(fold.leaseOf(V), { epoch: 2, holder: b.session, handed: pointOf(1, 9) })
})

t.test('a data set changes by its holder, to stores only, in the next epoch', async t => {
  const fold = foundFold(2, ['store', 'store', 'witness'])
  const a = new CouncilAsker(fold, 1)
  a.claim(V, 0)
  const resize = (epoch: number, dataSet: ReplicaId[], copies: number): Command => ({
    kind: 'resize',
    volumes: [{ volume: V, epoch: epoch as Epoch, dataSet, copies }]
  })
  t.same(a.ask(resize(1, ids(1, 3), 1)), NOT_FOR_V, 'a witness has no copies')
  t.same(a.ask(resize(1, ids(1, 1), 2)), NOT_FOR_V, 'nobody counts twice')
  t.same(a.ask(resize(1, ids(1), 2)), NOT_FOR_V, 'more copies than members')
  t.same(a.ask(resize(1, ids(1), 0)), NOT_FOR_V, 'no copy')
  t.same(a.ask(resize(1, ids(1), 1)), DONE)
  t.match(fold.leaseOf(V), { epoch: 2, holder: a.session, dataSet: [1], copies: 1 })
})

t.test('a repeated request is answered and not done again', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const a = new CouncilAsker(fold, 1)
  const command: Command = { kind: 'claim', volumes: [{ volume: V, epoch: 0 as Epoch }] }
  const request = { session: a.session, number: 1, settled: 0, command }
  t.same(fold.apply(request), DONE)
  t.same(fold.apply(request), DONE)
  t.equal(fold.leaseOf(V)?.epoch, 1)
  t.same(fold.apply({ ...request, number: 2, settled: 1 }), NOT_FOR_V)
  t.same(fold.apply(request), refusedBy('settled'), 'its answer was not needed any more')
  t.equal(fold.state.requests.get(a.session)?.answers.size, 1)
})

t.test('answers that are kept for a session are bounded, and gone when it is over', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const a = new CouncilAsker(fold, 1)
  for (let i = 0; i < REQUESTS_IN_FLIGHT_MAX; i++) a.ask({ kind: 'claim', volumes: [] }, 0)
  t.same(a.ask({ kind: 'claim', volumes: [] }, 0), refusedBy('tooMany'))
  t.equal(fold.state.requests.get(a.session)?.answers.size, REQUESTS_IN_FLIGHT_MAX)
  t.same(a.ask({ kind: 'end', ended: a.session }, a.number), DONE)
  t.equal(fold.state.requests.size, 0)
  t.same(a.claim(V, 0), refusedBy('sessionEnded'))
})

t.test('a run opens one session, and a rolled-back or copied directory none', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const open = (boot: number, nonce: string, storeId = 'replica-1') =>
    anonymous(fold, { kind: 'open', replica: 1 as ReplicaId, storeId, boot, nonce })
  t.same(open(5, 'x'), { ...DONE, session: 1 })
  t.same(open(5, 'x'), { ...DONE, session: 1 }, 'a repeated question')
  t.same(open(5, 'y'), refusedBy('boot'), 'another run of the same boot')
  t.same(open(4, 'y'), refusedBy('boot'))
  t.same(open(6, 'y', 'other'), refusedBy('storeId'))
  t.same(open(6, 'y'), { ...DONE, session: 2 })
  t.same(anonymous(fold, { kind: 'end', ended: 1 as never }), refusedBy('sessionEnded'))
  t.same(anonymous(fold, { kind: 'end', ended: 2 as never }), DONE)
  t.same(open(6, 'y'), refusedBy('sessionEnded'))
})

t.test('a member leaves when nothing rests on it', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const a = new CouncilAsker(fold, 1)
  const c = new CouncilAsker(fold, 3)
  a.claim(V, 0)
  const remove = () => a.ask({ kind: 'removeMember', replica: 3 as ReplicaId })
  t.same(remove(), refusedBy('inUse'), 'it votes')
  fold.setVoters(ids(2, 1))
  t.same(fold.state.voters, [1, 2])
  t.same(remove(), refusedBy('sessionAlive'))
  c.ask({ kind: 'end', ended: c.session })
  t.same(remove(), refusedBy('inUse'), 'it is in a data set')
  const volumes = [{ volume: V, epoch: 1 as Epoch, dataSet: ids(1, 2), copies: 2 }]
  a.ask({ kind: 'resize', volumes })
  t.same(remove(), DONE)
  const add = (replica: number, name: string) =>
    a.ask({
      kind: 'addMember',
      replica: replica as ReplicaId,
      key: name,
      storeId: name,
      role: 'store'
    })
  t.same(add(2, 'new'), refusedBy('notNew'))
  t.same(add(4, 'replica-2'), refusedBy('notNew'))
  t.same(add(4, 'new'), DONE)
})

t.test('force is for volumes whose holder is gone, and is remembered', async t => {
  const fold = foundFold(2, ['store', 'store', 'store'])
  const a = new CouncilAsker(fold, 1)
  const b = new CouncilAsker(fold, 2)
  a.claim(V, 0)
  const force: Command = { kind: 'force', volume: V, dataSet: ids(2), copies: 1 }
  t.same(b.ask(force), refusedBy('sessionAlive'))
  anonymous(fold, { kind: 'end', ended: a.session })
  t.same(b.ask(force), DONE)
  t.match(fold.leaseOf(V), { epoch: 2, holder: 0, dataSet: [2], copies: 1, isPossiblyCut: true })
})

t.test('a state that was stored goes on as the one that was not', async t => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new SimRandom(seed)
    const roles = ['store', 'store', 'store', 'witness', 'cache'] as const
    const fold = foundFold(2, roles)
    let restored = foundFold(2, roles)
    for (let step = 0; step < 60; step++) {
      const request = randomRequest(random)
      t.same(restored.apply(request), fold.apply(request))
      const bytes = encodeCouncil(fold.state)
      const again = decodeCouncil(bytes)
      if (!encodeCouncil(again).equals(bytes)) t.fail(`seed ${seed} step ${step}`)
      if (random.chance(0.3)) restored = new CouncilFold(again)
    }
  }
})

t.test('bytes that are no state are refused', async t => {
  const bytes = encodeCouncil(foundFold(2, ['store', 'witness']).state)
  for (let size = 0; size < bytes.length; size++) {
    t.throws(() => decodeCouncil(bytes.subarray(0, size)), { code: 'PROTOCOL' })
  }
  t.throws(() => decodeCouncil(Buffer.concat([bytes, bytes])), { code: 'PROTOCOL' })
})

function randomRequest(random: SimRandom) {
  const session = random.int(6) as never
  const number = session === 0 ? 0 : 1 + random.int(20)
  return { session, number, settled: random.int(3), command: randomCommand(random) }
}

function randomCommand(random: SimRandom): Command {
  const volume = random.int(3) as VolumeId
  const epoch = random.int(4) as Epoch
  const replica = (1 + random.int(5)) as ReplicaId
  const base = pointOf(epoch, random.int(4))
  const dataSet = ids(1, 2, 3, 4).filter(() => random.chance(0.6))
  const copies = 1 + random.int(2)
  return random.pick<Command>([
    { kind: 'open', replica, storeId: `replica-${replica}`, boot: random.int(9), nonce: 'n' },
    { kind: 'end', ended: random.int(6) as never },
    { kind: 'claim', volumes: [{ volume, epoch }] },
    { kind: 'grant', volume, epoch, base, to: random.int(6) as never },
    { kind: 'release', volumes: [{ volume, epoch, base }] },
    { kind: 'resize', volumes: [{ volume, epoch, dataSet, copies }] },
    { kind: 'force', volume, dataSet, copies },
    { kind: 'setVoter', replica, isVoter: random.chance(0.5) },
    { kind: 'removeMember', replica },
    { kind: 'addMember', replica, key: `k${replica}`, storeId: `s${replica}`, role: 'store' }
  ])
}
