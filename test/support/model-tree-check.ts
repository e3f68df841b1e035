import type { Ino } from '../../lib/ids.ts'
import { isDirectory, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../lib/tree/inode.ts'
import { MODEL_ROOT, type ModelNode, type ModelSnapshot } from './model-tree.ts'
import type { SimReplica } from './sim-replica.ts'

const TYPE = { file: S_IFREG, directory: S_IFDIR, symlink: S_IFLNK }

/**
 * Compares all that can be reached from the root with the model: names both ways, kinds,
 * permissions, link counts, sizes, and the bytes of every file.
 *
 * @param which what a reader sees, or what history knows
 * @throws Error saying what differs
 */
export async function compareWithModel(
  replica: SimReplica,
  model: ModelSnapshot,
  which: 'bytes' | 'durable'
): Promise<void> {
  const nodeOf = (id: number): ModelNode => {
    const node = model.get(id)
    if (node === undefined) throw new Error(`inode ${id} is not in the model`)
    return node
  }
  const visit = async (id: number, path: string): Promise<void> => {
    const node = nodeOf(id)
    await compareNode(replica, node, path, which)
    if (node.kind !== 'directory') return
    const listed = await listingOf(replica, id)
    const [found, expected] = [[...listed.keys()].sort(), [...node.names.keys()].sort()]
    if (found.join('/') !== expected.join('/')) {
      throw new Error(`${path} has [${found.join(' ')}] and should have [${expected.join(' ')}]`)
    }
    for (const [name, ino] of node.names) {
      if (listed.get(name) !== ino) throw new Error(`${path}/${name} is another inode`)
      await visit(ino, `${path}/${name}`)
    }
  }
  await visit(MODEL_ROOT, '')
}

async function compareNode(
  replica: SimReplica,
  node: ModelNode,
  path: string,
  which: 'bytes' | 'durable'
): Promise<void> {
  const ino = node.id as Ino
  const { attr } = await replica.run(() => replica.vfs.attrs.getattr(ino))
  const mode = TYPE[node.kind] | node.permissions
  if (attr.mode !== mode) throw new Error(`${path} has mode ${attr.mode.toString(8)}`)
  const xattrs = await xattrsOf(replica, ino)
  if (xattrs !== textOf(node.xattrs)) throw new Error(`${path} has the attributes ${xattrs}`)
  if (node.kind === 'symlink') {
    const target = await replica.run(() => replica.vfs.attrs.readlink(ino))
    if (target !== node.target) throw new Error(`${path} leads to ${target}`)
  }
  if (node.kind === 'file') {
    if (attr.nlink !== node.nlink) throw new Error(`${path} has ${attr.nlink} names`)
    const expected = node[which]
    if (attr.size !== expected.length) {
      throw new Error(`${path} has ${attr.size} bytes and should have ${expected.length}`)
    }
    const bytes = await replica.run(() => replica.vfs.data.read(ino, 0, attr.size))
    const at = bytes.equals(expected) ? -1 : bytes.findIndex((byte, i) => byte !== expected[i])
    if (at >= 0) throw new Error(`${path} (${attr.fileClass}) differs at byte ${at}`)
  }
  if (isDirectory(attr) !== (node.kind === 'directory')) throw new Error(`${path} is misnamed`)
  if ((attr.mode & S_IFMT) !== TYPE[node.kind]) throw new Error(`${path} is no ${node.kind}`)
}

async function xattrsOf(replica: SimReplica, ino: Ino): Promise<string> {
  const { xattrs } = replica.vfs
  return replica.run(() => {
    const names = String(xattrs.list(ino)).split('\0').slice(0, -1)
    return textOf(new Map(names.map(name => [name, String(xattrs.get(ino, name))])))
  })
}

function textOf(xattrs: ReadonlyMap<string, string>): string {
  return Array.from(xattrs, pair => pair.join('='))
    .sort()
    .join(' ')
}

async function listingOf(replica: SimReplica, id: number): Promise<Map<string, number>> {
  const listed = new Map<string, number>()
  let cookie = 0
  for (let isDone = false; !isDone;) {
    isDone = true
    // As the kernel does: some names at a time, from where it left off.
    const part = await replica.run(() => {
      const names: { name: string; ino: number; cookie: number }[] = []
      replica.vfs.names.readdir(id as Ino, cookie, ({ name, dirent }) => {
        if (names.length === 3) return false
        names.push({ name, ino: dirent.ino, cookie: dirent.cookie })
        return true
      })
      return names
    })
    for (const { name, ino, cookie: next } of part) {
      isDone = false
      cookie = next
      if (name === '.' || name === '..') continue
      if (listed.has(name)) throw new Error(`${name} is listed twice`)
      listed.set(name, ino)
    }
  }
  return listed
}
