/** How a replica asks to become a member, with an invite. */

import { RoostError } from '../errors.ts'
import { connectTcp } from '../io/tcp.ts'
import { delay } from '../io/timer.ts'
import type { MemberRole, ReplicaKeys } from './cluster-identity.ts'
import { PROTOCOL_VERSIONS } from './hello.ts'
import type { VersionRange } from './hello.ts'
import { decodeToken } from './invite-token.ts'
import type { InviteToken } from './invite-token.ts'
import { proofOf, verifierOf } from './invites.ts'
import { decodeJoinAnswer, encodeJoinRequest } from './join-message.ts'
import type { Welcome } from './join-message.ts'
import { secureStream } from './secure-stream.ts'

/** The replica that asks; its data directory exists, and belongs to no cluster. */
export interface Joiner {
  readonly keys: ReplicaKeys
  readonly storeId: string
  readonly role: MemberRole
  readonly listen: string
  readonly versions?: VersionRange
}

/** For one address of the inviter: its council may have to be asked, and be short of members. */
export const JOIN_MS = 30_000

/**
 * Becomes a member with the invite `token`. Nothing is written here: the caller does that with the
 * welcome, and with the keys, which are lost members' keys otherwise.
 *
 * @throws RoostError PEER_FAILED the token is no invite, nobody can be reached, or it is refused
 */
export async function joinCluster(token: string, joiner: Joiner): Promise<Welcome> {
  const invite = decodeToken(token)
  const failures: string[] = []
  for (const address of invite.addresses) {
    const answer = await ask(address, invite, joiner).catch((error: unknown) => {
      failures.push(`${address}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    })
    if (answer !== undefined) return welcomeIn(answer)
  }
  throw new RoostError('PEER_FAILED', `the inviter cannot be asked (${failures.join('; ')})`)
}

function welcomeIn(bytes: Buffer): Welcome {
  const answer = decodeJoinAnswer(bytes)
  if ('welcome' in answer) return answer.welcome
  throw new RoostError('PEER_FAILED', `the inviter refused: ${answer.refusal}`)
}

/** Sends the request to one address, and gives back what came. */
async function ask(address: string, invite: InviteToken, joiner: Joiner): Promise<Buffer> {
  const keyPair = {
    publicKey: Buffer.from(joiner.keys.publicKey, 'hex'),
    secretKey: Buffer.from(joiner.keys.secretKey, 'hex')
  }
  const { noise, guard } = secureStream(connectTcp(address), true, keyPair)
  const answered = new AbortController()
  try {
    return await new Promise((resolve, reject) => {
      // Whoever waits hears the first of these.
      noise.on('error', reject)
      noise.on('close', () => reject(new Error(CLOSED)))
      noise.on('handshake', () => {
        if (noise.remotePublicKey?.toString('hex') === invite.key) guard.trust()
        else noise.destroy(new Error('somebody else than the inviter answers there'))
      })
      noise.on('connect', () => {
        if (noise.destroying || noise.handshakeHash === null) return
        noise.on('data', resolve)
        noise.write(requestOf(invite, joiner, noise.handshakeHash))
      })
      void delay(JOIN_MS, answered.signal).then(() => reject(new Error('it does not answer')))
    })
  } finally {
    answered.abort()
    noise.destroy()
  }
}

const CLOSED = 'it closed the connection; the invite may be used, or have expired'

function requestOf(invite: InviteToken, joiner: Joiner, handshakeHash: Buffer): Buffer {
  const { storeId, role, listen, versions = PROTOCOL_VERSIONS } = joiner
  const proof = proofOf(verifierOf(invite.secret), handshakeHash).toString('hex')
  return encodeJoinRequest({ invite: invite.invite, proof, storeId, role, listen, versions })
}
