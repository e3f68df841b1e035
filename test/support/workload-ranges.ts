import { FsError } from '../../lib/errors.ts'
import type { Ino } from '../../lib/ids.ts'
import type { ModelTree } from './model-tree.ts'
import type { SimRandom } from './sim-random.ts'
import type { SimReplica } from './sim-replica.ts'

/** Modes of fallocate(2): allocate, keep the size, punch a hole, zero a range. */
const MODES = [0, 1, 3, 16, 17]
const SEEK_DATA = 3
const SEEK_HOLE = 4
/** No more than what a file that is kept in history can be zeroed by at once. */
const LENGTH_MAX = 300_000

/** Ranges of open files emptied, allocated, sought and copied, on a replica and a model. */
export class RangeWorkload {
  readonly #model: ModelTree
  readonly #random: SimRandom
  readonly #say: (op: string) => void

  constructor(model: ModelTree, random: SimRandom, say: (op: string) => void) {
    this.#model = model
    this.#random = random
    this.#say = say
  }

  /** @param other a file to copy to, perhaps the same */
  async step(replica: SimReplica, id: number, other: number): Promise<void> {
    const chance = this.#random.next()
    if (chance < 0.5) await this.#allocate(replica, id)
    else if (chance < 0.75) await this.#copy(replica, id, other)
    else await this.#seek(replica, id)
  }

  async #allocate(replica: SimReplica, id: number): Promise<void> {
    const mode = this.#random.pick(MODES)
    const { offset, length } = this.#range(id)
    this.#say(`fallocate ${id} ${mode} ${offset}+${length}`)
    const request = { ino: id as Ino, mode, offset, length, killsPrivileges: false }
    await replica.run(() => {
      replica.vfs.ranges.fallocate(request)
    })
    this.#model.fallocate(id, mode, offset, length)
  }

  async #copy(replica: SimReplica, id: number, other: number): Promise<void> {
    const { offset, length } = this.#range(id)
    const offsetOut = this.#random.int(this.#model.node(other).bytes.length + 1)
    this.#say(`copy ${id} ${offset}+${length} to ${other} ${offsetOut}`)
    const [from, to] = [id as Ino, other as Ino]
    const request = { from, offset, to, offsetOut, length, killsPrivileges: false }
    const copied = await replica.run(() => replica.vfs.ranges.copy(request))
    const bytes = this.#model.node(id).bytes.subarray(offset, offset + length)
    if (copied !== bytes.length) throw new Error(`${copied} bytes were copied of ${bytes.length}`)
    if (copied > 0) this.#model.write(other, offsetOut, bytes)
  }

  /** Whatever counts as a hole: it must read as zeros. */
  async #seek(replica: SimReplica, id: number): Promise<void> {
    const { bytes } = this.#model.node(id)
    const offset = this.#random.int(bytes.length + 2)
    this.#say(`seek ${id} ${offset}`)
    const find = (whence: number): Promise<number | undefined> =>
      replica
        .run(() => replica.vfs.ranges.seek(id as Ino, offset, whence))
        .catch((error: unknown) => {
          if (error instanceof FsError && error.message === 'ENXIO') return undefined
          throw error
        })
    const [data, hole] = [await find(SEEK_DATA), await find(SEEK_HOLE)]
    const skipped = bytes.subarray(offset, data ?? bytes.length)
    if (skipped.some(byte => byte !== 0)) throw new Error(`data of ${id} taken for a hole`)
    if ((hole === undefined) !== offset >= bytes.length) throw new Error(`no hole in ${id}`)
    if (bytes[hole ?? bytes.length] ?? 0) throw new Error(`a hole of ${id} has data`)
  }

  #range(id: number): { offset: number; length: number } {
    const size = this.#model.node(id).bytes.length
    const offset = this.#random.chance(0.3) ? 0 : this.#random.int(size + 1)
    const max = this.#random.chance(0.5) ? 5000 : LENGTH_MAX
    return { offset, length: 1 + this.#random.int(max) }
  }
}
