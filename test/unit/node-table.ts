import t from 'tap'
import { FsError } from '../../lib/errors.ts'
import type { Epoch, Ino, Position } from '../../lib/ids.ts'
import { encodeInode } from '../../lib/store/records.ts'
import { S_IFREG, type Inode } from '../../lib/tree/inode.ts'
import { Node } from '../../lib/vfs/node.ts'
import { NodeTable } from '../../lib/vfs/node-table.ts'

const LIMIT = 200_000
const APPLIED = 1 as Position

function inode(number: number): Inode {
  const times = { atime: 1n, mtime: 2n, ctime: 3n }
  const owner = { uid: 0, gid: 0, rdev: 0, parent: 0, name: '', target: '' } as const
  const made = { ino: number as Ino, generation: 1 as Epoch, mode: S_IFREG | 0o600, nlink: 1 }
  return { ...made, ...times, ...owner, size: number, bodyEnd: 0, fileClass: 'blob' }
}

function shed(table: NodeTable): void {
  while (table.isSheddable) table.shed(APPLIED, () => undefined)
}

/** Brings inodes that nobody asks for again. */
function walk(table: NodeTable, from: number, to: number): void {
  for (let number = from; number < to; number++) {
    table.add(new Node(inode(number)))
    shed(table)
  }
}

t.test('what is used again and again stays while others walk through everything', async t => {
  const table = new NodeTable(LIMIT)
  const used = [10, 20, 30]
  for (const number of used) table.add(new Node(inode(number)))
  for (let from = 1000; from < 20_000; from += 20) {
    walk(table, from, from + 20)
    for (const number of used)
      t.ok(table.get(number as Ino), `${String(number)} at ${String(from)}`)
  }
  t.ok(table.bytes <= LIMIT / 8 + 10_000, `${String(table.bytes)} bytes`)
})

t.test('a walk takes no more than a part of the limit, packed ones included', async t => {
  const table = new NodeTable(LIMIT)
  for (let number = 2; number < 10_000; number++) {
    table.addPacked(encodeInode(inode(number)))
    table.peek(number as Ino)
    shed(table)
  }
  t.ok(table.bytes <= LIMIT / 8 + 10_000, `${String(table.bytes)} bytes`)
  t.ok(table.size > 200, `${String(table.size)} inodes`)
})

t.test('an inode is packed with its attributes, and with its count when it comes back', async t => {
  const table = new NodeTable(LIMIT)
  const node = new Node(inode(7))
  table.add(node)
  node.nlookup = 3
  walk(table, 1000, 1100)
  t.equal(table.live(7 as Ino), undefined)
  t.same(table.peek(7 as Ino), inode(7))
  table.noteLookup(7 as Ino)
  table.forgetAbsent(7 as Ino, 2)
  const again = table.get(7 as Ino)
  t.equal(again?.nlookup, 2)
  t.same(again?.attr, inode(7))
})

t.test('what the store does not have stays a node', async t => {
  const table = new NodeTable(LIMIT)
  const node = new Node(inode(7))
  node.changedPosition = 2 as Position
  table.add(node)
  walk(table, 1000, 5000)
  t.equal(table.live(7 as Ino), node)
})

t.test('what others have changed keeps its handles and its count', async t => {
  const table = new NodeTable(LIMIT)
  const node = new Node(inode(7))
  table.add(node)
  Object.assign(node, { nlookup: 3, handles: 2 })
  table.outdate(7 as Ino, () => undefined)
  t.equal(table.get(7 as Ino), undefined, 'its attributes have to be asked for')
  t.equal(table.handlesOf(7 as Ino), 2)
  t.ok(table.isKnown(7 as Ino))
  const again = new Node({ ...inode(7), size: 8 })
  table.add(again)
  t.match(again, { nlookup: 3, handles: 2, attr: { size: 8 } })
})

t.test('what others have removed stays for whoever has it open, without its bytes', async t => {
  const table = new NodeTable(LIMIT)
  const node = new Node(inode(7))
  table.add(node)
  t.notOk(table.keepOpen(7 as Ino), 'nobody has')
  node.handles = 1
  table.outdate(7 as Ino, () => undefined)
  t.ok(table.keepOpen(7 as Ino))
  const kept = table.get(7 as Ino)
  t.match(kept, { handles: 1, gone: true, attr: { nlink: 0 } })
  t.throws(() => kept?.storedIno, new FsError('ESTALE'), 'they must not read as zeros')
  table.outdate(7 as Ino, () => undefined)
  t.equal(table.get(7 as Ino), kept, 'nothing is newer than what is kept')
})
