/**
 * Checks one volume: its names, listings and links, as values only.
 *
 * Every fix stands for itself. Where several want to change the same key, one is done and the
 * others come up again in the next round, so none has to know of another.
 */

import { counterOf, ROOT_INO, ROOT_VOLUME, rootInoOf, volumeOf, type Ino } from '../ids.ts'
import * as keys from '../store/keys.ts'
import { encodeInode, encodeVolume } from '../store/records.ts'
import { isDirectory, S_IFDIR, type Inode } from '../tree/inode.ts'
import { checkDirectory } from './check-directory.ts'
import {
  emptyDirectory,
  mayHaveNames,
  removalOf,
  type Links,
  type Place,
  type VolumeRoots
} from './names.ts'
import { edit, shown, type OnProblem } from './problem.ts'
import type { VolumeImage } from './volume-image.ts'

export function checkVolume(image: VolumeImage, roots: VolumeRoots, onProblem: OnProblem): void {
  const links = linksOf(image)
  checkRecord(image, onProblem)
  roots.lastVolume = Math.max(roots.lastVolume, image.volume)
  if (image.volume === ROOT_VOLUME && image.record) roots.first = image.record
  for (const [parent, folder] of image.folders) {
    checkDirectory({ image, links, roots, onProblem }, parent, folder)
  }
  for (const inode of image.inodes.values()) checkLinks(image, links, inode, onProblem)
  for (const ino of image.orphans) {
    if (image.inodes.has(ino) || image.damaged.has(ino)) continue
    const fixes = [edit([keys.orphanKey(ino), undefined])]
    onProblem({ kind: 'orphan-missing', text: `orphan ${ino} does not exist`, fixes })
  }
  checkRoot(image, roots, onProblem)
  checkLoops(image, links, onProblem)
}

/** Counts what names something that is there; what does not is another check's. */
function linksOf(image: VolumeImage): Links {
  const links: Links = { places: new Map(), subdirectories: new Map() }
  for (const [parent, { names }] of image.folders) {
    if (!mayHaveNames(image, parent)) continue
    let count = 0
    for (const [name, dirent] of names) {
      const target = image.inodes.get(dirent.ino)
      if (target === undefined ? dirent.type === S_IFDIR : isDirectory(target)) count++
      const places = links.places.get(dirent.ino)
      if (places === undefined) links.places.set(dirent.ino, [{ parent, name, dirent }])
      else places.push({ parent, name, dirent })
    }
    links.subdirectories.set(parent, count)
  }
  return links
}

function checkRecord(image: VolumeImage, onProblem: OnProblem): void {
  const { volume, record, inodes } = image
  if (record === null) return
  if (record === undefined) {
    const text = `volume ${volume} has inodes or names, and no record`
    onProblem({ kind: 'volume-missing', text })
    return
  }
  let counter = 0
  for (const ino of inodes.keys()) counter = Math.max(counter, counterOf(ino))
  for (const ino of image.damaged) counter = Math.max(counter, counterOf(ino))
  if (counter < record.nextCounter) return
  const fixed = { ...record, nextCounter: counter + 1 }
  const text = `volume ${volume} would give inode ${counter} out again`
  const fixes = [edit([keys.volumeKey(volume), encodeVolume(fixed)])]
  onProblem({ kind: 'volume-counter', text, fixes })
}

function checkRoot(image: VolumeImage, roots: VolumeRoots, onProblem: OnProblem): void {
  const { volume, record, inodes } = image
  const ino = rootInoOf(volume)
  if (inodes.has(ino)) roots.existing.add(ino)
  if (image.damaged.has(ino)) roots.existing.add(ino)
  if (record?.closed === true) {
    for (const left of inodes.keys()) {
      if (image.orphans.has(left)) continue
      onProblem({ kind: 'volume-closed', text: `volume ${volume} is closed, with inode ${left}` })
    }
    return
  }
  if (inodes.has(ino) || image.damaged.has(ino)) return
  const isUsed = inodes.size > 0 || image.folders.size > 0 || (record?.index ?? 0) > 0
  if (!isUsed) return
  // Names in it are there, under its number; only what it was itself is lost.
  const root = emptyDirectory(image.record, ino, 0, '')
  root.nlink += directoriesIn(image, ino)
  roots.existing.add(ino)
  const text = `the root directory of volume ${volume} is missing`
  onProblem({
    kind: 'root-missing',
    ino,
    text,
    fixes: [edit([keys.inodeKey(ino), encodeInode(root)])]
  })
}

function directoriesIn(image: VolumeImage, ino: Ino): number {
  const names = image.folders.get(ino)?.names.values() ?? []
  return [...names].filter(({ type }) => type === S_IFDIR).length
}

function checkLinks(image: VolumeImage, links: Links, inode: Inode, onProblem: OnProblem): void {
  const { ino } = inode
  const places = links.places.get(ino) ?? []
  const isRoot = ino === rootInoOf(image.volume)
  const isOrphan = image.orphans.has(ino)
  if (places.length === 0 && !isRoot && !isOrphan) {
    const text = `inode ${ino} exists, and no directory names it`
    const isClosed = image.record?.closed === true
    onProblem({ kind: 'unnamed', text, ...(!isClosed && { fixes: [{ kind: 'attach', ino }] }) })
    return
  }
  if (isOrphan && places.length > 0) {
    const text = `orphan ${ino} has a name after all`
    const fixes = [edit([keys.orphanKey(ino), undefined])]
    onProblem({ kind: 'orphan-named', text, ino, fixes })
  }
  if (isDirectory(inode) && !isRoot) checkPlace(inode, places, onProblem)
  const nlink = isDirectory(inode) ? 2 + (links.subdirectories.get(ino) ?? 0) : places.length
  if (inode.nlink === nlink) return
  onProblem({
    kind: 'link-count',
    text: `inode ${ino} counts ${inode.nlink} links and has ${nlink}`,
    ino,
    fixes: [edit([keys.inodeKey(ino), encodeInode({ ...inode, nlink })])]
  })
}

/** A directory has one name, and knows it. */
function checkPlace(inode: Inode, places: readonly Place[], onProblem: OnProblem): void {
  const { ino } = inode
  const own = places.find(({ parent, name }) => parent === inode.parent && name === inode.name)
  const [kept = places[0], text] = [own, `directory ${ino}`]
  if (kept === undefined) return
  for (const place of places) {
    if (place === kept) continue
    const also = `${shown(place.name)} in inode ${place.parent}`
    const fixes = [removalOf(place)]
    onProblem({ kind: 'directory-twice', text: `${text} is also ${also}`, ino, fixes })
  }
  if (own !== undefined) return
  const fixed = { ...inode, parent: kept.parent, name: kept.name }
  onProblem({
    kind: 'directory-place',
    text: `${text} is taken to be ${shown(inode.name)} in inode ${inode.parent}`,
    ino,
    fixes: [edit([keys.inodeKey(ino), encodeInode(fixed)])]
  })
}

/** Directories that lie in one another, where nobody can get to them. */
function checkLoops(image: VolumeImage, links: Links, onProblem: OnProblem): void {
  const reached = new Set<Ino>([rootInoOf(image.volume)])
  for (const inode of image.inodes.values()) {
    if (!isDirectory(inode)) continue
    const path = new Set<Ino>()
    let at: Ino | undefined = inode.ino
    while (at !== undefined && !reached.has(at) && !path.has(at)) {
      path.add(at)
      at = links.places.get(at)?.[0]?.parent
    }
    const place = at === undefined || !path.has(at) ? undefined : links.places.get(at)?.[0]
    if (place !== undefined) {
      // Without that name it is found again, as one that nobody names.
      const fixes = [removalOf(place)]
      const text = `directory ${place.dirent.ino} lies in itself`
      onProblem({ kind: 'directory-loop', text, fixes })
    }
    for (const ino of path) reached.add(ino)
  }
}

/** Roots that nobody names, and names of roots that do not exist. */
export function checkRoots(roots: VolumeRoots, onProblem: OnProblem): void {
  const { first, lastVolume } = roots
  if (first !== undefined && lastVolume >= first.nextVolume) {
    const fixed = { ...first, nextVolume: lastVolume + 1 }
    const text = `volume ${lastVolume} would be made again`
    const fixes = [edit([keys.volumeKey(ROOT_VOLUME), encodeVolume(fixed)])]
    onProblem({ kind: 'volume-counter', text, fixes })
  }
  for (const ino of roots.existing) {
    if (ino === ROOT_INO || roots.named.has(ino)) continue
    const text = `no directory names volume ${volumeOf(ino)}`
    onProblem({ kind: 'volume-unnamed', text, fixes: [{ kind: 'attach', ino }] })
  }
  for (const [ino, place] of roots.named) {
    if (roots.existing.has(ino)) continue
    const text = `${shown(place.name)} in inode ${place.parent} names volume ${volumeOf(ino)}`
    const fixes = [removalOf(place)]
    onProblem({ kind: 'name-dangling', text: `${text}, which does not exist`, fixes })
  }
}
