import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { SEGMENT_SIZE } from '../../lib/feed/segment.ts'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { LevelStore } from '../../lib/store/level-store.ts'
import { isDirectory, isRegular } from '../../lib/tree/inode.ts'
import { SimReplicaShell } from './sim-replica-shell.ts'
import { SimReplica } from './sim-replica.ts'

/** What is said of a path in the description beside a golden data directory. */
export interface GoldenPath {
  readonly mode: string
  readonly nlink: number
  readonly size: number
  readonly mtime: string
  readonly sha256?: string
  readonly target?: string
  readonly xattrs?: Readonly<Record<string, string>>
}

/** Serves a real data directory, without threads and without a mount. */
export async function openGolden(directory: string): Promise<SimReplica> {
  return SimReplica.start({
    disk: new NodeDisk(directory),
    store: { open: () => LevelStore.open(join(directory, 'store')) }
  })
}

/** Everything that a reader can see, by path. */
export async function describeGolden(replica: SimReplica): Promise<Record<string, GoldenPath>> {
  const shell = new SimReplicaShell(replica)
  const described: Record<string, GoldenPath> = {}
  const visit = async (path: string): Promise<void> => {
    const { attr } = await shell.node(path)
    const bytes = isRegular(attr) ? await shell.read(path) : undefined
    described[path === '' ? '/' : path] = {
      mode: attr.mode.toString(8),
      nlink: attr.nlink,
      size: attr.size,
      mtime: String(attr.mtime),
      ...(bytes && { sha256: createHash('sha256').update(bytes).digest('hex') }),
      ...(attr.target !== '' && { target: attr.target }),
      ...(attr.xattrs && { xattrs: Object.fromEntries(attr.xattrs) })
    }
    if (!isDirectory(attr)) return
    for (const name of await shell.list(path)) await visit(`${path}/${name}`)
  }
  await visit('')
  return described
}

/** Log segments end in megabytes of zeros, which the repository does not keep. */
export function trimSegments(directory: string): void {
  for (const path of segmentsBelow(directory)) {
    const bytes = fs.readFileSync(path)
    let end = bytes.length
    while (end > 0 && bytes[end - 1] === 0) end--
    fs.truncateSync(path, end)
  }
}

export function untrimSegments(directory: string): void {
  for (const path of segmentsBelow(directory)) fs.truncateSync(path, SEGMENT_SIZE)
}

function segmentsBelow(directory: string): string[] {
  const feeds = join(directory, 'feeds')
  return fs
    .readdirSync(feeds, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.seg'))
    .map(name => join(feeds, name))
}
