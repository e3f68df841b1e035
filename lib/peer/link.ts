/** What one replica knows of its connection to another member, whether there is one or not. */

import type { ReplicaId } from '../ids.ts'
import type { Connection } from './connection.ts'
import type { Run } from './hello.ts'

/** A member of the cluster, as the council has it. */
export interface PeerMember {
  readonly replica: ReplicaId
  /** Public key, 64 hex digits. */
  readonly key: string
  readonly storeId: string
  readonly role: 'store' | 'cache' | 'witness'
}

/** For people, and for those who choose whom to ask. */
export interface PeerFigures {
  readonly replica: ReplicaId
  /** Where it was reached, or is looked for; undefined when no address is known. */
  readonly address: string | undefined
  readonly link: 'tcp'
  readonly isUp: boolean
  readonly roundTripMs: number | undefined
  readonly queuedBytes: number
  /** On all connections since the start, as they went over the wire. */
  readonly sentBytes: number
  readonly receivedBytes: number
  /** The version of the protocol that is spoken, or was last. */
  readonly version: number | undefined
  /** How far its wall clock is ahead of ours; below zero: behind. */
  readonly clockOffsetMs: number | undefined
  /** Why one of both sides refuses the other; a sentence. */
  readonly refusal: string | undefined
  /** Why the last connection, or attempt at one, ended. */
  readonly lastEnd: string | undefined
}

/** A run that sent what makes no sense is heard again after so long; another run at once. */
export const DISTRUST_MS = 60_000
const REDIAL_MS_MIN = 100
const REDIAL_MS_MAX = 2000

export class Link {
  readonly member: PeerMember
  /** Welcomed by us; there is at most one. */
  connection: Connection | undefined
  /** Dialled by us, and not yet welcomed. */
  dialled: Connection | undefined
  /** Whoever uses it was told that it is up, and not yet that it is down. */
  isAnnounced = false
  version: number | undefined
  clockOffsetMs: number | undefined
  refusal: string | undefined
  lastEnd: string | undefined
  /** Refusals since it was last up; addresses that take turns may bring several. */
  readonly #refusals = new Set<string>()
  /** The run that sent what makes no sense, and until when it is not heard. */
  #distrusted: { readonly run: Run | undefined; readonly untilMs: number } | undefined
  /** Attempts in a row that came to nothing. */
  #failures = 0
  #dialAtMs: number
  #dials = 0
  /** Of connections that have ended. */
  #sentBytes = 0
  #receivedBytes = 0

  constructor(member: PeerMember, dialAtMs: number) {
    this.member = member
    this.#dialAtMs = dialAtMs
  }

  get isUp(): boolean {
    return this.connection?.isUp === true
  }

  isTimeToDial(nowMs: number): boolean {
    return this.connection === undefined && this.dialled === undefined && nowMs >= this.#dialAtMs
  }

  /** Hears nothing more of what it is connected to now, nor of another connection with that run. */
  distrust(nowMs: number): void {
    this.#distrusted = { run: this.connection?.hello, untilMs: nowMs + DISTRUST_MS }
    this.#dialAtMs = nowMs + DISTRUST_MS
  }

  isDistrusted(run: Run, nowMs: number): boolean {
    if (this.#distrusted === undefined || nowMs >= this.#distrusted.untilMs) return false
    const known = this.#distrusted.run
    return known?.boot === run.boot && known.nonce === run.nonce
  }

  /** The addresses take turns. */
  nextAddress(addresses: readonly string[]): string | undefined {
    return addresses[this.#dials++ % Math.max(1, addresses.length)]
  }

  cameUp(): void {
    this.#failures = 0
    this.refusal = undefined
    this.lastEnd = undefined
    this.#refusals.clear()
  }

  /** @returns whether that is new, since it was last up */
  refuse(refusal: string): boolean {
    this.refusal = refusal
    const isNew = !this.#refusals.has(refusal)
    this.#refusals.add(refusal)
    return isNew
  }

  /**
   * Forgets `connection`; another attempt is due later, the later the more have failed.
   *
   * @param unit drawn from [0, 1)
   * @returns whether it was the connection of this link, and not one beside it
   */
  lose(connection: Connection, reason: string, nowMs: number, unit: number): boolean {
    const isMain = this.connection === connection
    if (!isMain && this.dialled !== connection) return false
    if (isMain) this.connection = undefined
    else this.dialled = undefined
    this.lastEnd = reason
    const dialAtMs = nowMs + redialMs(this.#failures, unit)
    this.#dialAtMs = Math.max(dialAtMs, this.#distrusted?.untilMs ?? 0)
    this.#failures += 1
    return isMain
  }

  /** Keeps what went over a connection that has ended. */
  count({ sentBytes, receivedBytes }: Connection): void {
    this.#sentBytes += sentBytes
    this.#receivedBytes += receivedBytes
  }

  figures(address: string | undefined): PeerFigures {
    const { connection } = this
    return {
      replica: this.member.replica,
      address: connection?.hello?.listen ?? address ?? connection?.address,
      link: 'tcp',
      isUp: this.isUp,
      roundTripMs: connection?.roundTripMs,
      queuedBytes: connection?.queuedBytes ?? 0,
      sentBytes: this.#sentBytes + (connection?.sentBytes ?? 0),
      receivedBytes: this.#receivedBytes + (connection?.receivedBytes ?? 0),
      version: this.version,
      clockOffsetMs: this.clockOffsetMs,
      refusal: this.refusal,
      lastEnd: this.lastEnd
    }
  }
}

/** Doubles from one failure to the next; half of it is chance, so that two do not meet for ever. */
export function redialMs(failures: number, unit: number): number {
  const most = Math.min(REDIAL_MS_MAX, REDIAL_MS_MIN * 2 ** failures)
  return Math.max(REDIAL_MS_MIN, most * (0.5 + unit / 2))
}
