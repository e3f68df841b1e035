/**
 * Where this replica hears those who ask to become members.
 *
 * Whoever cannot prove an invite hears one sentence, the same for whatever is wrong, and nothing
 * about the cluster.
 */

import { RoostError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import type { Logger } from '../io/logger.ts'
import { reachableAddress } from '../io/tcp.ts'
import type { FoundingMember, MemberRole } from './cluster-identity.ts'
import { commonVersion, PROTOCOL_VERSIONS } from './hello.ts'
import type { Invites } from './invites.ts'
import { decodeJoinRequest, encodeJoinAnswer } from './join-message.ts'
import type { JoinAnswer, JoinRequest, Welcome } from './join-message.ts'

/** Who asks to become a member, its invite being good. */
export interface Applicant {
  /** 64 hex digits. */
  readonly key: string
  readonly storeId: string
  readonly role: MemberRole
  /** Where it can be reached. */
  readonly listen: string
}

export interface JoinDeskOptions {
  readonly invites: Invites
  /** What a new member is told, beside its number and its own place among the members. */
  readonly cluster: () => Omit<Welcome, 'replica'>
  /** Makes it a member. What is thrown is for the log; the invite is good again then. */
  readonly admit: (applicant: Applicant) => Promise<{ replica: ReplicaId }>
  readonly logger: Logger
  /** Milliseconds since 1970. */
  readonly wallMs: () => number
}

/** The one sentence. */
export const NO_INVITE = 'the invite is not good: it was used, has expired, or was never given out'

export class JoinDesk {
  readonly #options: JoinDeskOptions

  constructor(options: JoinDeskOptions) {
    this.#options = options
  }

  isOpen(): boolean {
    return this.#options.invites.isAnyGood(this.#options.wallMs())
  }

  /** Never fails: what is wrong is an answer too. */
  async answer(key: string, handshakeHash: Buffer, request: Buffer, host: string): Promise<Buffer> {
    try {
      return encodeJoinAnswer(await this.#decide(key, handshakeHash, request, host))
    } catch (error) {
      // A stranger must not be able to fill a log with lines, so this is for those who look.
      const isTheirs = error instanceof RoostError && error.code === 'PROTOCOL'
      const line = `${host} asked to join: ${String(error)}`
      if (isTheirs) this.#options.logger.info(line)
      else this.#options.logger.error(line)
      return encodeJoinAnswer({ refusal: NO_INVITE })
    }
  }

  async #decide(
    key: string,
    handshakeHash: Buffer,
    bytes: Buffer,
    host: string
  ): Promise<JoinAnswer> {
    const { invites, logger, wallMs } = this.#options
    const request = decodeJoinRequest(bytes)
    const { invite, proof, versions } = request
    const giveBack = await invites.take(invite, proof, handshakeHash, wallMs())
    if (giveBack === undefined) {
      logger.info(`${host} asked to join without a good invite`)
      return { refusal: NO_INVITE }
    }
    if (commonVersion(versions, PROTOCOL_VERSIONS) === undefined) {
      await giveBack()
      const age = versions.min > PROTOCOL_VERSIONS.max ? 'newer' : 'older'
      return { refusal: `its Roost is too much ${age} than that of the inviter` }
    }
    try {
      return { welcome: await this.#admit(key, request, host) }
    } catch (error) {
      logger.error(`${host} could not be made a member: ${String(error)}`)
      await giveBack()
      const why = error instanceof RoostError ? error.message : 'see the log of the inviter'
      return { refusal: `it could not be made a member: ${why}` }
    }
  }

  async #admit(key: string, request: JoinRequest, host: string): Promise<Welcome> {
    const { admit, cluster, logger } = this.#options
    const { storeId, role } = request
    const listen = reachableAddress(request.listen, host)
    const { replica } = await admit({ key, storeId, role, listen })
    logger.info(`replica ${replica} at ${listen} became a member`)
    const itself: FoundingMember = { replica, key, storeId, role, addresses: [listen] }
    const { members, ...rest } = cluster()
    const others = members.filter(member => member.replica !== replica)
    return { ...rest, replica, members: [...others, itself] }
  }
}
