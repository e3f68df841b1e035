/**
 * Writes again what a power cut may have taken from containers and blob files.
 *
 * The store is ahead of its files after a crash: its writes are synced one by one, the files only
 * at a checkpoint. So the entries between the checkpoint and the store's position are gone through
 * once more, for their bytes alone, and only for what the store still names.
 */

import type { Change, LoggedEntry } from '../feed/entry.ts'
import type { Ino } from '../ids.ts'
import { blobKey } from '../store/keys.ts'
import type { DurableTree } from './durable-tree.ts'
import type { KeeperFiles } from './batch-writer.ts'

export class Redo {
  readonly #treeNow: () => DurableTree
  readonly #files: KeeperFiles
  readonly #touched = new Set<Ino>()

  /** @param treeNow where the store stands in what is redone; nothing is applied to it here */
  constructor(treeNow: () => DurableTree, files: KeeperFiles) {
    this.#treeNow = treeNow
    this.#files = files
  }

  redo({ entry: { change }, bodies }: LoggedEntry): void {
    if (change.kind === 'seal') this.#redoSeal(change, bodies)
    if (change.kind === 'write' && this.#hasContainer(change.ino)) {
      this.#files.containers.write(change.ino, change.offset, change.bytes)
      this.#touched.add(change.ino)
    }
    const size = change.kind === 'setattr' ? change.attr.size : undefined
    if (change.kind === 'setattr' && size !== undefined && this.#hasContainer(change.ino)) {
      this.#files.containers.truncate(change.ino, size)
      this.#touched.add(change.ino)
    }
  }

  /** Cuts what was touched to the size that history gives it, before the tree moves there. */
  finish(): void {
    for (const ino of this.#touched) {
      this.#files.containers.truncate(ino, this.#tree.inode(ino).size)
    }
    this.#touched.clear()
  }

  get #tree(): DurableTree {
    return this.#treeNow()
  }

  #redoSeal(change: Change & { kind: 'seal' }, bodies: readonly Buffer[]): void {
    change.extents.forEach(({ blob }, i) => {
      // Asked of the store itself: a batch under way writes its blobs when it is written.
      if (this.#files.store.get(blobKey(blob)) === undefined) return
      const at = change.riding.indexOf(i)
      const body = at < 0 ? undefined : bodies[at]
      if (body === undefined) this.#files.blobs.adoptWhole(blob)
      else this.#files.blobs.put(blob, body)
    })
  }

  #hasContainer(ino: Ino): boolean {
    return this.#tree.hasInode(ino) && this.#tree.inode(ino).fileClass !== 'blob'
  }
}
