import type { ReplicaId } from '../../lib/ids.ts'

/** What hears messages of one channel. */
export interface PeerEnd {
  hear(from: ReplicaId, bytes: Buffer): void
  peerDown(peer: ReplicaId): void
}

/** What is on its way, or was swallowed. */
export interface SentMessage {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly bytes: Buffer
}

/**
 * Connections of one channel between the parts of a test: messages arrive whole, in order and a
 * moment later. Who sends to a peer that is not there hears of it at once.
 */
export class PeerLinks {
  readonly #ends = new Map<ReplicaId, PeerEnd>()
  /** Replicas that hear nothing, without anybody noticing. */
  readonly silent = new Set<ReplicaId>()
  readonly sent: SentMessage[] = []
  /** Changes a message on its way. */
  tamper: (message: SentMessage) => Buffer = ({ bytes }) => bytes

  connect(replica: ReplicaId, end: PeerEnd): void {
    this.#ends.set(replica, end)
  }

  disconnect(replica: ReplicaId): void {
    this.#ends.delete(replica)
    for (const end of this.#ends.values()) end.peerDown(replica)
  }

  sendAs(from: ReplicaId): (to: ReplicaId, bytes: Buffer) => Promise<void> {
    return async (to, bytes) => {
      if (!this.#ends.has(to) || !this.#ends.has(from)) throw new Error(`no connection to ${to}`)
      const message = { from, to, bytes: Buffer.from(bytes) }
      this.sent.push(message)
      await Promise.resolve()
      if (!this.silent.has(to)) this.#ends.get(to)?.hear(from, this.tamper(message))
    }
  }
}

/** Lets everything go on that waits for nothing but its turn. */
export async function settle(turns = 300): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve()
}
