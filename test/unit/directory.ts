import t from 'tap'
import type { Index, Ino, Position } from '../../lib/ids.ts'
import { encodeListed } from '../../lib/store/records.ts'
import { S_IFREG, type Dirent } from '../../lib/tree/inode.ts'
import { Directory } from '../../lib/vfs/directory.ts'

const at = (position: number) => position as Position

function dirent(cookie: number): Dirent {
  return { ino: (1000 + cookie) as Ino, type: S_IFREG, cookie: cookie as Index }
}

/** Names with the cookies from `first` on, as a part of a listing. */
function records(names: readonly string[], first: number): Buffer {
  return Buffer.concat(names.map((name, n) => encodeListed(name, dirent(first + n))))
}

function listed(directory: Directory, cookie = 0): string[] {
  const names: string[] = []
  directory.list(cookie, ({ name }) => names.push(name) > 0)
  return names
}

t.test('a new directory knows that it has no names', async t => {
  const directory = new Directory(true)
  t.equal(directory.get('a'), undefined)
  directory.set('a', dirent(3))
  t.same(directory.get('a'), dirent(3))
  t.equal(directory.size, 1)
})

t.test('a directory from the store does not know which names it has', async t => {
  const directory = new Directory(false)
  t.equal(directory.get('a'), 'unknown')
  directory.learn('a', dirent(3), at(0))
  directory.learn('b', undefined, at(0))
  t.same(directory.get('a'), dirent(3))
  t.equal(directory.get('b'), undefined)
})

t.test('what is known is newer than what the store says', async t => {
  const directory = new Directory(false)
  directory.set('a', dirent(9))
  directory.remove('b', at(100))
  directory.learn('a', dirent(3), at(0))
  directory.learn('b', dirent(4), at(0))
  t.same(directory.get('a'), dirent(9))
  t.equal(directory.get('b'), undefined)
})

t.test('a removed name is known as absent until the store has its removal', async t => {
  const directory = new Directory(false)
  t.ok(directory.remove('a', at(100)))
  directory.forgetAbsent('a', at(99))
  t.equal(directory.get('a'), undefined)
  directory.forgetAbsent('a', at(100))
  t.equal(directory.get('a'), 'unknown')
})

t.test('a name that came and went again is absent until its last removal is stored', async t => {
  const directory = new Directory(false)
  directory.remove('a', at(100))
  directory.set('a', dirent(7))
  directory.remove('a', at(200))
  directory.forgetAbsent('a', at(150))
  t.equal(directory.get('a'), undefined)
})

t.test('a listing comes in parts and keeps what changed meanwhile', async t => {
  const directory = new Directory(false)
  directory.beginListing()
  directory.learnListing(records(['a', 'b'], 3), false)
  t.notOk(directory.complete)
  directory.remove('b', at(100))
  directory.set('c', dirent(12))
  directory.remove('d', at(120))
  directory.forgetAbsent('b', at(500))
  directory.learnListing(records(['d', 'e'], 5), true)
  t.ok(directory.complete)
  t.same(listed(directory), ['a', 'e', 'c'])
  t.equal(directory.get('b'), undefined)
})

t.test('a part of a listing that was not asked for is not taken for all of it', async t => {
  const directory = new Directory(false)
  directory.learnListing(records(['a'], 3), true)
  t.notOk(directory.complete)
})

t.test('a listing goes on behind any cookie, also that of a name that has gone', async t => {
  const directory = new Directory(true)
  for (let cookie = 3; cookie < 203; cookie++) directory.set(`n${cookie}`, dirent(cookie))
  for (let cookie = 3; cookie < 153; cookie++) directory.remove(`n${cookie}`, at(1))
  t.equal(directory.size, 50)
  t.same(listed(directory, 100)[0], 'n153')
  t.same(listed(directory, 160)[0], 'n161')
  t.same(listed(directory, 202), [])
})

t.test('a name that takes over the cookie of the one it replaces keeps the place', async t => {
  const directory = new Directory(true)
  for (const cookie of [3, 4, 5]) directory.set(`n${cookie}`, dirent(cookie))
  directory.set('n4', { ...dirent(4), ino: 77 as Ino })
  t.same(listed(directory), ['n3', 'n4', 'n5'])
  t.equal(directory.size, 3)
})
