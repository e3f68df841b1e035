/**
 * Does what the log asks for: the tasks of `pending-log.ts`, as changes of the tree and the store.
 */

import type { LoggedEntry } from '../feed/entry.ts'
import { RoostError } from '../errors.ts'
import type { VolumeId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { volumeKey } from '../store/keys.ts'
import { decodeVolume } from '../store/records.ts'
import { applyEntry } from '../tree/apply.ts'
import { assert, present } from '../util/assert.ts'
import type { KeeperFiles } from './batch-writer.ts'
import type { DurableTree } from './durable-tree.ts'
import type { KeeperTask } from './pending-log.ts'
import type { LogPoint } from './pending-volume.ts'

/**
 * Makes a checkpoint that is durable elsewhere on this disk stand for a volume.
 *
 * It writes the volume's containers and blobs, whose syncing is the caller's part, and returns the
 * keys that make the store what it is at `point`: the new ones, the volume's record among them, and
 * undefined for those that the volume had and has no more. They are written at once, or never, and
 * then it is called again with the same point; what it wrote to files by then must not matter.
 *
 * @throws whatever keeps it from being done now; it is tried again
 */
export type InstallCheckpoint = (
  volume: VolumeId,
  point: LogPoint,
  files: KeeperFiles
) => Promise<ReadonlyMap<string, Buffer | undefined>>

export type TreeTask = Exclude<KeeperTask, { readonly kind: 'install' }>
export type InstallTask = KeeperTask & { readonly kind: 'install' }

/** Changes the tree as a task says; durable when the tree's changes are. */
export function runTask(tree: DurableTree, task: TreeTask): void {
  if (task.kind === 'apply') applyEntry(tree, task.logged)
  else if (task.kind === 'promise') tree.putPromise(task.volume, task.epoch)
}

/**
 * Installs a checkpoint; the tree has to be made anew from the store afterwards.
 *
 * @throws RoostError DATA_UNUSABLE without anybody to do it
 */
export async function runInstall(
  disk: Disk,
  files: KeeperFiles,
  { volume, point }: InstallTask,
  install: InstallCheckpoint | undefined
): Promise<void> {
  if (install === undefined) {
    const what = `volume ${volume} waits for a checkpoint`
    throw new RoostError('DATA_UNUSABLE', `${what}, which only a mount as a member installs`)
  }
  const changes = await install(volume, point, files)
  const record = decodeVolume(present(changes.get(volumeKey(volume)), 'record of a checkpoint'))
  const isAtPoint = record.index === point.index && record.hash.equals(point.hash)
  assert(isAtPoint, `a checkpoint of volume ${volume} is of another point`)
  // No log has these bytes, so they may not be lost once the store names them.
  await disk.syncAll()
  await files.store.write(changes)
}

/** Bytes that an entry brings into a batch. */
export function sizeOf({ entry, bodies }: LoggedEntry): number {
  const { change } = entry
  const written = change.kind === 'write' ? change.bytes.length : 0
  return ENTRY_SIZE + bodies.reduce((sum, body) => sum + body.length, written)
}

/** Bytes of an entry without what it writes, about. */
const ENTRY_SIZE = 200
