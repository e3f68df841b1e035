import t from 'tap'
import type { ReplicaId } from '../../lib/ids.ts'
import { SystemClock } from '../../lib/io/system-clock.ts'
import { PeerRecords } from '../../lib/peer/peer-records.ts'
import type { PeersIdentity, PeersOptions } from '../../lib/peer/peers.ts'
import { newKeyPair } from '../../lib/peer/secure-stream.ts'
import { present } from '../../lib/util/assert.ts'
import { PeerGroup, until } from '../support/peer-group.ts'
import type { GroupPeer } from '../support/peer-group.ts'
import { closed, rawStream } from '../support/raw-member.ts'

const [ONE, TWO] = [1, 2] as [ReplicaId, ReplicaId]
const HOUR_MS = 3_600_000

/** Two members, of which the second begins another run with `changes`. */
async function meetAgain(
  t: { teardown(task: () => Promise<void>): unknown },
  changes: Partial<PeersIdentity>,
  options: Partial<PeersOptions> = {}
): Promise<[GroupPeer, GroupPeer]> {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = (await group.startAll(2)) as [GroupPeer, GroupPeer]
  await two.peers.close()
  await until(() => !one.peers.isUp(TWO))
  await group.start(two, changes, options)
  return [one, two]
}

function refusalAt(peer: GroupPeer): string | undefined {
  return present(peer.peers.figures()[0], 'the other member').refusal
}

const STEPPED_BACK = 'the data directory of replica 2 was rolled back or copied'

const REFUSALS: {
  readonly what: string
  readonly changes: Partial<PeersIdentity>
  readonly options?: Partial<PeersOptions>
  readonly sentence: string
}[] = [
  {
    what: 'of another cluster',
    changes: { clusterId: 'elsewhere' },
    sentence: 'replica 2 belongs to another cluster'
  },
  {
    what: 'with another store',
    changes: { storeId: 'store-3' },
    sentence: 'the data directory of replica 2 is another than the one that became a member'
  },
  {
    what: 'that has been rolled back',
    changes: { boot: 0 },
    sentence: `${STEPPED_BACK}: it is in run 0, and run 1 was seen`
  },
  {
    what: 'that has been copied',
    changes: { boot: 1, nonce: 'of another run' },
    sentence: `${STEPPED_BACK}: two runs have number 1`
  },
  {
    what: 'that is too new',
    changes: {},
    options: { versions: { min: 2, max: 3 } },
    sentence: 'replica 2 is too new: it speaks versions 2 to 3 of the protocol, replica 1 1'
  },
  {
    what: 'that is too old',
    changes: {},
    options: { versions: { min: 0, max: 0 } },
    sentence: 'replica 2 is too old: it speaks versions 0 of the protocol, replica 1 1'
  }
]

for (const { what, changes, options, sentence } of REFUSALS) {
  t.test(`a member ${what} is refused and told why`, async t => {
    const [one, two] = await meetAgain(t, changes, options)
    await until(() => refusalAt(one) !== undefined && refusalAt(two) !== undefined)
    t.equal(refusalAt(one), sentence)
    t.match(refusalAt(two), /replica/)
    t.notOk(one.peers.isUp(TWO))
    t.notOk(two.peers.isUp(ONE))
    t.notOk(two.peers.send(ONE, 'volume', Buffer.from('anybody?')))
    await until(() => one.peers.figures()[0]?.lastEnd === sentence)
    t.equal(one.complaints.filter(line => line === sentence).length, 1, 'it is said once')
    t.same(two.received, [])
  })
}

t.test('a key of no member is cut off before a byte is sent in clear', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one] = (await group.startAll(2)) as [GroupPeer]
  const stranger = await rawStream(group.addressOf(ONE), newKeyPair())
  let frames = 0
  stranger.noise.on('data', () => (frames += 1))
  await closed(stranger.socket)
  t.equal(frames, 0)
  // The one message of Noise by which it proved its own key, and nothing else.
  t.equal(stranger.raw.readByteCount, 3 + 96)
  t.same(one.events, ['up 2'])
})

t.test('whoever stops being a member is disconnected at once, and stays out', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = (await group.startAll(2)) as [GroupPeer, GroupPeer]
  const index = group.members.findIndex(({ replica }) => replica === TWO)
  const [member] = group.members.splice(index, 1)
  one.peers.membersChanged()
  t.same(one.events, ['up 2', 'down 2'])
  t.same(one.peers.figures(), [])
  t.notOk(one.peers.send(TWO, 'volume', Buffer.from('still there?')))
  await until(() => !two.peers.isUp(ONE))
  await until(() => /may not know/.test(two.peers.figures()[0]?.lastEnd ?? ''))
  group.members.push(present(member, 'the second'))
  await until(() => one.peers.isUp(TWO) && two.peers.isUp(ONE))
  t.same(one.events, ['up 2', 'down 2', 'up 2'])
})

t.test('a clock that is an hour off is reported, and does no harm', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = [group.add(1), group.add(2)]
  const clock = new SystemClock()
  await group.start(one)
  await group.start(
    two,
    {},
    {
      clock: {
        nowNs: () => clock.nowNs() + BigInt(HOUR_MS) * 1_000_000n,
        monotonicMs: () => clock.monotonicMs()
      }
    }
  )
  const offsetAt = ({ peers }: GroupPeer): number => peers.figures()[0]?.clockOffsetMs ?? 0
  await until(() => offsetAt(one) !== 0 && offsetAt(two) !== 0)
  t.ok(Math.abs(offsetAt(one) - HOUR_MS) < 60_000)
  t.ok(Math.abs(offsetAt(two) + HOUR_MS) < 60_000)
  t.ok(one.peers.isUp(TWO))
  t.match(one.complaints, [/^the clock of replica 2 is 3600\.\d s ahead$/])
})

t.test('a run that cannot be made durable is not welcomed', async t => {
  const group = new PeerGroup()
  t.teardown(() => group.close())
  const [one, two] = [group.add(1), group.add(2)]
  await group.start(one)
  one.disk.fail('sync', 'EIO', { times: 2 })
  await group.start(two)
  await until(() => refusalAt(one)?.startsWith('the run of replica 2 cannot be noted') === true)
  t.same(one.events, [])
  await until(() => one.peers.isUp(TWO) && two.peers.isUp(ONE))
  t.equal(PeerRecords.read(one.disk).runOf(TWO)?.boot, 1)
  t.equal(refusalAt(one), undefined)
})
