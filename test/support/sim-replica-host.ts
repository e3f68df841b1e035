import { SimDisk, type SimDiskOptions } from './sim-disk.ts'
import { SimRandom } from './sim-random.ts'
import { SimReplicaShell } from './sim-replica-shell.ts'
import { SimReplica, type SimReplicaOptions } from './sim-replica.ts'
import { SimStore } from './sim-store.ts'

/** A machine with one data directory, whose daemon can be started, killed and started again. */
export class SimReplicaHost {
  readonly disk: SimDisk
  readonly store: SimStore
  readonly #options: Partial<SimReplicaOptions>

  constructor(options: Partial<SimReplicaOptions> = {}, diskOptions: SimDiskOptions = {}) {
    this.#options = options
    this.disk = new SimDisk(diskOptions)
    this.store = new SimStore(this.disk)
  }

  async start(): Promise<{ replica: SimReplica; shell: SimReplicaShell }> {
    const { disk, store } = this
    const replica = await SimReplica.start({ ...this.#options, disk, store })
    return { replica, shell: new SimReplicaShell(replica) }
  }

  kill(): void {
    this.disk.kill()
    this.store.kill()
  }

  cutPower(seed = 1): void {
    this.disk.crash(new SimRandom(seed))
    this.store.kill()
  }
}
