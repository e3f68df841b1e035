import { join } from 'node:path'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { LevelStore } from '../../lib/store/level-store.ts'
import { SimReplicaShell } from './sim-replica-shell.ts'
import { SimReplica } from './sim-replica.ts'

/** Names of one inode, fewer than it may have, made before the store takes them. */
const LINKS = 50_000

/**
 * Puts names n0, n1, ... into a directory of a store that nobody serves, all of symbolic links.
 *
 * By the code that a daemon runs, and without a mount: a kernel would take ten times as long.
 */
export async function makeLargeDirectory(
  dataDir: string,
  path: string,
  count: number
): Promise<void> {
  const replica = await SimReplica.start({
    disk: new NodeDisk(dataDir),
    store: { open: () => LevelStore.open(join(dataDir, 'store')) }
  })
  const { ino: parent } = (await new SimReplicaShell(replica).mkdir(path)).attr
  const { names } = replica.vfs
  for (let i = 0; i < count; i += LINKS) {
    const make = () => names.symlink(parent, `n${String(i)}`, 'x', { uid: 0, gid: 0 })
    const { ino } = (await replica.run(make)).attr
    for (let other = i + 1; other < Math.min(i + LINKS, count); other++) {
      await replica.run(() => names.link(ino, parent, `n${String(other)}`))
    }
    await replica.catchUp()
  }
  await replica.close()
}
