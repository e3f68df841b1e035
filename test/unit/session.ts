import t from 'tap'
import { CouncilClient, type ClientOutput } from '../../lib/council/council-client.ts'
import { REQUESTS_IN_FLIGHT_MAX } from '../../lib/council/council-fold.ts'
import type { CouncilMessage } from '../../lib/council/council-message.ts'
import { DRIFT, HEALTH_MS, isHealthy, TTL_MS } from '../../lib/council/session.ts'
import type { ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'

const VOTERS = [1, 2, 3].map(replica => replica as ReplicaId)

t.test('a part that gives no sign of life keeps the session from being renewed', async t => {
  const now = 10_000
  t.ok(isHealthy({ servedAt: now - HEALTH_MS, syncingSince: undefined }, now))
  t.notOk(isHealthy({ servedAt: now - HEALTH_MS - 1, syncingSince: undefined }, now))
  t.ok(isHealthy({ servedAt: now, syncingSince: now - HEALTH_MS }, now))
  t.notOk(isHealthy({ servedAt: now, syncingSince: now - HEALTH_MS - 1 }, now))
  const client = opened()
  const health = { servedAt: 0, syncingSince: undefined }
  t.same(sentBy(client.tick(HEALTH_MS + 1, health)), [])
})

t.test('a session is valid from the moment it asked, not from the answer', async t => {
  const client = opened()
  t.notOk(client.isValid(0), 'not before a first renewal')
  const [renew] = sentBy(client.tick(1000, healthy(1000)))
  t.match(renew, { kind: 'renew', session: 5 })
  client.hear({ kind: 'renewed', id: idOf(renew), isAlive: true }, 1900)
  t.ok(client.isValid(1000 + TTL_MS * (1 - DRIFT) - 1))
  t.notOk(client.isValid(1000 + TTL_MS * (1 - DRIFT)))
})

t.test('a session that the council has ended answers nothing any more', async t => {
  const client = opened()
  const [first] = sentBy(client.tick(1000, healthy(1000)))
  client.hear({ kind: 'renewed', id: idOf(first), isAlive: true }, 1001)
  const [second] = sentBy(client.tick(1400, healthy(1400)))
  const outputs = client.hear({ kind: 'renewed', id: idOf(second), isAlive: false }, 1401)
  t.match(outputs, [{ kind: 'ended', session: 5 }])
  t.notOk(client.isValid(1402))
  t.same(client.tick(5000, healthy(5000)), [])
})

t.test(
  'a command is put again, to others too, with the same number until it is answered',
  async t => {
    const client = opened()
    const command = { kind: 'end', ended: 4 as SessionId } as const
    const { number, outputs } = client.request(command, 1000)
    const [first] = sentBy(outputs)
    t.match(first, { kind: 'request', request: { session: 5, number, command } })
    const again = sentBy(client.tick(1500, { servedAt: 0, syncingSince: undefined }))
    t.match(again, [{ kind: 'request', request: { number } }])
    t.not(idOf(again[0]), idOf(first))
    const answer = { kind: 'done', refused: [] } as const
    t.same(client.hear({ kind: 'answer', id: idOf(first), answer }, 1501), [], 'too late')
    t.match(client.hear({ kind: 'answer', id: idOf(again[0]), answer }, 1502), [
      { kind: 'answered', number }
    ])
    const next = client.request(command, 1503)
    t.match(sentBy(next.outputs), [{ request: { number: number + 1, settled: number } }])
  }
)

t.test('whoever is not the leader names it, and is asked no more', async t => {
  const client = opened()
  const [renew] = sentBy(client.tick(1000, healthy(1000)))
  const elsewhere = { kind: 'elsewhere', id: idOf(renew), leader: 3 as ReplicaId } as const
  t.match(client.hear(elsewhere, 1001), [{ kind: 'send', to: 3, message: { kind: 'renew' } }])
  t.match(client.tick(1400, healthy(1400)), [{ to: 3 }])
})

t.test('whoever begins to lead is asked at once what nobody has answered', async t => {
  const client = opened()
  const { number } = client.request({ kind: 'end', ended: 4 as SessionId }, 1000)
  client.read(8 as VolumeId, 1000)
  const outputs = client.lead(2 as ReplicaId, 1010)
  t.match(outputs, [
    { to: 2, message: { kind: 'request', request: { number } } },
    { to: 2, message: { kind: 'read', volume: 8 } }
  ])
  t.match(client.read(9 as VolumeId, 1011), [{ to: 2 }])
})

t.test('only as much is asked at once as the council keeps answers for', async t => {
  const client = opened()
  const asked: CouncilMessage[] = []
  for (let i = 0; i < REQUESTS_IN_FLIGHT_MAX + 5; i++) {
    asked.push(...sentBy(client.request({ kind: 'end', ended: 4 as SessionId }, 1000).outputs))
  }
  t.equal(asked.length, REQUESTS_IN_FLIGHT_MAX)
  const answer = { kind: 'done', refused: [] } as const
  const second = client.hear({ kind: 'answer', id: idOf(asked[1]), answer }, 1001)
  t.same(sentBy(second), [], 'the first is not answered')
  const first = client.hear({ kind: 'answer', id: idOf(asked[0]), answer }, 1002)
  t.match(sentBy(first), [
    { request: { number: REQUESTS_IN_FLIGHT_MAX + 1, settled: 2 } },
    { request: { number: REQUESTS_IN_FLIGHT_MAX + 2, settled: 2 } }
  ])
  t.equal(client.unanswered.length, REQUESTS_IN_FLIGHT_MAX + 3)
})

t.test('whoever is no member asks again, whoever was rolled back does not', async t => {
  for (const why of ['notMember', 'boot'] as const) {
    const client = newClient()
    const [open] = sentBy(client.tick(0, healthy(0)))
    const answer = { kind: 'refused', why } as const
    t.same(client.hear({ kind: 'answer', id: idOf(open), answer }, 1), [{ kind: 'refused', why }])
    t.equal(client.isEnded, why === 'boot')
    t.match(sentBy(client.tick(50, healthy(50))), why === 'boot' ? [] : [{ kind: 'request' }])
  }
})

t.test('what was answered to a run before is not taken for an answer', async t => {
  const before = newClient(7)
  const [open] = sentBy(before.tick(0, healthy(0)))
  const client = newClient(8)
  const [own] = sentBy(client.tick(1, healthy(1)))
  const answer = (session: number) => {
    return { kind: 'done', session: session as SessionId, refused: [] } as const
  }
  t.same(client.hear({ kind: 'answer', id: idOf(open), answer: answer(5) }, 2), [])
  t.equal(client.session, 0, 'the session of the run that is dead is not its own')
  client.hear({ kind: 'answer', id: idOf(own), answer: answer(6) }, 3)
  t.equal(client.session, 6)
  const [renew] = sentBy(before.lead(1 as ReplicaId, 4))
  t.same(client.hear({ kind: 'renewed', id: idOf(renew), isAlive: false }, 5), [])
  t.notOk(client.isEnded)
})

t.test('the numbers of questions can be written, however many runs there were', async t => {
  const client = newClient(999_999_999_999_999)
  const [open] = sentBy(client.tick(0, healthy(0)))
  t.ok(Number.isSafeInteger(idOf(open) + 1_000_000_000))
})

t.test('questions of others are not taken for answers', async t => {
  const client = opened()
  const [renew] = sentBy(client.tick(1000, healthy(1000)))
  const id = idOf(renew)
  t.same(client.hear({ kind: 'renew', id, session: 9 as SessionId }, 1001), [])
  client.hear({ kind: 'renewed', id, isAlive: true }, 1002)
  t.ok(client.isValid(1002))
})

function opened(): CouncilClient {
  const client = newClient()
  const [open] = sentBy(client.tick(0, healthy(0)))
  const answer = { kind: 'done', session: 5 as SessionId, refused: [] } as const
  client.hear({ kind: 'answer', id: idOf(open), answer }, 0)
  return client
}

function newClient(boot = 1): CouncilClient {
  const identity = { replica: 1 as ReplicaId, storeId: 's', boot, nonce: 'n' }
  return new CouncilClient(identity, VOTERS)
}

function sentBy(outputs: readonly ClientOutput[]): CouncilMessage[] {
  return outputs.flatMap(output => (output.kind === 'send' ? [output.message] : []))
}

function idOf(message: CouncilMessage | undefined): number {
  if (message === undefined) throw new Error('nothing was sent')
  return message.id
}

function healthy(now: number): { servedAt: number; syncingSince: undefined } {
  return { servedAt: now, syncingSince: undefined }
}
