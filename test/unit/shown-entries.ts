import t from 'tap'
import { NO_HASH, type Change, type Entry } from '../../lib/feed/entry.ts'
import type { Epoch, Index, Ino, SessionId, VolumeId } from '../../lib/ids.ts'
import { S_IFDIR, S_IFREG, type Inode } from '../../lib/tree/inode.ts'
import { Directory } from '../../lib/vfs/directory.ts'
import { DEFAULT_CACHE_LIMITS, LiveTree } from '../../lib/vfs/live-tree.ts'
import { Node } from '../../lib/vfs/node.ts'
import { ShownEntries } from '../../lib/vfs/shown-entries.ts'

const VOLUME = 1 as VolumeId
const ROOT = (2 ** 32 + 1) as Ino
const [FILE, NEW, UNKNOWN] = [(ROOT + 1) as Ino, (ROOT + 2) as Ino, (ROOT + 3) as Ino]

function inode(ino: Ino, mode: number): Inode {
  const times = { atime: 1n, mtime: 2n, ctime: 3n }
  const owner = { uid: 0, gid: 0, rdev: 0, parent: 0, name: '', target: '' } as const
  const kind = { generation: 1 as Epoch, mode, nlink: 1, fileClass: 'log' } as const
  return { ino, ...kind, ...times, ...owner, size: 0, bodyEnd: 0 }
}

/** A directory with `file` in it, listed whole, both known to the kernel. */
function setUp(): { tree: LiveTree; told: string[]; show: (...changes: Change[]) => void } {
  const loader = { load: () => undefined }
  const blobs = { read: () => false, wantsCheck: () => false, noteVerified: () => undefined }
  const tree = new LiveTree(loader, blobs, DEFAULT_CACHE_LIMITS)
  const root = new Node(inode(ROOT, S_IFDIR | 0o755))
  root.directory = new Directory(true)
  root.directory.set('file', { ino: FILE, type: S_IFREG, cookie: 2 as Index })
  const file = new Node(inode(FILE, S_IFREG | 0o644))
  for (const node of [root, file]) {
    tree.nodes.add(node)
    node.nlookup = 1
  }
  const told: string[] = []
  const shown = new ShownEntries(tree, {
    invalInode: (ino, offset, length) => told.push(`inode ${ino - ROOT} ${offset} ${length}`),
    invalEntry: (parent, name) => told.push(`name ${parent - ROOT} ${name}`),
    invalNames: () => told.push('names'),
    probe: () => undefined
  })
  let index = 10
  const show = (...changes: Change[]): void => {
    const entries = changes.map((change): Entry => {
      const at = { epoch: 1 as Epoch, index: ++index as Index, time: 9n }
      return { volume: VOLUME, previous: NO_HASH, change, ...at }
    })
    shown.show(VOLUME, entries)
  }
  return { tree, told, show }
}

function namesIn(tree: LiveTree): [string, number][] {
  const names: [string, number][] = []
  tree.nodes.namesOf(ROOT)?.list(0, ({ name, dirent }) => names.push([name, dirent.ino - ROOT]) > 0)
  return names
}

function create(name: string, ino: Ino): Change {
  const made = { mode: S_IFREG | 0o600, uid: 0, gid: 0, rdev: 0, target: '' }
  return { kind: 'create', parent: ROOT, name, ino, fileClass: 'log', ...made }
}

t.test('a new name is put into a listing that is here, and the kernel is told', async t => {
  const { tree, told, show } = setUp()
  show(create('new', NEW))
  t.same(namesIn(tree), [
    ['file', 1],
    ['new', 2]
  ])
  t.same(told, ['name 0 new', 'inode 0 -1 0'])
  t.throws(() => tree.node(ROOT), /inode/, 'the times of the directory are asked for anew')
})

t.test('a file that is moved over another takes its place, and the other goes', async t => {
  const { tree, told, show } = setUp()
  const rename = { kind: 'rename', parent: ROOT, name: 'new', newParent: ROOT } as const
  show(create('new', NEW), { ...rename, newName: 'file', replaced: FILE, drop: true })
  t.same(namesIn(tree), [['file', 2]])
  t.ok(told.includes('name 0 file'))
  t.ok(told.includes('inode 1 -1 0'))
  t.throws(() => tree.node(FILE), /inode/)
})

t.test('where a moved name is not known, the listing has to come again', async t => {
  const { tree, show } = setUp()
  const parent = (ROOT + 9) as Ino
  const rename = { kind: 'rename', parent, name: 'x', newParent: ROOT, newName: 'y' } as const
  show({ ...rename, replaced: 0, drop: false })
  t.equal(tree.nodes.namesOf(ROOT), undefined)
})

t.test('written bytes are out of date in the kernel, where they were written', async t => {
  const { told, show } = setUp()
  show({ kind: 'write', ino: FILE, offset: 4096, bytes: Buffer.alloc(10) })
  t.same(told, ['inode 1 4096 10'])
})

t.test('the kernel is told nothing of what it does not know', async t => {
  const { told, show } = setUp()
  show({ kind: 'write', ino: UNKNOWN, offset: 0, bytes: Buffer.alloc(10) })
  show({ kind: 'begin', session: 3 as SessionId, skip: 0 })
  t.same(told, [])
})

t.test('a removed file stays for whoever has it open', async t => {
  const { tree, show } = setUp()
  tree.node(FILE).handles = 1
  show({ kind: 'unlink', parent: ROOT, name: 'file', ino: FILE, drop: true })
  t.same(namesIn(tree), [])
  t.equal(tree.node(FILE).attr.nlink, 0)
})
