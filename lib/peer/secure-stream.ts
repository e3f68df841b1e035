/** Encryption over a connection: Noise (XX), by which both sides prove that they have their key. */

import NoiseSecretStream from '@hyperswarm/secret-stream'
import type { KeyPair } from '@hyperswarm/secret-stream'
import type { ByteStream } from '../io/tcp.ts'
import { FrameGuard } from './frame-guard.ts'
import { InspectedStream } from './inspected-stream.ts'

export type { KeyPair } from '@hyperswarm/secret-stream'

export interface SecureStream {
  /** Whole frames in clear. */
  readonly noise: NoiseSecretStream
  /** Counts the bytes as they are sent. */
  readonly raw: InspectedStream
  readonly guard: FrameGuard
}

/** Begins the handshake. The stream below belongs to the one above from now on. */
export function secureStream(
  socket: ByteStream,
  isInitiator: boolean,
  keyPair: KeyPair
): SecureStream {
  const guard = new FrameGuard()
  const raw = new InspectedStream(socket, { before: bytes => guard.inspect(bytes) })
  const noise = new NoiseSecretStream(isInitiator, raw, { keyPair, enableSend: false })
  return { noise, raw, guard }
}

export function newKeyPair(): KeyPair {
  return NoiseSecretStream.keyPair()
}
