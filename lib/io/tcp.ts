/**
 * TCP, as thin as it gets: addresses, listening, connecting.
 *
 * An address is 'host:port', with brackets around a host that is an IPv6 address.
 */

import * as net from 'node:net'
import { RoostError } from '../errors.ts'

/** What is done with a connection; errors come as an event before 'close', and end it. */
export interface ByteStream {
  on(event: 'data', listener: (bytes: Buffer) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'close' | 'end' | 'drain', listener: () => void): unknown
  write(bytes: Uint8Array): boolean
  end(): void
  destroy(error?: Error): unknown
  pause(): unknown
  resume(): unknown
}

export interface TcpServer {
  /** Where it listens, with the port that was chosen if 0 was asked for. */
  readonly address: string
  /** Takes no further connection, and waits until the owners of those that are open closed them. */
  close(): Promise<void>
}

export interface TcpAddress {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

/** Hands every connection to `onStream`, with the host that it comes from. @throws PEER_FAILED */
export async function listenTcp(
  address: string,
  onStream: (stream: ByteStream, host: string) => void
): Promise<TcpServer> {
  const { host, port } = addressOf(address)
  const server = net.createServer({ noDelay: true, keepAlive: true }, socket => {
    // Nobody may have come to listen yet when it fails; without a listener that ends the process.
    socket.on('error', () => socket.destroy())
    onStream(socket, plainHost(socket.remoteAddress ?? ''))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', cause => {
      reject(
        new RoostError('PEER_FAILED', `cannot listen at ${address}: ${cause.message}`, { cause })
      )
    })
    server.listen({ host, port }, resolve)
  })
  // What fails later is a connection that could not be taken, for want of descriptors.
  server.on('error', () => {})
  const bound = server.address() as net.AddressInfo
  return {
    address: textOf({ host, port: bound.port }),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
      })
  }
}

/** Begins to connect; 'connect' is not told, as what is written before waits for it. */
export function connectTcp(address: string): ByteStream {
  const { host, port } = addressOf(address)
  const socket = net.connect({ host, port, noDelay: true, keepAlive: true })
  socket.on('error', () => socket.destroy())
  return socket
}

/** @throws RoostError PEER_FAILED `text` is no host and port */
export function addressOf(text: string): TcpAddress {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || !(port <= PORT_MAX)) {
    throw new RoostError('PEER_FAILED', `"${text}" is not HOST:PORT, as in 192.0.2.1:4711`)
  }
  return { host, port }
}

/**
 * Where others reach what listens at `listen`: a host that stands for all of a machine's is
 * replaced by the one that was seen.
 */
export function reachableAddress(listen: string, seenHost: string): string {
  const { host, port } = addressOf(listen)
  return textOf({ host: ANY_HOSTS.includes(host) ? seenHost : host, port })
}

const PORT_MAX = 0xffff
const ANY_HOSTS = ['0.0.0.0', '::']

function textOf({ host, port }: TcpAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** An IPv4 address that came in on a socket for both kinds, as it is usually written. */
function plainHost(host: string): string {
  return host.replace(/^::ffff:(?=\d+\.)/, '')
}
