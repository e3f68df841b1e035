/**
 * Members of a council in one process, each on a directory of its own, with a network between them
 * that hands messages on one after the other.
 */

import { setTimeout } from 'node:timers/promises'
import type { Command, CouncilAnswer, Refusal } from '../../lib/council/command.ts'
import { CouncilHost } from '../../lib/host/council-host.ts'
import type { CouncilHostOptions, CouncilListener } from '../../lib/host/council-ports.ts'
import type { ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'
import { bootMs } from '../../lib/io/boot-clock.ts'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import type { Disk } from '../../lib/io/disk.ts'
import { present } from '../../lib/util/assert.ts'
import type { LeaseView } from '../../lib/volume/volume-io.ts'
import { SimRandom } from './sim-random.ts'

/** What a member was told. */
export class HostNews implements CouncilListener {
  readonly leases = new Map<VolumeId, LeaseView>()
  readonly sessions: SessionId[] = []
  readonly answers = new Map<number, CouncilAnswer>()
  readonly refusals: Refusal[] = []
  readonly warnings: string[] = []
  readonly failures: string[] = []
  voters: readonly ReplicaId[] = []
  ends = 0
  validMs = 0
  leads: ReplicaId | 0 = 0
  leaseChanges = 0

  lease(volume: VolumeId, view: LeaseView): void {
    const known = this.leases.get(volume)
    if (known === undefined || known.position <= view.position) this.leases.set(volume, view)
  }

  leasesChanged(): void {
    this.leaseChanges++
  }

  opened(session: SessionId): void {
    this.sessions.push(session)
  }

  ended(): void {
    this.ends++
  }

  answered(number: number, answer: CouncilAnswer): void {
    this.answers.set(number, answer)
  }

  validUntil(ms: number): void {
    this.validMs = ms
  }

  members(_members: unknown, voters: readonly ReplicaId[]): void {
    this.voters = voters
  }

  leader(leader: ReplicaId | 0): void {
    this.leads = leader
  }

  refused(why: Refusal): void {
    this.refusals.push(why)
  }

  failed(error: Error): void {
    this.failures.push(error.message)
  }
}

export interface TestMember {
  readonly id: ReplicaId
  readonly host: CouncilHost
  readonly news: HostNews
  /** Whether it may be renewed. */
  health: { servedAt: number | 'now' }
}

export class CouncilHosts {
  readonly members = new Map<number, TestMember>()
  /** Members whose messages are lost, both ways. */
  readonly cut = new Set<number>()
  #boots = 0
  readonly #letters: (() => void)[] = []
  #isDelivering = false

  /** @param change what is not as usual */
  async start(
    id: number,
    disk: Disk | string,
    change: Partial<CouncilHostOptions> = {}
  ): Promise<TestMember> {
    const news = new HostNews()
    const random = new SimRandom(id)
    const health: TestMember['health'] = { servedAt: 'now' }
    const say = (): void => undefined
    const nextBoot = (): { boot: number; nonce: string } => {
      const boot = ++this.#boots
      return { boot, nonce: `${id}-${boot}` }
    }
    const replica = id as ReplicaId
    const host = new CouncilHost({
      disk: typeof disk === 'string' ? new NodeDisk(disk) : disk,
      identity: { replica, storeId: `store-${id}`, ...nextBoot() },
      nextBoot,
      health: () => ({
        servedAt: health.servedAt === 'now' ? bootMs() : health.servedAt,
        syncingSince: undefined
      }),
      send: (to, bytes) => {
        this.#send(id, to, bytes)
      },
      on: news,
      logger: { debug: say, info: say, warn: text => news.warnings.push(text), error: say },
      random: () => random.next(),
      ...change
    })
    const member = { id: replica, host, news, health }
    this.members.set(id, member)
    await host.open()
    return member
  }

  async stop(id: number): Promise<void> {
    const member = present(this.members.get(id), 'member')
    this.members.delete(id)
    await member.host.close()
  }

  async stopAll(): Promise<void> {
    for (const id of [...this.members.keys()]) await this.stop(id)
  }

  /** Puts a command and waits for the answer. */
  async ask({ host, news }: TestMember, command: Command): Promise<CouncilAnswer> {
    const number = host.request(command)
    return present(await until(() => news.answers.get(number)), 'answer')
  }

  /** The one who leads, once all who are there know it. */
  leader(): Promise<TestMember> {
    return until(() => {
      const leads = [...this.members.values()].map(({ host }) => host.figures.leader)
      const [leader] = leads
      if (leader === undefined || leads.some(each => each !== leader)) return undefined
      return this.members.get(leader)
    })
  }

  #send(from: number, to: number, bytes: Buffer): void {
    if (this.cut.has(from) || this.cut.has(to)) return
    this.#letters.push(() => this.members.get(to)?.host.hear(from as ReplicaId, bytes))
    if (this.#isDelivering) return
    this.#isDelivering = true
    setImmediate(() => {
      this.#deliver()
    })
  }

  #deliver(): void {
    this.#isDelivering = false
    for (const letter of this.#letters.splice(0)) letter()
  }
}

/** What `look` finds, once it finds something. */
export async function until<Found>(look: () => Found | undefined | false): Promise<Found> {
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await setTimeout(2)
  }
}

/** Its session, once it may answer alone. */
export function opened({ news }: TestMember): Promise<SessionId> {
  return until(() => news.validMs > 0 && news.sessions.at(-1))
}
