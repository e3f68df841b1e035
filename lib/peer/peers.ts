/**
 * The other members of the cluster, as far as this replica is connected to them.
 *
 * There is at most one connection with each, over which messages go in order; when it is lost,
 * what was under way may be lost with it, and `onDown` says so before the next `onUp`. Nobody but
 * members by the council's word is talked to, and of those only who has proved its key, belongs to
 * this cluster, and is not older than it was. Strangers cost a bounded amount, and may do one
 * thing: ask to join with an invite.
 *
 * Every event changes state at once; a tick several times a second does what time asks for.
 */

import { RoostError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import type { Logger } from '../io/logger.ts'
import { drawUnit } from '../io/random.ts'
import { addressOf, connectTcp, listenTcp, reachableAddress } from '../io/tcp.ts'
import type { ByteStream, TcpServer } from '../io/tcp.ts'
import { every } from '../io/timer.ts'
import { assert } from '../util/assert.ts'
import { Resource } from '../util/resource.ts'
import { CLOCK_OFFSET_MAX_MS, offsetText } from './clock-verdict.ts'
import { Connection } from './connection.ts'
import type { ConnectionOwner, Purpose } from './connection.ts'
import { MESSAGE_BYTES_MAX } from './fragment.ts'
import { commonVersion, decodeHello, encodeHello, PROTOCOL_VERSIONS, refusalOf } from './hello.ts'
import type { Hello, Run, VersionRange } from './hello.ts'
import { isChosen } from './is-chosen.ts'
import { Link, redialMs } from './link.ts'
import type { PeerFigures, PeerMember } from './link.ts'
import type { PeerRecords } from './peer-records.ts'
import type { KeyPair } from './secure-stream.ts'
import type { PeerChannel } from './send-queue.ts'

/** Who this replica is, in this run. */
export interface PeersIdentity extends Run {
  readonly replica: ReplicaId
  /** In hex digits, as in the identity of the cluster. */
  readonly publicKey: string
  readonly secretKey: string
  readonly storeId: string
  readonly clusterId: string
  /** Where it listens and is found, as host:port; undefined: it only dials. */
  readonly listen?: string
}

/** Answers those who ask to join. */
export interface JoinAnswerer {
  /** Whether anybody may ask at all. */
  isOpen(): boolean
  /** Never fails: what is wrong is an answer too. */
  answer(key: string, handshakeHash: Buffer, request: Buffer, host: string): Promise<Buffer>
}

export interface PeersOptions {
  readonly identity: PeersIdentity
  readonly records: PeerRecords
  /** Who is a member now, this replica or not; asked at each handshake and on `membersChanged`. */
  readonly members: () => readonly PeerMember[]
  /** Addresses beside those that were learned. */
  readonly addressesOf?: (replica: ReplicaId) => readonly string[]
  /**
   * A message came whole; it may be kept. Whoever sent what is thrown as RoostError PROTOCOL is
   * distrusted.
   */
  readonly onMessage: (from: ReplicaId, channel: PeerChannel, message: Buffer) => void
  readonly onUp: (replica: ReplicaId) => void
  readonly onDown: (replica: ReplicaId) => void
  readonly logger: Logger
  readonly clock: Clock
  readonly joins?: JoinAnswerer
  /** Bytes that may wait for one peer; one that takes them too slowly is disconnected. */
  readonly queueBytesMax?: number
  readonly versions?: VersionRange
}

const TICK_MS = 50
const QUEUE_BYTES_MAX = 64 * 1024 * 1024
/** Connections of nobody we know; the oldest makes room. */
const STRANGERS_MAX = 256
const NS_PER_MS = 1_000_000n

export class Peers extends Resource {
  readonly #options: PeersOptions
  readonly #queueBytesMax: number
  readonly #keyPair: KeyPair
  readonly #links = new Map<ReplicaId, Link>()
  /** All that have not ended, the oldest first. */
  readonly #connections = new Set<Connection>()
  readonly #owner: ConnectionOwner
  #server: TcpServer | undefined
  #isClosed = false

  constructor(options: PeersOptions) {
    super()
    this.#options = options
    this.#queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX
    this.#keyPair = keyPairOf(options.identity)
    this.#owner = {
      onKey: (connection, key) => this.#purposeOf(connection, key),
      onChannels: connection => connection.sayHello(encodeHello(this.#hello())),
      onHello: (connection, hello) => this.#judge(connection, decodeHello(hello)),
      onUp: connection => this.#up(connection),
      onMessage: (connection, channel, message) => this.#take(connection, channel, message),
      onClockOffset: (connection, offsetMs) => this.#noteClock(connection, offsetMs),
      onJoinRequest: (connection, request) => void this.#join(connection, request),
      onBye: (connection, reason, isRefusal) => this.#part(connection, reason, isRefusal),
      onEnd: (connection, reason) => this.#ended(connection, reason)
    }
  }

  /** Where it listens, with the port that was chosen if 0 was asked for; undefined: nowhere. */
  get address(): string | undefined {
    return this.#server?.address
  }

  isUp(replica: ReplicaId): boolean {
    return this.#links.get(replica)?.isUp === true
  }

  /** Bytes that wait to be sent to it. */
  bufferedBytes(replica: ReplicaId): number {
    return this.#links.get(replica)?.connection?.queuedBytes ?? 0
  }

  /**
   * Sends `message`, which must not change any more, behind what was sent on that channel before.
   *
   * @returns false when there is no connection, or none any more as the peer is too slow, of which
   *   `onDown` has told by then; true says nothing about its arrival
   */
  send(to: ReplicaId, channel: PeerChannel, message: Buffer): boolean {
    assert(message.length <= MESSAGE_BYTES_MAX, 'a message is too long to be sent')
    const connection = this.#links.get(to)?.connection
    if (connection?.isUp !== true) return false
    if (connection.queuedBytes + message.length > this.#queueBytesMax) {
      this.#options.logger.warn(`replica ${to} is too slow: ${connection.queuedBytes} bytes wait`)
      connection.cut('it is too slow')
      this.#lose(connection, 'it is too slow')
      return false
    }
    connection.send(channel, message)
    return true
  }

  /** To be called when `members` has another answer: whoever left is disconnected. */
  membersChanged(): void {
    const { members, identity } = this.#options
    const others = members().filter(({ replica }) => replica !== identity.replica)
    for (const [replica, link] of this.#links) {
      const now = others.find(member => member.replica === replica)
      if (now?.key === link.member.key && now.storeId === link.member.storeId) continue
      link.dialled?.cut('it is no member any more')
      if (link.connection !== undefined) this.#drop(link.connection, 'it is no member any more')
      this.#links.delete(replica)
    }
    for (const member of others) {
      if (!this.#links.has(member.replica)) this.#links.set(member.replica, this.#newLink(member))
    }
  }

  /**
   * What a member sends makes no sense. It is told so and disconnected, and its run is not heard
   * for a while; others do not notice. `why` goes on from its name.
   */
  distrust(replica: ReplicaId, why: string): void {
    const link = this.#links.get(replica)
    const connection = link?.connection
    if (link === undefined || connection === undefined) return
    const refusal = `replica ${replica} ${why}`
    link.distrust(this.#nowMs())
    this.#refuse(replica, refusal)
    connection.close(refusal, true)
    this.#lose(connection, refusal)
  }

  /** Where another member may be reached, the likeliest first. */
  addressesOf(replica: ReplicaId): string[] {
    const learned = this.#options.records.addressOf(replica)
    const others = this.#options.addressesOf?.(replica) ?? []
    return [...new Set([...(learned === undefined ? [] : [learned]), ...others])]
  }

  /** One for each other member. */
  figures(): PeerFigures[] {
    return [...this.#links.values()].map(link =>
      link.figures(this.addressesOf(link.member.replica)[0])
    )
  }

  protected override async _open(): Promise<void> {
    const { listen } = this.#options.identity
    if (listen !== undefined) {
      this.#server = await listenTcp(listen, (stream, host) => this.#accept(stream, host))
      await this.own(this.#server)
    }
    this.membersChanged()
    this.#tick()
    await this.own({ close: every(TICK_MS, () => this.#tick()) })
  }

  protected override async _close(): Promise<void> {
    this.#isClosed = true
    for (const connection of this.#connections) connection.cut('this replica stops')
    await this.#options.records.write()
  }

  #newLink(member: PeerMember): Link {
    const nowMs = this.#nowMs()
    // Who has the higher number waits a little, so that two that start together dial once.
    const waits = member.replica < this.#options.identity.replica
    return new Link(member, waits ? nowMs + redialMs(1, drawUnit()) : nowMs)
  }

  #tick(): void {
    const nowMs = this.#nowMs()
    for (const connection of this.#connections) connection.tick()
    for (const link of this.#links.values()) {
      if (!link.isTimeToDial(nowMs)) continue
      const address = link.nextAddress(this.addressesOf(link.member.replica))
      if (address !== undefined) this.#dial(link, address)
    }
  }

  #dial(link: Link, address: string): void {
    const { replica } = link.member
    this.#options.logger.debug(`dialling replica ${replica} at ${address}`)
    link.dialled = this.#add(connectTcp(address), address, replica)
  }

  #accept(stream: ByteStream, host: string): void {
    if (this.#isClosed) {
      stream.destroy()
      return
    }
    this.#add(stream, host, undefined)
    const strangers = [...this.#connections].filter(
      connection => connection.isStranger && connection.target === undefined
    )
    if (strangers.length > STRANGERS_MAX) strangers[0]?.cut('too many strangers')
  }

  #add(socket: ByteStream, address: string, target: ReplicaId | undefined): Connection {
    const connection = new Connection({
      socket,
      address,
      target,
      keyPair: this.#keyPair,
      owner: this.#owner,
      monotonicMs: () => this.#nowMs(),
      wallMs: () => Number(this.#options.clock.nowNs() / NS_PER_MS)
    })
    this.#connections.add(connection)
    return connection
  }

  #hello(): Hello {
    const { replica, storeId, clusterId, boot, nonce } = this.#options.identity
    const versions = this.#options.versions ?? PROTOCOL_VERSIONS
    return { versions, clusterId, replica, storeId, boot, nonce, listen: this.address }
  }

  #purposeOf(connection: Connection, key: string): Purpose {
    const { members, identity, joins } = this.#options
    const member = members().find(one => one.key === key && one.replica !== identity.replica)
    if (member !== undefined && !this.#links.has(member.replica)) this.membersChanged()
    const { target, address } = connection
    if (target !== undefined) {
      if (member?.replica === target) connection.replica = target
      else this.#refuse(target, `at ${address} answers somebody else than replica ${target}`)
      return connection.replica === undefined ? undefined : 'member'
    }
    connection.replica = member?.replica
    if (member !== undefined) return 'member'
    return joins?.isOpen() === true ? 'joining' : undefined
  }

  #judge(connection: Connection, hello: Hello): void {
    const link = this.#linkOf(connection)
    if (link === undefined) {
      connection.close('it is no member any more', true)
      return
    }
    const { records } = this.#options
    const { replica, storeId } = link.member
    const ours = this.#hello()
    const isDistrusted = link.isDistrusted(hello, this.#nowMs())
    const refusal = isDistrusted
      ? link.refusal
      : refusalOf(hello, ours, { replica, storeId, seen: records.runOf(replica) })
    if (refusal !== undefined) {
      this.#refuse(replica, refusal)
      connection.close(refusal, true)
      return
    }
    link.version = commonVersion(hello.versions, ours.versions)
    connection.hello = { ...hello, listen: this.#learnAddress(connection, replica, hello.listen) }
    records.learnRun(replica, hello).then(
      () => this.#settle(connection),
      (error: unknown) => {
        this.#refuse(replica, `the run of replica ${replica} cannot be noted: ${String(error)}`)
        connection.cut('its run cannot be noted')
      }
    )
  }

  #learnAddress(
    connection: Connection,
    replica: ReplicaId,
    listen: string | undefined
  ): string | undefined {
    if (listen === undefined) return undefined
    const { target, address } = connection
    const reachable = reachableAddress(
      listen,
      target === undefined ? address : addressOf(address).host
    )
    this.#options.records.learnAddress(replica, reachable)
    return reachable
  }

  /** Welcomes a good connection, unless there is a better one. */
  #settle(connection: Connection): void {
    const link = this.#linkOf(connection)
    if (connection.isEnding || this.#isClosed) return
    if (link === undefined) {
      connection.close('it is no member any more', true)
      return
    }
    const { connection: old, dialled } = link
    if (!isChosen(connection, { old, dialled }, this.#options.identity.replica, this.#nowMs())) {
      connection.close('there is another connection', false)
      return
    }
    if (old !== undefined) this.#drop(old, 'there is a newer connection')
    link.connection = connection
    link.dialled = undefined
    if (dialled !== connection) dialled?.cut('another connection came first')
    connection.welcome()
  }

  #up(connection: Connection): void {
    const link = this.#linkOf(connection)
    if (link?.connection !== connection) return
    link.cameUp()
    link.isAnnounced = true
    this.#options.logger.info(`replica ${link.member.replica} is connected`)
    this.#options.onUp(link.member.replica)
  }

  #take(connection: Connection, channel: PeerChannel, message: Buffer): void {
    const { replica } = connection
    if (replica === undefined || this.#linkOf(connection)?.connection !== connection) return
    try {
      this.#options.onMessage(replica, channel, message)
    } catch (error) {
      if (!(error instanceof RoostError) || error.code !== 'PROTOCOL') throw error
      this.distrust(replica, `sends what makes no sense: ${error.plainMessage}`)
    }
  }

  #noteClock(connection: Connection, offsetMs: number): void {
    const link = this.#linkOf(connection)
    if (link === undefined) return
    const wasOff = Math.abs(link.clockOffsetMs ?? 0) > CLOCK_OFFSET_MAX_MS
    link.clockOffsetMs = Math.round(offsetMs)
    if (wasOff || Math.abs(offsetMs) <= CLOCK_OFFSET_MAX_MS) return
    const { replica } = link.member
    this.#options.logger.warn(`the clock of replica ${replica} is ${offsetText(offsetMs)}`)
  }

  async #join(connection: Connection, request: Buffer): Promise<void> {
    const { joins } = this.#options
    const key = connection.key
    if (joins === undefined || key === undefined) return
    const { handshakeHash, address } = connection
    connection.answerJoin(await joins.answer(key, handshakeHash, request, address))
  }

  #part(connection: Connection, reason: string, isRefusal: boolean): void {
    const { replica } = connection
    if (replica === undefined) return
    if (isRefusal) this.#refuse(replica, `replica ${replica} refuses this one: ${reason}`)
    this.#lose(connection, reason)
  }

  /** Said once, and kept for whoever asks. */
  #refuse(replica: ReplicaId, refusal: string): void {
    const link = this.#links.get(replica)
    if (link?.refuse(refusal) === true) this.#options.logger.warn(refusal)
  }

  /** Ends a connection that was welcomed. */
  #drop(connection: Connection, reason: string): void {
    connection.close(reason, false)
    this.#lose(connection, reason)
  }

  #ended(connection: Connection, reason: string): void {
    this.#connections.delete(connection)
    const { replica, target, address } = connection
    this.#options.logger.debug(`connection with ${replica ?? 'nobody'} (${address}): ${reason}`)
    if (this.#isClosed) return
    const isSilent = target !== undefined && connection.wasCutOff
    this.#lose(
      connection,
      isSilent ? `${reason}; it may not know this replica as a member` : reason
    )
    this.#linkOf(connection)?.count(connection)
  }

  /** There is no connection any more, or no attempt at one; another one is due. */
  #lose(connection: Connection, reason: string): void {
    const link = this.#linkOf(connection)
    if (link?.lose(connection, reason, this.#nowMs(), drawUnit()) !== true) return
    const { replica } = link.member
    if (!link.isAnnounced) return
    link.isAnnounced = false
    this.#options.logger.info(`replica ${replica} is not connected any more: ${reason}`)
    this.#options.onDown(replica)
  }

  #linkOf({ replica, target }: Connection): Link | undefined {
    const number = replica ?? target
    return number === undefined ? undefined : this.#links.get(number)
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }
}

function keyPairOf({ publicKey, secretKey }: PeersIdentity): KeyPair {
  return { publicKey: Buffer.from(publicKey, 'hex'), secretKey: Buffer.from(secretKey, 'hex') }
}
