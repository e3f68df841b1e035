/** Peers of one cluster on this machine's loopback, each with a data directory in memory. */

import { setTimeout } from 'node:timers/promises'
import type { ReplicaId } from '../../lib/ids.ts'
import type { Logger } from '../../lib/io/logger.ts'
import { SystemClock } from '../../lib/io/system-clock.ts'
import { beginRun } from '../../lib/peer/begin-run.ts'
import type { PeerMember } from '../../lib/peer/link.ts'
import { PeerRecords } from '../../lib/peer/peer-records.ts'
import { Peers } from '../../lib/peer/peers.ts'
import type { PeersIdentity, PeersOptions } from '../../lib/peer/peers.ts'
import { newKeyPair } from '../../lib/peer/secure-stream.ts'
import type { KeyPair } from '../../lib/peer/secure-stream.ts'
import type { PeerChannel } from '../../lib/peer/send-queue.ts'
import { present } from '../../lib/util/assert.ts'
import { SimDisk } from './sim-disk.ts'

export interface Received {
  readonly from: ReplicaId
  readonly channel: PeerChannel
  readonly message: Buffer
}

/** One replica of the group, over its runs. */
export interface GroupPeer {
  readonly replica: ReplicaId
  readonly keyPair: KeyPair
  readonly disk: SimDisk
  readonly received: Received[]
  /** 'up 2', 'down 2', in order. */
  readonly events: string[]
  /** Warnings and errors. */
  readonly complaints: string[]
  peers: Peers
}

export const CLUSTER_ID = 'cluster-of-tests'

export class PeerGroup {
  readonly members: PeerMember[] = []
  readonly all = new Map<number, GroupPeer>()
  /** Where each was last found; only those who dial need it. */
  readonly #addresses = new Map<ReplicaId, string>()

  /** Makes a member of the group, which is not started. */
  add(number: number): GroupPeer {
    const replica = number as ReplicaId
    const keyPair = newKeyPair()
    const key = keyPair.publicKey.toString('hex')
    this.members.push({ replica, key, storeId: `store-${replica}`, role: 'store' })
    const peer: GroupPeer = {
      replica,
      keyPair,
      disk: new SimDisk(),
      received: [],
      events: [],
      complaints: [],
      // Until it is started, nothing is asked of it.
      peers: undefined as unknown as Peers
    }
    this.all.set(number, peer)
    return peer
  }

  /** Begins a run of a member; `changes` is what this run says otherwise than it should. */
  async start(
    peer: GroupPeer,
    changes: Partial<PeersIdentity> = {},
    options: Partial<PeersOptions> = {}
  ): Promise<void> {
    const { replica, keyPair, events, received } = peer
    const run = await beginRun(peer.disk)
    peer.peers = new Peers({
      identity: {
        replica,
        publicKey: keyPair.publicKey.toString('hex'),
        secretKey: keyPair.secretKey.toString('hex'),
        storeId: `store-${replica}`,
        clusterId: CLUSTER_ID,
        listen: '127.0.0.1:0',
        ...run,
        ...changes
      },
      records: PeerRecords.read(peer.disk),
      members: () => this.members,
      addressesOf: other => [this.#addresses.get(other)].filter(one => one !== undefined),
      onMessage: (from, channel, message) => {
        received.push({ from, channel, message: Buffer.from(message) })
      },
      onUp: other => events.push(`up ${other}`),
      onDown: other => events.push(`down ${other}`),
      logger: keptLogger(peer.complaints),
      clock: new SystemClock(),
      ...options
    })
    await peer.peers.open()
    if (peer.peers.address !== undefined) this.#addresses.set(replica, peer.peers.address)
  }

  /** As many started members, all connected with each other. */
  async startAll(count: number): Promise<GroupPeer[]> {
    const peers = Array.from({ length: count }, (_, n) => this.add(n + 1))
    for (const peer of peers) await this.start(peer)
    await until(() => peers.every(peer => this.isUpWithAll(peer)))
    return peers
  }

  isUpWithAll({ replica, peers }: GroupPeer): boolean {
    return this.members.every(other => other.replica === replica || peers.isUp(other.replica))
  }

  addressOf(replica: ReplicaId): string {
    return present(this.#addresses.get(replica), 'an address')
  }

  async close(): Promise<void> {
    for (const { peers } of this.all.values()) await (peers as Peers | undefined)?.close()
  }
}

/** Waits for what has to come about; the limit is the test's own. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setTimeout(5)
}

function keptLogger(complaints: string[]): Logger {
  const ignore = (): void => {}
  const keep = (message: string): void => void complaints.push(message)
  return { debug: ignore, info: ignore, warn: keep, error: keep }
}
