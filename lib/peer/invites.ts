/**
 * The invites that this replica has given out and that nobody has used.
 *
 *     invites.json   of each: its number, what its secret proves itself by, when it expires
 *
 * An invite is forgotten durably before anything is done with it, so it is good for one member
 * only, also when the machine fails between the two.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { RoostError } from '../errors.ts'
import type { Disk } from '../io/disk.ts'
import { readText, writeDurableText } from '../io/durable-text.ts'
import { drawBytes } from '../io/random.ts'
import { hexField } from './cluster-identity.ts'
import { encodeToken, INVITE_BYTES, SECRET_BYTES } from './invite-token.ts'
import { decodeJson, fieldsOf, listField, numberField } from './json-frame.ts'

const FILE = 'invites.json'
const FORMAT = 1
/** More can be made when some were used, or expired. */
const INVITES_MAX = 1000
const VERIFIER_DIGITS = 64

interface Invite {
  /** Hash of the secret, in hex: enough to check a proof, and not to make the token again. */
  readonly verifier: string
  readonly expiresMs: number
}

export class Invites {
  readonly #disk: Disk
  readonly #invites: Map<string, Invite>
  #writing: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, invites: Map<string, Invite>) {
    this.#disk = disk
    this.#invites = invites
  }

  /** @throws RoostError DATA_UNUSABLE the file is not what was written */
  static read(disk: Disk): Invites {
    const text = readText(disk, FILE)
    try {
      return new Invites(disk, text === undefined ? new Map<string, Invite>() : decode(text))
    } catch (cause) {
      throw new RoostError('DATA_UNUSABLE', `${FILE} is damaged`, { cause })
    }
  }

  /** Whether any is good at `wallMs`, milliseconds since 1970. */
  isAnyGood(wallMs: number): boolean {
    return [...this.#invites.values()].some(({ expiresMs }) => expiresMs > wallMs)
  }

  /**
   * Makes an invite, which is good once it is durable here.
   *
   * @param key public key of this replica; `addresses` are where it can be reached
   * @throws RoostError PEER_FAILED there are too many
   */
  async create(
    key: string,
    addresses: readonly string[],
    ttlMs: number,
    wallMs: number
  ): Promise<string> {
    this.#forgetExpired(wallMs)
    if (this.#invites.size >= INVITES_MAX) {
      throw new RoostError('PEER_FAILED', `${INVITES_MAX} invites are not used yet`)
    }
    const invite = drawBytes(INVITE_BYTES).toString('hex')
    const secret = drawBytes(SECRET_BYTES)
    const expiresMs = Math.round(wallMs + ttlMs)
    this.#invites.set(invite, { verifier: verifierOf(secret), expiresMs })
    await this.#write()
    return encodeToken({ key, addresses, invite, secret, expiresMs })
  }

  /**
   * Takes the invite that `proof` (hex) proves, of which there is none from then on.
   *
   * @returns what gives it back, for when nothing came of it; undefined when there is no such
   *   invite, or it expired, or the proof is wrong: which of these is nobody's business
   */
  async take(
    invite: string,
    proof: string,
    handshakeHash: Buffer,
    wallMs: number
  ): Promise<(() => Promise<void>) | undefined> {
    this.#forgetExpired(wallMs)
    const found = this.#invites.get(invite)
    // Without an invite as much is computed as with one.
    const expected = proofOf(found?.verifier ?? '0'.repeat(VERIFIER_DIGITS), handshakeHash)
    const given = Buffer.from(proof, 'hex')
    const isRight = given.length === expected.length && timingSafeEqual(given, expected)
    if (found === undefined || !isRight) return undefined
    this.#invites.delete(invite)
    await this.#write()
    return async () => {
      this.#invites.set(invite, found)
      await this.#write()
    }
  }

  #forgetExpired(wallMs: number): void {
    for (const [invite, { expiresMs }] of this.#invites) {
      if (expiresMs <= wallMs) this.#invites.delete(invite)
    }
  }

  #write(): Promise<void> {
    const writing = this.#writing
      .catch(() => {})
      .then(() => writeDurableText(this.#disk, FILE, encode(this.#invites)))
    this.#writing = writing
    return writing
  }
}

/** What is kept of a secret. */
export function verifierOf(secret: Uint8Array): string {
  return createHmac('sha256', 'roost invite').update(secret).digest('hex')
}

/**
 * Proves to whoever has the verifier that one has the secret, on one connection: its handshake
 * hash is like no other's, so a proof that was overheard is worth nothing elsewhere.
 */
export function proofOf(verifier: string, handshakeHash: Buffer): Buffer {
  return createHmac('sha256', Buffer.from(verifier, 'hex'))
    .update('roost join')
    .update(handshakeHash)
    .digest()
}

function encode(invites: ReadonlyMap<string, Invite>): string {
  const list = [...invites].map(([invite, rest]) => ({ invite, ...rest }))
  return `${JSON.stringify({ format: FORMAT, invites: list }, undefined, 2)}\n`
}

function decode(text: string): Map<string, Invite> {
  const fields = decodeJson(Buffer.from(text))
  if (numberField(fields, 'format') !== FORMAT) throw new RoostError('PROTOCOL', 'unknown format')
  return new Map(
    listField(fields, 'invites').map(value => {
      const one = fieldsOf(value)
      const verifier = hexField(one, 'verifier', VERIFIER_DIGITS)
      const expiresMs = numberField(one, 'expiresMs')
      return [hexField(one, 'invite', 2 * INVITE_BYTES), { verifier, expiresMs }]
    })
  )
}
