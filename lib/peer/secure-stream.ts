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

/** Why a stream ended, in words of ours where those below have none that say it. */
export function reasonOf(error: Error): string {
  return REASONS[error.message] ?? error.message
}

const REASONS: Readonly<Record<string, string>> = {
  'pull failed': 'a frame was changed, repeated or left out on its way',
  'Noise handshake failed': 'the handshake failed',
  'Invalid header message received': 'the handshake failed',
  'Invalid header received': 'the handshake failed',
  'Invalid message received': 'a frame is too short to be one'
}
