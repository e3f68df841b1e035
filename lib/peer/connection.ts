/**
 * One connection, from the handshake to its end; it knows keys, and not who is a member.
 *
 * First Noise, during which nothing is said. Then the owner decides by the other side's key: a
 * member gets channels, a stranger may ask to join (a single frame, which no multiplexer sees),
 * and everybody else is cut off before a byte was sent. Members say hello and welcome each other;
 * a side sends messages once it is welcome, and takes them once it has welcomed. When the
 * connection ends, the owner is told once.
 */

import { RoostError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import type { ByteStream } from '../io/tcp.ts'
import { assert, present } from '../util/assert.ts'
import { ByteReader, ByteWriter } from '../util/bytes.ts'
import { Channels } from './channels.ts'
import type { LinkWord } from './channels.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Hello } from './hello.ts'
import { JOIN_MS } from './join-cluster.ts'
import { reasonOf, secureStream } from './secure-stream.ts'
import type { KeyPair, SecureStream } from './secure-stream.ts'
import type { PeerChannel } from './send-queue.ts'

/** What a connection is for, by the key of the other side; undefined cuts it off. */
export type Purpose = 'member' | 'joining' | undefined

export interface ConnectionOwner {
  /** The other side has proved that it has this key (64 hex digits). */
  onKey(connection: Connection, key: string): Purpose
  /** There are channels now: time to say hello. */
  onChannels(connection: Connection): void
  /** @throws RoostError PROTOCOL to end the connection */
  onHello(connection: Connection, hello: Buffer): void
  /** Both sides have welcomed each other. */
  onUp(connection: Connection): void
  onMessage(connection: Connection, channel: PeerChannel, message: Buffer): void
  /** The other side's wall clock is ahead by so much; below zero: behind. */
  onClockOffset(connection: Connection, offsetMs: number): void
  onJoinRequest(connection: Connection, request: Buffer): void
  /** The other side closes it for this reason, a sentence; what it refuses is wrong with us. */
  onBye(connection: Connection, reason: string, isRefusal: boolean): void
  /** Nothing comes from this connection any more. `reason` is a sentence for the log. */
  onEnd(connection: Connection, reason: string): void
}

export interface ConnectionInput {
  readonly socket: ByteStream
  /** Whom this side dialled; undefined when it was dialled. */
  readonly target: ReplicaId | undefined
  /** Where it leads to, or the host that it came from. */
  readonly address: string
  readonly keyPair: KeyPair
  readonly owner: ConnectionOwner
  readonly monotonicMs: () => number
  /** Milliseconds since 1970. */
  readonly wallMs: () => number
}

/** What is not up after so long is cut off; also the time that is left to read a reason. */
export const HANDSHAKE_MS = 5000
const REASON_CHARACTERS_MAX = 500

export class Connection {
  readonly target: ReplicaId | undefined
  readonly address: string
  /** Whose key it is; set by the owner in `onKey`. */
  replica: ReplicaId | undefined
  /** What the other side said, once the owner has found nothing wrong with it. */
  hello: Hello | undefined
  /** When it came up, by the monotonic clock. */
  upSinceMs: number | undefined
  readonly #input: ConnectionInput
  readonly #secure: SecureStream
  readonly #heartbeat: Heartbeat
  #channels: Channels | undefined
  #purpose: Purpose
  /** A stranger has asked to join. */
  #hasAsked = false
  #hasSaidHello = false
  #hasHeardHello = false
  /** We welcomed the other side, and it us. */
  #hasWelcomed = false
  #isWelcome = false
  /** Why it ends; undefined while there is nothing wrong. */
  #endReason: string | undefined
  #deadlineMs: number
  /** The wall clock when the last question was sent. */
  #askedWallMs = 0

  constructor(input: ConnectionInput) {
    const nowMs = input.monotonicMs()
    this.target = input.target
    this.address = input.address
    this.#input = input
    this.#deadlineMs = nowMs + HANDSHAKE_MS
    this.#heartbeat = new Heartbeat(nowMs)
    this.#secure = secureStream(input.socket, input.target !== undefined, input.keyPair)
    const { noise } = this.#secure
    noise.on('error', error => (this.#endReason ??= reasonOf(error)))
    noise.on('close', () => this.#input.owner.onEnd(this, this.#endReason ?? 'it was closed'))
    noise.on('handshake', () => this.#meet())
    noise.on('connect', () => this.#begin())
  }

  /** Nobody we know, so far: what memory and descriptors such ones take is bounded. */
  get isStranger(): boolean {
    return this.#purpose !== 'member'
  }

  /** It came to an end after the keys were known, and before anything was said. */
  get wasCutOff(): boolean {
    return this.#purpose === 'member' && !this.#hasHeardHello
  }

  get isUp(): boolean {
    return this.upSinceMs !== undefined && this.#endReason === undefined
  }

  get isEnding(): boolean {
    return this.#endReason !== undefined
  }

  get roundTripMs(): number | undefined {
    return this.#heartbeat.roundTripMs
  }

  /** Bytes of messages that are not yet handed to the stream. */
  get queuedBytes(): number {
    return this.#channels?.queuedBytes ?? 0
  }

  get sentBytes(): number {
    return this.#secure.raw.writtenByteCount
  }

  get receivedBytes(): number {
    return this.#secure.raw.readByteCount
  }

  /** The other side's, 64 hex digits; undefined until it has proved that it has it. */
  get key(): string | undefined {
    return this.#secure.noise.remotePublicKey?.toString('hex')
  }

  /** 64 bytes that both sides share, and that no other connection has. */
  get handshakeHash(): Buffer {
    return present(this.#secure.noise.handshakeHash, 'the hash of a handshake')
  }

  sayHello(hello: Buffer): void {
    assert(!this.#hasSaidHello, 'hello is said twice')
    this.#hasSaidHello = true
    this.#channels?.say('hello', hello)
  }

  /** From now on the other side may send messages. */
  welcome(): void {
    assert(!this.#hasWelcomed, 'a peer is welcomed twice')
    this.#hasWelcomed = true
    this.#channels?.say('welcome')
    this.#riseIfReady()
  }

  /** Queues `message`, which must not change any more. */
  send(channel: PeerChannel, message: Buffer): void {
    assert(this.isUp, 'a message is sent over a connection that is not up')
    this.#channels?.send(channel, message)
  }

  /** Answers a request to join, and ends. */
  answerJoin(answer: Buffer): void {
    if (this.isEnding) return
    this.#secure.noise.write(answer)
    this.#endGently('the request to join was answered')
  }

  /**
   * Ends it, and tells the other side why.
   *
   * @param isRefusal there is something wrong with the other side, which is told there
   */
  close(reason: string, isRefusal: boolean): void {
    if (this.isEnding) return
    const bytes = new ByteWriter()
    bytes.u8(isRefusal ? 1 : 0)
    bytes.bytes(Buffer.from(reason))
    this.#channels?.say('bye', bytes.view())
    this.#endGently(reason)
  }

  /** Ends it at once. */
  cut(reason: string): void {
    this.#endReason ??= reason
    this.#secure.noise.destroy()
  }

  /** To be called several times a second. */
  tick(): void {
    const nowMs = this.#input.monotonicMs()
    if (!this.isUp) {
      if (nowMs > this.#deadlineMs) this.cut('it did not finish its handshake in time')
      return
    }
    const number = this.#heartbeat.look(nowMs)
    if (number === 'silent') this.cut('nothing came from it for too long')
    else if (number !== undefined) this.#ask(number)
  }

  #endGently(reason: string): void {
    this.#endReason = reason
    this.#deadlineMs = this.#input.monotonicMs() + HANDSHAKE_MS
    this.#secure.noise.end()
  }

  #meet(): void {
    const purpose = this.#input.owner.onKey(this, present(this.key, 'the key of the other side'))
    this.#purpose = purpose
    if (purpose === undefined) this.cut('its key is not that of a member')
    if (purpose === 'member') this.#secure.guard.trust()
  }

  #begin(): void {
    if (this.isEnding || this.#purpose === undefined) return
    const { noise } = this.#secure
    const { owner } = this.#input
    if (this.#purpose === 'joining') {
      noise.on('data', request => this.#hearStranger(request))
      return
    }
    this.#channels = new Channels(noise, {
      onWord: (word, bytes) => this.#hear(word, bytes),
      onMessage: (channel, message) => this.#take(channel, message)
    })
    owner.onChannels(this)
  }

  /** It may say one thing. */
  #hearStranger(request: Buffer): void {
    if (this.isEnding || this.#hasAsked) return
    this.#hasAsked = true
    this.#deadlineMs = this.#input.monotonicMs() + JOIN_MS
    this.#input.owner.onJoinRequest(this, request)
  }

  #hear(word: LinkWord, bytes: Buffer): void {
    this.#heartbeat.heard(this.#input.monotonicMs())
    switch (word) {
      case 'hello':
        if (this.#hasHeardHello) throw new RoostError('PROTOCOL', 'it said hello twice')
        this.#hasHeardHello = true
        if (!this.isEnding) this.#input.owner.onHello(this, bytes)
        return
      case 'welcome':
        this.#isWelcome = true
        this.#riseIfReady()
        return
      case 'ping':
        this.#answer(new ByteReader(bytes).u32())
        return
      case 'pong':
        this.#learn(new ByteReader(bytes))
        return
      case 'bye':
        this.#part(bytes)
    }
  }

  #riseIfReady(): void {
    if (!this.#hasWelcomed || !this.#isWelcome || this.isEnding) return
    if (this.upSinceMs !== undefined) return
    this.upSinceMs = this.#input.monotonicMs()
    this.#input.owner.onUp(this)
  }

  #take(channel: PeerChannel, message: Buffer): void {
    this.#heartbeat.heard(this.#input.monotonicMs())
    if (this.isEnding) return
    if (!this.isUp) throw new RoostError('PROTOCOL', 'a message came before it was welcome')
    this.#input.owner.onMessage(this, channel, message)
  }

  #ask(number: number): void {
    this.#askedWallMs = this.#input.wallMs()
    const bytes = new ByteWriter()
    bytes.u32(number)
    this.#channels?.say('ping', bytes.view())
  }

  #answer(number: number): void {
    if (this.isEnding) return
    const bytes = new ByteWriter()
    bytes.u32(number)
    bytes.u53(Math.max(0, Math.round(this.#input.wallMs())))
    this.#channels?.say('pong', bytes.view())
  }

  #learn(answer: ByteReader): void {
    const number = answer.u32()
    const theirMs = answer.u53()
    if (!this.#heartbeat.answered(number, this.#input.monotonicMs())) return
    // They looked at their clock half of the round trip after we did.
    const ourMs = this.#askedWallMs + (this.roundTripMs ?? 0) / 2
    this.#input.owner.onClockOffset(this, theirMs - ourMs)
  }

  #part(bytes: Buffer): void {
    const reader = new ByteReader(bytes)
    const isRefusal = reader.u8() === 1
    const text = reader.bytes(reader.remaining).toString('utf8')
    const reason = text.slice(0, REASON_CHARACTERS_MAX).replaceAll(/[^\x20-\x7e]/g, '?')
    if (this.isEnding) return
    this.#endGently(reason)
    this.#input.owner.onBye(this, reason, isRefusal)
  }
}
