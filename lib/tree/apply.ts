/**
 * What each kind of entry means for names and attributes.
 *
 * The one place for it: the serving replica, its durable tables, and later every follower run
 * their entries through here, so tables at the same index are the same.
 */

import type { AttrChange, Change, Entry, LoggedEntry } from '../feed/entry.ts'
import { RoostError } from '../errors.ts'
import { counterOf, rootInoOf, volumeOf, type Ino, type VolumeId } from '../ids.ts'
import { present, unreachable } from '../util/assert.ts'
import { isDirectory, S_IFDIR, S_IFMT, type Dirent, type Inode } from './inode.ts'
import type { Tree } from './tree.ts'

type ChangeOf<Kind extends Change['kind']> = Change & { readonly kind: Kind }

/**
 * Applies the entry that follows the volume's last one.
 *
 * @throws RoostError FEED_DAMAGED when it does not follow; then nothing was changed
 */
export function applyEntry(tree: Tree, { entry, hash, bodies }: LoggedEntry): void {
  const record = tree.volume(entry.volume)
  if (entry.index !== record.index + 1 || !entry.previous.equals(record.hash)) {
    const what = `entry ${entry.index} of volume ${entry.volume}`
    throw new RoostError('FEED_DAMAGED', `${what} does not follow entry ${record.index}`)
  }
  applyChange(tree, entry, bodies)
  record.epoch = entry.epoch
  record.index = entry.index
  record.hash = hash
  record.time = entry.time
  tree.putVolume(record)
}

function applyChange(tree: Tree, entry: Entry, bodies: readonly Buffer[]): void {
  const { change } = entry
  switch (change.kind) {
    case 'begin':
      tree.volume(entry.volume).nextCounter += change.skip
      return
    case 'makeRoot':
      return applyMakeRoot(tree, entry, change)
    case 'close':
      tree.removeInode(rootInoOf(entry.volume))
      tree.volume(entry.volume).closed = true
      return
    case 'create':
      return applyCreate(tree, entry, change)
    case 'link':
      return applyLink(tree, entry, change)
    case 'unlink':
      return applyUnlink(tree, entry, change)
    case 'rmdir':
      return applyRmdir(tree, entry, change)
    case 'rename':
      return applyRename(tree, entry, change)
    case 'setattr':
      return applySetattr(tree, entry, change.ino, change.attr)
    case 'write':
      return applyWrite(tree, entry, change)
    case 'seal':
      return applySeal(tree, entry, change, bodies)
    case 'drop':
      return tree.removeInode(change.ino)
    case 'exchange':
      return applyExchange(tree, entry, change)
    case 'punch':
      return applyPunch(tree, entry, change)
    case 'tmpfile':
      return applyTmpfile(tree, entry, change)
    case 'setxattr':
      return applyXattr(tree, entry, change.ino, change.name, change.value.toString('latin1'))
    case 'removexattr':
      return applyXattr(tree, entry, change.ino, change.name, undefined)
    default:
      return unreachable(change)
  }
}

function applyMakeRoot(tree: Tree, entry: Entry, change: ChangeOf<'makeRoot'>): void {
  const ino = rootInoOf(entry.volume)
  const { uid, gid } = change
  noteCounter(tree, entry.volume, ino)
  const { mode } = change
  const made = { ino, mode, uid, gid, rdev: 0, fileClass: 'general', target: '' } as const
  tree.putInode(newInode(entry, made, 0, ''))
}

function applyCreate(tree: Tree, entry: Entry, change: ChangeOf<'create'>): void {
  const { parent, name, ino, mode } = change
  const ofDirectory = (mode & S_IFMT) === S_IFDIR
  if (volumeOf(ino) === entry.volume) {
    noteCounter(tree, entry.volume, ino)
    tree.putInode(newInode(entry, change, ofDirectory ? parent : 0, ofDirectory ? name : ''))
  } else {
    const record = tree.volume(entry.volume)
    record.nextVolume = Math.max(record.nextVolume, volumeOf(ino) + 1)
  }
  tree.putDirent(parent, name, { ino, type: mode & S_IFMT, cookie: entry.index })
  touchDirectory(tree, entry, parent, ofDirectory ? 1 : 0)
}

function applyLink(tree: Tree, entry: Entry, { parent, name, ino }: ChangeOf<'link'>): void {
  const inode = tree.inode(ino)
  if (inode.nlink === 0) tree.unmarkOrphan(ino)
  inode.nlink++
  inode.ctime = entry.time
  tree.putInode(inode)
  tree.putDirent(parent, name, { ino, type: inode.mode & S_IFMT, cookie: entry.index })
  touchDirectory(tree, entry, parent, 0)
}

function applyTmpfile(tree: Tree, entry: Entry, change: ChangeOf<'tmpfile'>): void {
  const { ino, mode, uid, gid } = change
  noteCounter(tree, entry.volume, ino)
  const made = { ino, mode, uid, gid, rdev: 0, fileClass: 'general', target: '' } as const
  tree.putInode({ ...newInode(entry, made, 0, ''), nlink: 0 })
  tree.markOrphan(ino)
}

function applyUnlink(tree: Tree, entry: Entry, change: ChangeOf<'unlink'>): void {
  tree.removeDirent(change.parent, change.name)
  touchDirectory(tree, entry, change.parent, 0)
  loseName(tree, entry, change.ino, change.drop)
}

function applyRmdir(tree: Tree, entry: Entry, { parent, name, ino }: ChangeOf<'rmdir'>): void {
  tree.removeDirent(parent, name)
  touchDirectory(tree, entry, parent, -1)
  if (volumeOf(ino) === entry.volume) tree.removeInode(ino)
}

function applyRename(tree: Tree, entry: Entry, change: ChangeOf<'rename'>): void {
  const { parent, name, newParent, newName } = change
  const moved = present(tree.dirent(parent, name), 'renamed name')
  const replaced = tree.dirent(newParent, newName)
  const ofDirectory = moved.type === S_IFDIR
  tree.removeDirent(parent, name)
  const cookie = replaced?.cookie ?? entry.index
  tree.putDirent(newParent, newName, { ino: moved.ino, type: moved.type, cookie })
  if (replaced !== undefined) loseReplaced(tree, entry, replaced, change.drop)
  const replacedDirectory = replaced?.type === S_IFDIR ? 1 : 0
  const movedDirectory = ofDirectory ? 1 : 0
  if (parent === newParent) {
    touchDirectory(tree, entry, parent, -replacedDirectory)
  } else {
    touchDirectory(tree, entry, parent, -movedDirectory)
    touchDirectory(tree, entry, newParent, movedDirectory - replacedDirectory)
  }
  if (volumeOf(moved.ino) === entry.volume) placeMoved(tree, entry, moved.ino, newParent, newName)
}

function applyExchange(tree: Tree, entry: Entry, change: ChangeOf<'exchange'>): void {
  const { parent, name, newParent, newName } = change
  const one = present(tree.dirent(parent, name), 'exchanged name')
  const other = present(tree.dirent(newParent, newName), 'exchanged name')
  tree.putDirent(parent, name, { ...other, cookie: one.cookie })
  tree.putDirent(newParent, newName, { ...one, cookie: other.cookie })
  const moved = (one.type === S_IFDIR ? 1 : 0) - (other.type === S_IFDIR ? 1 : 0)
  touchDirectory(tree, entry, parent, parent === newParent ? 0 : -moved)
  if (parent !== newParent) touchDirectory(tree, entry, newParent, moved)
  if (volumeOf(one.ino) === entry.volume) placeMoved(tree, entry, one.ino, newParent, newName)
  if (volumeOf(other.ino) === entry.volume) placeMoved(tree, entry, other.ino, parent, name)
}

function placeMoved(tree: Tree, entry: Entry, ino: Ino, parent: Ino, name: string): void {
  const inode = tree.inode(ino)
  inode.ctime = entry.time
  if (isDirectory(inode)) {
    inode.parent = parent
    inode.name = name
  }
  tree.putInode(inode)
}

function loseReplaced(tree: Tree, entry: Entry, replaced: Dirent, drop: boolean): void {
  if (volumeOf(replaced.ino) !== entry.volume) return
  if (replaced.type === S_IFDIR) tree.removeInode(replaced.ino)
  else loseName(tree, entry, replaced.ino, drop)
}

function loseName(tree: Tree, entry: Entry, ino: Ino, drop: boolean): void {
  const inode = tree.inode(ino)
  inode.nlink--
  inode.ctime = entry.time
  tree.putInode(inode)
  if (drop) tree.removeInode(ino)
  else if (inode.nlink === 0) tree.markOrphan(ino)
}

function applySetattr(tree: Tree, entry: Entry, ino: Ino, attr: AttrChange): void {
  const inode = tree.inode(ino)
  if (attr.mode !== undefined) inode.mode = (inode.mode & S_IFMT) | (attr.mode & ~S_IFMT)
  if (attr.uid !== undefined) inode.uid = attr.uid
  if (attr.gid !== undefined) inode.gid = attr.gid
  if (attr.size !== undefined) {
    tree.truncate(inode, attr.size)
    inode.size = attr.size
    inode.bodyEnd = Math.min(inode.bodyEnd, attr.size)
    inode.mtime = entry.time
  }
  if (attr.atime !== undefined) inode.atime = attr.atime
  if (attr.mtime !== undefined) inode.mtime = attr.mtime
  inode.ctime = entry.time
  tree.putInode(inode)
}

function applyWrite(tree: Tree, entry: Entry, { ino, offset, bytes }: ChangeOf<'write'>): void {
  const inode = tree.inode(ino)
  tree.writeContent(ino, offset, bytes)
  inode.size = Math.max(inode.size, offset + bytes.length)
  inode.mtime = entry.time
  inode.ctime = entry.time
  tree.putInode(inode)
}

function applySeal(
  tree: Tree,
  entry: Entry,
  change: ChangeOf<'seal'>,
  bodies: readonly Buffer[]
): void {
  const inode = tree.inode(change.ino)
  if (inode.fileClass !== 'blob') {
    inode.fileClass = 'blob'
    tree.dropContent(change.ino)
  }
  tree.layExtents(change.ino, change.extents, change.riding, bodies)
  inode.size = change.size
  const last = change.extents.at(-1)
  if (last !== undefined) inode.bodyEnd = Math.max(inode.bodyEnd, last.offset + last.length)
  inode.mtime = change.mtime
  inode.ctime = entry.time
  tree.putInode(inode)
}

function applyPunch(tree: Tree, entry: Entry, change: ChangeOf<'punch'>): void {
  const inode = tree.inode(change.ino)
  tree.punch(inode, change.offset, change.length)
  inode.mtime = entry.time
  inode.ctime = entry.time
  tree.putInode(inode)
}

function applyXattr(
  tree: Tree,
  entry: Entry,
  ino: Ino,
  name: string,
  value: string | undefined
): void {
  const inode = tree.inode(ino)
  const xattrs = new Map(inode.xattrs)
  if (value === undefined) xattrs.delete(name)
  else xattrs.set(name, value)
  if (xattrs.size > 0) inode.xattrs = xattrs
  else delete inode.xattrs
  inode.ctime = entry.time
  tree.putInode(inode)
}

function touchDirectory(tree: Tree, entry: Entry, ino: Ino, nlinkChange: number): void {
  const directory = tree.inode(ino)
  directory.nlink += nlinkChange
  directory.mtime = entry.time
  directory.ctime = entry.time
  tree.putInode(directory)
}

function noteCounter(tree: Tree, volume: VolumeId, ino: Ino): void {
  const record = tree.volume(volume)
  record.nextCounter = Math.max(record.nextCounter, counterOf(ino) + 1)
}

type NewInode = Pick<Inode, 'ino' | 'mode' | 'uid' | 'gid' | 'rdev' | 'fileClass' | 'target'>

function newInode(entry: Entry, made: NewInode, parent: Ino | 0, name: string): Inode {
  const { ino, mode, uid, gid, rdev, fileClass, target } = made
  return {
    ino,
    generation: entry.epoch,
    mode,
    nlink: (mode & S_IFMT) === S_IFDIR ? 2 : 1,
    uid,
    gid,
    rdev,
    size: target.length,
    bodyEnd: 0,
    atime: entry.time,
    mtime: entry.time,
    ctime: entry.time,
    fileClass,
    target,
    parent,
    name
  }
}
