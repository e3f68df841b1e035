import { BlobStore } from '../../lib/blob/blob-store.ts'
import type { BlobId, VolumeId } from '../../lib/ids.ts'
import { exportCheckpoint } from '../../lib/keeper/checkpoint-export.ts'
import { checkpointPathOf, CheckpointReceiver } from '../../lib/keeper/checkpoint-files.ts'
import { installCheckpoint } from '../../lib/keeper/checkpoint-install.ts'
import type { TreeView } from '../../lib/keeper/tree-view.ts'
import { Containers } from '../../lib/store/containers.ts'
import type { SimRandom } from './sim-random.ts'
import type { SimReplicaHost } from './sim-replica-host.ts'
import type { SimReplica } from './sim-replica.ts'
import type { SimReplicaShell } from './sim-replica-shell.ts'

const USERS = ['anna', 'bert']
/** Large enough not to ride in the log, and the same for several users. */
const SHARED = Buffer.alloc(150_000, 'an attachment that everybody got\n')

/** Makes a random change to a tree of two users. */
export async function changeTree(shell: SimReplicaShell, random: SimRandom): Promise<void> {
  const place = `${random.pick(USERS)}/${random.pick(['cur', 'new', 'deep/er'])}`
  const name = `${place}/${random.int(6)}`
  const log = `${random.pick(USERS)}/dovecot.index.${random.int(3)}`
  const small = Buffer.from(random.bytes(random.int(3000)))
  const ops: (() => Promise<unknown>)[] = [
    () => shell.write(name, small),
    () => shell.write(name, Buffer.concat([small, Buffer.alloc(random.int(2) * 200_000, 'x')])),
    () => shell.write(name, SHARED),
    async () => shell.writeAt(await shell.open(log), random.int(100_000), small),
    () => shell.truncate(log, random.int(120_000)),
    () => shell.unlink(random.chance(0.5) ? name : log),
    () => shell.rename(name, `${place}/${random.int(6)}`),
    () => shell.link(name, `${place}/linked-${random.int(3)}`)
  ]
  await shell.mkdir(place)
  try {
    await random.pick(ops)()
  } catch (error) {
    // What is not there cannot be changed, and what is cannot be made.
    if (!(error instanceof Error) || error.name !== 'FsError') throw error
  }
}

/** Checkpoints of volumes, as they are sent, and the bodies that they name. */
export interface SentCheckpoints {
  readonly chunks: ReadonlyMap<VolumeId, readonly Buffer[]>
  bodyOf(blob: BlobId): Promise<Buffer>
}

export async function chunksOf(view: TreeView, volume: VolumeId): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for await (const chunk of exportCheckpoint(view, volume)) chunks.push(chunk)
  return chunks
}

export async function checkpointsOf(
  replica: SimReplica,
  volumes: readonly VolumeId[]
): Promise<SentCheckpoints> {
  const view = await replica.keeper.openView(() => true)
  const chunks = new Map<VolumeId, readonly Buffer[]>()
  for (const volume of volumes) chunks.set(volume, await chunksOf(view, volume))
  await view.close()
  return { chunks, bodyOf: blob => replica.keeper.blobs.read(blob) }
}

/** Receives and installs checkpoints in a store that nobody serves. */
export async function installOn(
  { disk, store: simStore }: SimReplicaHost,
  sent: SentCheckpoints
): Promise<void> {
  const store = await simStore.open()
  const [blobs, containers] = [new BlobStore(disk), new Containers(disk)]
  blobs.prepare()
  containers.prepare()
  // As every start does: what is there was perhaps never whole.
  blobs.clearStaged()
  for (const [volume, chunks] of sent.chunks) {
    const receiver = new CheckpointReceiver(disk, volume)
    for (const chunk of chunks) receiver.write(chunk)
    const content = await receiver.finish()
    for (const blob of content.blobs.keys()) {
      if (!(await blobs.claimFile(blob))) await blobs.stage(blob, await sent.bodyOf(blob))
    }
    const files = { store, blobs, containers }
    const changes = await installCheckpoint(disk, files, volume, content.point)
    await disk.syncAll()
    await store.write(changes)
    for (const blob of content.blobs.keys()) blobs.unstage(blob)
    disk.remove(checkpointPathOf(volume, content.point.index))
  }
  containers.close()
  await store.close()
}
