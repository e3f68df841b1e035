/**
 * Checks the names of one directory: that they name what exists, as what it is, and that the
 * listing has the same names, each at a place of its own.
 */

import { rootInoOf, volumeOf, type Index, type Ino } from '../ids.ts'
import * as keys from '../store/keys.ts'
import { encodeListed, type ListedName } from '../store/records.ts'
import { isDirectory, S_IFDIR, S_IFMT, type Dirent } from '../tree/inode.ts'
import {
  COOKIES_TAKEN,
  freeCookie,
  mayHaveNames,
  namingOf,
  removalOf,
  type Links,
  type Place,
  type VolumeRoots
} from './names.ts'
import { edit, shown, type OnProblem } from './problem.ts'
import type { Folder, VolumeImage } from './volume-image.ts'

interface Surroundings {
  readonly image: VolumeImage
  readonly links: Links
  readonly roots: VolumeRoots
  readonly onProblem: OnProblem
}

export function checkDirectory(around: Surroundings, parent: Ino, folder: Folder): void {
  const { image } = around
  if (image.damaged.has(parent)) return
  if (!mayHaveNames(image, parent)) {
    checkNowhere(around, parent, folder)
    return
  }
  for (const [name, dirent] of folder.names) {
    const place = { parent, name, dirent }
    if (checkTarget(around, place)) checkListed(around, place, folder)
  }
  for (const listed of folder.listing.values()) {
    if (!folder.names.has(listed.name)) checkUnnamed(around, parent, listed)
    else if (folder.names.get(listed.name)?.cookie !== listed.cookie) {
      checkSecond(around, parent, listed)
    }
  }
}

/** Names in what is no directory. What they named turns up without a name. */
function checkNowhere({ onProblem }: Surroundings, parent: Ino, folder: Folder): void {
  const what = `in inode ${parent}, which is no directory`
  for (const [name, dirent] of folder.names) {
    const fixes = [removalOf({ parent, name, dirent })]
    onProblem({ kind: 'name-in-nothing', text: `${shown(name)} is ${what}`, fixes })
  }
  for (const { name, cookie } of folder.listing.values()) {
    if (folder.names.get(name)?.cookie === cookie) continue
    const fixes = [edit([keys.listingKey(parent, cookie), undefined])]
    onProblem({ kind: 'name-in-nothing', text: `${shown(name)} is listed ${what}`, fixes })
  }
}

/** @returns whether the name may stay */
function checkTarget({ image, roots, onProblem }: Surroundings, place: Place): boolean {
  const { parent, name, dirent } = place
  const text = `${shown(name)} in inode ${parent} names inode ${dirent.ino}`
  if (volumeOf(dirent.ino) !== image.volume) {
    const isRoot = dirent.ino === rootInoOf(volumeOf(dirent.ino)) && dirent.type === S_IFDIR
    if (isRoot && !roots.named.has(dirent.ino)) {
      roots.named.set(dirent.ino, place)
      return true
    }
    const fixes = [removalOf(place)]
    onProblem({ kind: 'name-foreign', text: `${text} of another volume`, ino: parent, fixes })
    return false
  }
  if (image.damaged.has(dirent.ino)) return true
  const inode = image.inodes.get(dirent.ino)
  if (inode === undefined) {
    if (dirent.ino === rootInoOf(image.volume)) return true
    const fixes = [removalOf(place)]
    onProblem({ kind: 'name-dangling', text: `${text}, which does not exist`, ino: parent, fixes })
    return false
  }
  const type = inode.mode & S_IFMT
  if (type === dirent.type) return true
  const fixes = [namingOf({ parent, name, dirent: { ...dirent, type } })]
  onProblem({ kind: 'name-type', text: `${text} with another type`, ino: dirent.ino, fixes })
  return false
}

function checkListed({ image, onProblem }: Surroundings, place: Place, folder: Folder): void {
  const { parent, name, dirent } = place
  const listed = folder.listing.get(dirent.cookie)
  const text = `${shown(name)} in inode ${parent}`
  const indexMax = image.record?.index ?? Infinity
  const isTaken = listed !== undefined && listed.name !== name
  if (isTaken || dirent.cookie <= COOKIES_TAKEN || dirent.cookie > indexMax) {
    const used = new Set([...folder.listing.keys(), ...cookiesOf(folder)])
    const cookie = indexMax === Infinity ? undefined : freeCookie(used, indexMax)
    const fixes = cookie === undefined ? undefined : movesTo(place, cookie, isTaken)
    const what = `${text} has place ${dirent.cookie} in the listing, which is not its own`
    onProblem({ kind: 'name-cookie', text: what, ino: dirent.ino, ...(fixes && { fixes }) })
    return
  }
  if (listed?.ino === dirent.ino && listed.type === dirent.type) return
  const key = keys.listingKey(parent, dirent.cookie)
  const fixes = [edit([key, encodeListed(name, dirent)])]
  onProblem({ kind: 'listing-lacks', text: `${text} is not listed`, ino: dirent.ino, fixes })
}

function cookiesOf({ names }: Folder): Index[] {
  return Array.from(names.values(), ({ cookie }) => cookie)
}

/** The same name at another place; the old place goes, unless another name has it. */
function movesTo(place: Place, cookie: Index, isTaken: boolean): ReturnType<typeof edit>[] {
  const { parent, dirent } = place
  const naming = namingOf({ ...place, dirent: { ...dirent, cookie } })
  const old = edit([keys.listingKey(parent, dirent.cookie), undefined])
  return isTaken ? [naming] : [naming, old]
}

/** Listed, and not to be found by name: one of the two keys was lost, or should have been. */
function checkUnnamed(around: Surroundings, parent: Ino, listed: ListedName): void {
  const { image, links, onProblem } = around
  const { name, ...dirent } = listed
  const text = `${shown(name)} in inode ${parent} is listed, and not found by name`
  const fixes = isMissed(image, links, dirent)
    ? [namingOf({ parent, name, dirent })]
    : [edit([keys.listingKey(parent, listed.cookie), undefined])]
  onProblem({ kind: 'listing-only', text, ino: dirent.ino, fixes })
}

function checkSecond({ onProblem }: Surroundings, parent: Ino, listed: ListedName): void {
  const text = `${shown(listed.name)} in inode ${parent} is listed twice`
  const fixes = [edit([keys.listingKey(parent, listed.cookie), undefined])]
  onProblem({ kind: 'listing-only', text, ino: listed.ino, fixes })
}

/** Whether an inode has fewer names than it counts, so that this one is likely to be its. */
function isMissed(image: VolumeImage, links: Links, dirent: Dirent): boolean {
  const { ino, type } = dirent
  // Of another volume's root nothing is known here, and it must not be lost.
  if (volumeOf(ino) !== image.volume) return true
  const inode = image.inodes.get(ino)
  if (inode === undefined || (inode.mode & S_IFMT) !== type) return false
  const names = links.places.get(ino)?.length ?? 0
  return isDirectory(inode) ? names === 0 : names < inode.nlink
}
