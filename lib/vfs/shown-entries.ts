/**
 * What an entry that another replica made means here: tables forget what it changed, and the kernel
 * is told, as far as it knows of it.
 *
 * Names of a directory are changed as the entry says, so that one new mail does not cost a listing.
 */

import type { Change, Entry } from '../feed/entry.ts'
import { rootInoOf, volumeOf, type Ino, type VolumeId } from '../ids.ts'
import { S_IFMT, type Dirent } from '../tree/inode.ts'
import { LruMap } from '../util/lru-map.ts'
import type { LiveTree } from './live-tree.ts'
import type { Invalidator } from './ports.ts'

type ChangeOf<Kind extends Change['kind']> = Change & { readonly kind: Kind }

/** Of INVAL_INODE: attributes only. */
const NO_PAGES = -1

/** Names that were made lately. */
const RECENT_MAX = 1024

export class ShownEntries {
  readonly #tree: LiveTree
  readonly #invalidator: Invalidator
  /** What names stand for that were made lately: most are moved soon, out of tmp/. */
  readonly #recent = new LruMap<string, Dirent>(RECENT_MAX, () => 1)

  constructor(tree: LiveTree, invalidator: Invalidator) {
    this.#tree = tree
    this.#invalidator = invalidator
  }

  /** These entries, in order, are history of the volume now. */
  show(volume: VolumeId, entries: readonly Entry[]): void {
    this.#tree.outdateVolume(volume)
    for (const entry of entries) this.#show(entry)
  }

  /** Anything in the volume may be different. */
  showAll(volume: VolumeId): void {
    const isOf = (ino: Ino): boolean => volumeOf(ino) === volume
    const known = [...this.#tree.nodes.selectKnown(isOf)]
    this.#tree.outdateAll(volume)
    this.#invalidator.invalNames()
    for (const ino of known) this.#invalidator.invalInode(ino, 0, -1)
  }

  #show(entry: Entry): void {
    const { change } = entry
    switch (change.kind) {
      case 'begin':
      case 'tmpfile':
        return
      case 'makeRoot':
      case 'close':
        return this.#touch(rootInoOf(entry.volume), 0, -1)
      case 'create':
        return this.#create(entry, change)
      case 'link':
        return this.#link(entry, change)
      case 'unlink':
      case 'rmdir':
        this.#nameGone(change.parent, change.name)
        this.#touch(change.parent)
        if (change.kind === 'unlink' && change.drop) return this.#remove(change.ino)
        return this.#touch(change.ino)
      case 'rename':
        return this.#rename(entry, change)
      case 'exchange':
        return this.#exchange(change)
      case 'setattr': {
        const cut = change.attr.size
        return cut === undefined ? this.#touch(change.ino) : this.#touch(change.ino, 0, -1)
      }
      case 'write':
        return this.#touch(change.ino, change.offset, change.bytes.length)
      case 'seal':
      case 'punch':
        return this.#touch(change.ino, 0, -1)
      case 'drop':
        return this.#remove(change.ino)
      case 'setxattr':
      case 'removexattr':
        return this.#touch(change.ino)
    }
  }

  #create(entry: Entry, { parent, name, ino, mode }: ChangeOf<'create'>): void {
    this.#nameIs(parent, name, { ino, type: mode & S_IFMT, cookie: entry.index })
    this.#touch(parent)
  }

  #link(entry: Entry, { parent, name, ino }: ChangeOf<'link'>): void {
    const attr = this.#tree.nodes.peek(ino)
    if (attr === undefined) this.#nameUnknown(parent, name)
    else this.#nameIs(parent, name, { ino, type: attr.mode & S_IFMT, cookie: entry.index })
    this.#touch(parent)
    this.#touch(ino)
  }

  #rename(entry: Entry, change: ChangeOf<'rename'>): void {
    const { parent, name, newParent, newName, replaced } = change
    const moved = this.#direntOf(parent, name)
    const before = this.#direntOf(newParent, newName)
    this.#nameGone(parent, name)
    const isKnown = moved !== undefined && (replaced === 0 || before !== undefined)
    if (isKnown) {
      const cookie = before?.cookie ?? entry.index
      this.#nameIs(newParent, newName, { ino: moved.ino, type: moved.type, cookie })
    } else {
      this.#nameUnknown(newParent, newName)
    }
    this.#touch(parent)
    if (newParent !== parent) this.#touch(newParent)
    if (replaced !== 0 && change.drop) this.#remove(replaced)
    else if (replaced !== 0) this.#touch(replaced)
    // Whose name it is may not be known here; then its attributes are not either.
    if (moved !== undefined) this.#touch(moved.ino)
    else this.#touchAll(entry.volume)
  }

  #exchange({ parent, name, newParent, newName }: ChangeOf<'exchange'>): void {
    for (const [at, called] of [
      [parent, name],
      [newParent, newName]
    ] as const) {
      const dirent = this.#direntOf(at, called)
      if (dirent !== undefined) this.#touch(dirent.ino)
      this.#nameUnknown(at, called)
      this.#touch(at)
    }
  }

  #direntOf(parent: Ino, name: string): Dirent | undefined {
    const dirent = this.#tree.nodes.namesOf(parent)?.get(name) ?? 'unknown'
    return dirent === 'unknown' ? this.#recent.get(`${parent}/${name}`) : dirent
  }

  #nameIs(parent: Ino, name: string, dirent: Dirent): void {
    this.#tree.nodes.namesOf(parent)?.outdate(name, dirent)
    this.#recent.set(`${parent}/${name}`, dirent)
    this.#invalName(parent, name)
  }

  #nameGone(parent: Ino, name: string): void {
    this.#tree.nodes.namesOf(parent)?.outdateAbsent(name)
    this.#recent.delete(`${parent}/${name}`)
    this.#invalName(parent, name)
  }

  /** What the name stands for is not known: a directory that was whole is not any more. */
  #nameUnknown(parent: Ino, name: string): void {
    const names = this.#tree.nodes.namesOf(parent)
    this.#recent.delete(`${parent}/${name}`)
    if (names?.complete === true) this.#tree.nodes.forgetNames(parent)
    else names?.forget(name)
    this.#invalName(parent, name)
  }

  #invalName(parent: Ino, name: string): void {
    if (this.#tree.nodes.isKnown(parent)) this.#invalidator.invalEntry(parent, name)
  }

  #remove(ino: Ino): void {
    if (!this.#tree.nodes.keepOpen(ino)) return this.#touch(ino)
    this.#invalidator.invalInode(ino, NO_PAGES, 0)
  }

  /** The inode's attributes are others, and its bytes from `offset` on if that is given. */
  #touch(ino: Ino, offset = NO_PAGES, length = 0): void {
    this.#tree.outdate(ino)
    if (this.#tree.nodes.isKnown(ino)) this.#invalidator.invalInode(ino, offset, length)
  }

  #touchAll(volume: VolumeId): void {
    const isOf = (ino: Ino): boolean => volumeOf(ino) === volume
    for (const ino of [...this.#tree.nodes.select(isOf)]) this.#tree.outdate(ino)
    for (const ino of [...this.#tree.nodes.selectKnown(isOf)]) {
      this.#invalidator.invalInode(ino, NO_PAGES, 0)
    }
  }
}
