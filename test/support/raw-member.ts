/** One side of a connection between members, taken apart, so that a test can misuse it. */

import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Channels } from '../../lib/peer/channels.ts'
import type { LinkWord } from '../../lib/peer/channels.ts'
import { addressOf } from '../../lib/io/tcp.ts'
import { encodeHello, PROTOCOL_VERSIONS } from '../../lib/peer/hello.ts'
import type { Hello } from '../../lib/peer/hello.ts'
import { secureStream } from '../../lib/peer/secure-stream.ts'
import type { KeyPair, SecureStream } from '../../lib/peer/secure-stream.ts'
import type { GroupPeer } from './peer-group.ts'
import { CLUSTER_ID } from './peer-group.ts'

/** A connection in bytes, which is there when the promise is kept. */
export async function rawSocket(address: string): Promise<Socket> {
  const socket = connect(addressOf(address))
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Resolves when the other side has closed it, whatever it said before. */
export function closed(socket: Socket): Promise<void> {
  socket.resume()
  return new Promise(resolve => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

export interface RawStream extends SecureStream {
  readonly socket: Socket
  /** The handshake is done, or has failed and the connection is closed. */
  readonly met: Promise<void>
}

/** Sends encrypted bytes on, in the way that a test wants. */
export type Wire = (bytes: Uint8Array, write: (bytes: Uint8Array) => boolean) => boolean

const PLAIN_WIRE: Wire = (bytes, write) => write(bytes)

/** Encrypted, with `keyPair`, and nothing said. */
export async function rawStream(
  address: string,
  keyPair: KeyPair,
  wire = PLAIN_WIRE
): Promise<RawStream> {
  const socket = await rawSocket(address)
  const write = socket.write.bind(socket)
  Object.assign(socket, { write: (bytes: Uint8Array) => wire(bytes, write) })
  const secure = secureStream(socket, true, keyPair)
  secure.guard.trust()
  secure.noise.on('error', () => {})
  const met = new Promise<void>(resolve => {
    secure.noise.on('connect', resolve)
    secure.noise.on('close', resolve)
  })
  return { ...secure, socket, met }
}

export interface RawMember extends RawStream {
  readonly channels: Channels
  /** What was said by the other side, with the text of it. */
  readonly words: { readonly word: LinkWord; readonly text: string }[]
}

/** As a member with the key of `peer`, which says `changes` to what it should say, or no hello. */
export async function rawMember(
  address: string,
  peer: GroupPeer,
  changes: Partial<Hello> | 'silent' = {},
  wire = PLAIN_WIRE
): Promise<RawMember> {
  const raw = await rawStream(address, peer.keyPair, wire)
  await raw.met
  const words: RawMember['words'] = []
  const channels = new Channels(raw.noise, {
    onWord: (word, bytes) => words.push({ word, text: bytes.toString() }),
    onMessage: () => {}
  })
  if (changes !== 'silent') channels.say('hello', helloOf(peer, changes))
  return { ...raw, channels, words }
}

/** What `peer` says of itself, in a late run. */
export function helloOf({ replica }: GroupPeer, changes: Partial<Hello> = {}): Buffer {
  return encodeHello({
    versions: PROTOCOL_VERSIONS,
    clusterId: CLUSTER_ID,
    replica,
    storeId: `store-${replica}`,
    boot: 1000,
    nonce: 'nonce-of-a-raw-member',
    listen: undefined,
    ...changes
  })
}
