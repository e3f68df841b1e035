/** Finds the paths of what a report is about: of inodes, and of files that a blob is part of. */

import { rootInoOf, ROOT_INO, volumeOf, type BlobId, type Ino } from '../ids.ts'
import type { TreeView } from '../keeper/tree-view.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import { isDirectory } from '../tree/inode.ts'
import { Cursor } from './cursor.ts'
import { decoded } from './volume-image.ts'

/** Directories deeper than this lie in themselves. */
const DEPTH_MAX = 2048
/** Names of one inode or blob that a report lists. */
const PATHS_MAX = 20

export class Paths {
  readonly #view: TreeView
  readonly #inos: Set<Ino>
  readonly #blobs: Map<BlobId, Set<Ino>>
  readonly #places = new Map<Ino, { parent: Ino; name: string }[]>()

  private constructor(view: TreeView, inos: Set<Ino>, blobs: Map<BlobId, Set<Ino>>) {
    this.#view = view
    this.#inos = inos
    this.#blobs = blobs
  }

  /** Goes through the whole tree once, when there is anything to look for. */
  static async find(
    view: TreeView,
    inos: readonly Ino[],
    blobs: readonly BlobId[]
  ): Promise<Paths> {
    const paths = new Paths(view, new Set(inos), new Map(blobs.map(blob => [blob, new Set()])))
    if (blobs.length > 0) await paths.#findBlobs()
    if (paths.#inos.size > 0) await paths.#findNames()
    return paths
  }

  async ofBlob(blob: BlobId): Promise<string[]> {
    const found: string[] = []
    for (const ino of this.#blobs.get(blob) ?? []) found.push(...(await this.ofInode(ino)))
    return found.slice(0, PATHS_MAX)
  }

  async ofInode(ino: Ino): Promise<string[]> {
    if (ino === ROOT_INO) return ['/']
    const found: string[] = []
    for (const { parent, name } of (this.#places.get(ino) ?? []).slice(0, PATHS_MAX)) {
      const path = Buffer.from(`${await this.#ofDirectory(parent)}/${name}`, 'latin1')
      found.push(path.toString('utf8'))
    }
    return found
  }

  async #findBlobs(): Promise<void> {
    const cursor = new Cursor(this.#view, 'x')
    for (let pair = await cursor.next(); pair !== undefined; pair = await cursor.next()) {
      const [key, value] = pair
      const ino = keys.inoOfKey(key.slice(0, 8))
      for (const { blob } of decoded(() => records.decodeExtents(value)) ?? []) {
        const named = this.#blobs.get(blob)
        if (named === undefined) continue
        named.add(ino)
        this.#inos.add(ino)
      }
    }
  }

  async #findNames(): Promise<void> {
    const cursor = new Cursor(this.#view, 'd')
    for (let pair = await cursor.next(); pair !== undefined; pair = await cursor.next()) {
      const [key, value] = pair
      const ino = decoded(() => records.decodeDirent(value))?.ino
      if (ino === undefined) continue
      // Roots of volumes are on the way to everything.
      const isRoot = ino === rootInoOf(volumeOf(ino))
      if (!isRoot && !this.#inos.has(ino)) continue
      const place = { parent: keys.inoOfKey(key.slice(0, 8)), name: key.slice(8) }
      this.#places.set(ino, [...(this.#places.get(ino) ?? []), place])
    }
  }

  /** As bytes, one a character. */
  async #ofDirectory(ino: Ino): Promise<string> {
    let path = ''
    for (let at = ino, depth = 0; at !== ROOT_INO && depth < DEPTH_MAX; depth++) {
      const place = (await this.#parentOf(at)) ?? this.#places.get(at)?.[0]
      if (place === undefined) return `?${path}`
      path = `/${place.name}${path}`
      at = place.parent
    }
    return path
  }

  async #parentOf(ino: Ino): Promise<{ parent: Ino; name: string } | undefined> {
    const stored = await this.#view.get(keys.inodeKey(ino))
    const inode = stored === undefined ? undefined : decoded(() => records.decodeInode(stored))
    if (inode === undefined || !isDirectory(inode)) return undefined
    return inode.parent === 0 ? undefined : { parent: inode.parent, name: inode.name }
  }
}
