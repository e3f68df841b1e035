import t from 'tap'
import type { ReplicaId } from '../../lib/ids.ts'
import { createLogger } from '../../lib/io/logger.ts'
import {
  foundCluster,
  newReplicaKeys,
  readClusterIdentity,
  writeClusterIdentity
} from '../../lib/peer/cluster-identity.ts'
import { decodeToken, encodeToken } from '../../lib/peer/invite-token.ts'
import { Invites, proofOf, verifierOf } from '../../lib/peer/invites.ts'
import { joinCluster } from '../../lib/peer/join-cluster.ts'
import type { Joiner } from '../../lib/peer/join-cluster.ts'
import { JoinDesk, NO_INVITE } from '../../lib/peer/join-desk.ts'
import type { Applicant } from '../../lib/peer/join-desk.ts'
import { memberIdentity } from '../../lib/peer/member-identity.ts'
import { CLUSTER_ID, PeerGroup, until } from '../support/peer-group.ts'
import type { GroupPeer } from '../support/peer-group.ts'
import { closed, rawStream } from '../support/raw-member.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'

const [ONE, TWO] = [1, 2] as [ReplicaId, ReplicaId]
const HOUR_MS = 3_600_000
const START_MS = 1_800_000_000_000

/** One member that takes others in, as its council would have it. */
class Inviter {
  readonly group = new PeerGroup()
  readonly one: GroupPeer = this.group.add(1)
  readonly admitted: Applicant[] = []
  readonly complaints: string[] = []
  invites = Invites.read(this.one.disk)
  /** What the council says to the next applicant, if it is not to be a member. */
  failure: Error | undefined
  wallMs = START_MS

  async start(): Promise<void> {
    const joins = new JoinDesk({
      invites: this.invites,
      cluster: () => ({
        clusterId: CLUSTER_ID,
        members: this.group.members.map(member => ({ ...member, addresses: ['192.0.2.1:1'] })),
        volumeDepth: 2,
        copies: 3
      }),
      admit: applicant => this.#admit(applicant),
      logger: createLogger('test', line => this.complaints.push(line)),
      wallMs: () => this.wallMs
    })
    await this.group.start(this.one, {}, { joins })
  }

  get key(): string {
    return this.one.keyPair.publicKey.toString('hex')
  }

  invite(ttlMs = HOUR_MS): Promise<string> {
    return this.invites.create(this.key, [this.group.addressOf(ONE)], ttlMs, this.wallMs)
  }

  async #admit(applicant: Applicant): Promise<{ replica: ReplicaId }> {
    await Promise.resolve()
    if (this.failure !== undefined) throw this.failure
    this.admitted.push(applicant)
    const replica = (this.group.members.length + 1) as ReplicaId
    const { key, storeId, role } = applicant
    this.group.members.push({ replica, key, storeId, role })
    return { replica }
  }
}

async function startInviter(t: { teardown(task: () => Promise<void>): unknown }): Promise<Inviter> {
  const inviter = new Inviter()
  t.teardown(() => inviter.group.close())
  await inviter.start()
  return inviter
}

function newJoiner(changes: Partial<Joiner> = {}): Joiner {
  const keys = newReplicaKeys()
  return { keys, storeId: 'store-2', role: 'store', listen: '0.0.0.0:4711', ...changes }
}

t.test('an invite makes one member, which then talks', async t => {
  const inviter = await startInviter(t)
  const token = await inviter.invite()
  t.match(token, /^roost1-[\w-]+$/)
  const joiner = newJoiner({ role: 'witness' })
  const welcome = await joinCluster(token, joiner)
  const key = joiner.keys.publicKey
  t.same(inviter.admitted, [{ key, storeId: 'store-2', role: 'witness', listen: '127.0.0.1:4711' }])
  t.match(welcome, { clusterId: CLUSTER_ID, replica: 2, volumeDepth: 2, copies: 3 })
  t.same(welcome.members, [
    { ...inviter.group.members[0], addresses: ['192.0.2.1:1'] },
    { replica: 2, key, storeId: 'store-2', role: 'witness', addresses: ['127.0.0.1:4711'] }
  ])
  await t.rejects(joinCluster(token, newJoiner()), { code: 'PEER_FAILED' })
  t.equal(inviter.admitted.length, 1)
  inviter.one.peers.membersChanged()
  const disk = new SimDisk()
  await writeClusterIdentity(disk, memberIdentity(joiner, welcome, 'second'))
  const identity = readClusterIdentity(disk)
  t.match(identity, { replica: 2, name: 'second', role: 'witness', listen: '0.0.0.0:4711' })
  t.same(identity?.founders, welcome.members)
  const keyPair = {
    publicKey: Buffer.from(identity?.publicKey ?? '', 'hex'),
    secretKey: Buffer.from(identity?.secretKey ?? '', 'hex')
  }
  const two: GroupPeer = { ...inviter.one, replica: TWO, keyPair, disk }
  inviter.group.all.set(2, two)
  await inviter.group.start(two)
  await until(() => inviter.one.peers.isUp(TWO) && two.peers.isUp(ONE))
})

t.test('a used invite stays used over a restart, and another is good still', async t => {
  const inviter = await startInviter(t)
  const [used, other] = [await inviter.invite(), await inviter.invite()]
  await joinCluster(used, newJoiner())
  await inviter.one.peers.close()
  inviter.invites = Invites.read(inviter.one.disk)
  await inviter.start()
  const { key, invite, secret, expiresMs } = decodeToken(used)
  const addresses = [inviter.group.addressOf(ONE)]
  const again = encodeToken({ key, invite, secret, expiresMs, addresses })
  await t.rejects(joinCluster(again, newJoiner()), { message: new RegExp(NO_INVITE) })
  const good = encodeToken({ ...decodeToken(other), addresses })
  t.equal((await joinCluster(good, newJoiner({ storeId: 'store-3' }))).replica, 3)
})

t.test('expired, unknown and wrong secrets are refused with the same sentence', async t => {
  const inviter = await startInviter(t)
  const token = decodeToken(await inviter.invite())
  const [wrong, unknown] = [Buffer.from(token.secret), '00'.repeat(8)]
  wrong[0] = (wrong[0] ?? 0) ^ 1
  const refusal = { message: `PEER_FAILED: the inviter refused: ${NO_INVITE}` }
  await t.rejects(joinCluster(encodeToken({ ...token, secret: wrong }), newJoiner()), refusal)
  await t.rejects(joinCluster(encodeToken({ ...token, invite: unknown }), newJoiner()), refusal)
  const short = await inviter.invite(1000)
  inviter.wallMs += 1000
  await t.rejects(joinCluster(short, newJoiner()), refusal)
  t.same(inviter.admitted, [])
  inviter.wallMs += HOUR_MS
  const cutOff = /cannot be asked .* the invite may be used, or have expired/
  await t.rejects(joinCluster(encodeToken(token), newJoiner()), cutOff)
})

t.test('a token that was changed anywhere is no invite', async t => {
  const inviter = await startInviter(t)
  const token = await inviter.invite()
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (let at = 0; at < token.length - 1; at++) {
    const other = alphabet[(alphabet.indexOf(token.charAt(at)) + 1) % alphabet.length] ?? ''
    const changed = token.slice(0, at) + other + token.slice(at + 1)
    t.throws(() => decodeToken(changed), { code: 'PEER_FAILED' }, `character ${at}`)
  }
  t.throws(() => decodeToken(token.slice(0, -4)), { code: 'PEER_FAILED' })
  t.throws(() => decodeToken(''), /copied as a whole/)
  t.same(decodeToken(` ${token}\n`), decodeToken(token))
})

t.test('somebody else at the address of the inviter hears nothing', async t => {
  const inviter = await startInviter(t)
  const token = decodeToken(await inviter.invite())
  const key = newReplicaKeys().publicKey
  await t.rejects(
    joinCluster(encodeToken({ ...token, key }), newJoiner()),
    /somebody else than the inviter answers/
  )
  t.equal((await joinCluster(encodeToken(token), newJoiner())).replica, 2, 'it was not used')
})

t.test('the first address that answers is enough; with none the reasons are told', async t => {
  const inviter = await startInviter(t)
  const token = decodeToken(await inviter.invite())
  const closedPort = '127.0.0.1:1'
  const nowhere = encodeToken({ ...token, addresses: [closedPort] })
  await t.rejects(joinCluster(nowhere, newJoiner()), /127\.0\.0\.1:1: .*ECONNREFUSED/)
  const addresses = [closedPort, ...token.addresses]
  t.equal((await joinCluster(encodeToken({ ...token, addresses }), newJoiner())).replica, 2)
})

t.test('an invite is good again when its bearer could not be made a member', async t => {
  const inviter = await startInviter(t)
  const token = await inviter.invite()
  inviter.failure = new Error('no majority')
  await t.rejects(joinCluster(token, newJoiner()), /could not be made a member/)
  inviter.failure = undefined
  const versions = { min: 7, max: 8 }
  await t.rejects(joinCluster(token, newJoiner({ versions })), /too much newer/)
  t.equal((await joinCluster(token, newJoiner())).replica, 2)
})

t.test('garbage in place of a request to join is answered with the one sentence', async t => {
  const inviter = await startInviter(t)
  await inviter.invite()
  const random = new SimRandom(3)
  const good = '{"invite":"","proof":"","storeId":"s","role":"store","listen":"h:1"}'
  for (const text of ['', '{', '[]', good, Buffer.from(random.bytes(900))]) {
    const { publicKey, secretKey } = newReplicaKeys()
    const stranger = await rawStream(inviter.group.addressOf(ONE), {
      publicKey: Buffer.from(publicKey, 'hex'),
      secretKey: Buffer.from(secretKey, 'hex')
    })
    await stranger.met
    const answers: string[] = []
    stranger.noise.on('data', answer => answers.push(answer.toString()))
    stranger.noise.on('end', () => stranger.noise.end())
    stranger.noise.write(Buffer.from(text))
    await closed(stranger.socket)
    t.same(answers, [JSON.stringify({ refusal: NO_INVITE })])
  }
  t.same(inviter.admitted, [])
})

t.test('a proof is good on its connection only', async t => {
  const inviter = await startInviter(t)
  const { invite, secret } = decodeToken(await inviter.invite())
  const [mine, other] = [Buffer.alloc(64, 1), Buffer.alloc(64, 2)]
  const proof = proofOf(verifierOf(secret), mine).toString('hex')
  t.equal(await inviter.invites.take(invite, proof, other, START_MS), undefined)
  t.type(await inviter.invites.take(invite, proof, mine, START_MS), 'function')
  t.equal(await inviter.invites.take(invite, proof, mine, START_MS), undefined)
})

t.test('the identity of a member is kept as it was, and never replaced', async t => {
  const disk = new SimDisk()
  t.equal(readClusterIdentity(disk), undefined)
  const identity = foundCluster({ storeId: 's', listen: '192.0.2.1:4711', copies: 2, name: 'a' })
  await writeClusterIdentity(disk, identity)
  disk.crash(new SimRandom(1))
  t.same(readClusterIdentity(disk), identity)
  t.not(foundCluster({ storeId: 's', listen: 'h:1', copies: 2 }).clusterId, identity.clusterId)
  await t.rejects(writeClusterIdentity(disk, identity), { code: 'DATA_UNUSABLE' })
})

t.test('an identity that is damaged, or of a later Roost, is refused', async t => {
  const identity = foundCluster({ storeId: 's', listen: '192.0.2.1:4711', copies: 2 })
  const read = (text: string): unknown => {
    const disk = new SimDisk()
    const file = disk.open('cluster.json', 'create')
    file.write(Buffer.from(text), 0)
    file.close()
    return readClusterIdentity(disk)
  }
  const text = JSON.stringify({ version: 1, ...identity })
  t.match(read(text), { replica: 1 })
  t.throws(() => read(text.slice(0, -9)), { code: 'DATA_UNUSABLE' })
  t.throws(() => read(text.replace('4711', 'port')), { code: 'DATA_UNUSABLE' })
  t.throws(() => read(text.replace('"version":1', '"version":2')), { code: 'DATA_FORMAT' })
})
