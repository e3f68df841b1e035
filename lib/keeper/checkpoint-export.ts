/**
 * Writes a checkpoint of one volume, from a view of the store that stands still.
 *
 * It takes no more memory than a few keys and the numbers of the volume's containers, however slow
 * whoever takes the chunks may be. The view has to stay open until the receiver has fetched the
 * bodies: it keeps them from being deleted.
 */

import { createHash } from 'node:crypto'
import { RoostError } from '../errors.ts'
import type { Ino, VolumeId } from '../ids.ts'
import * as keys from '../store/keys.ts'
import * as records from '../store/records.ts'
import { treeRangesOf } from '../store/volume-keys.ts'
import { isRegular } from '../tree/inode.ts'
import { encodeCheckpointHeader, encodeCheckpointItem } from './checkpoint-codec.ts'
import type { TreeView } from './tree-view.ts'

/** Bytes of each chunk but the last. */
export const CHECKPOINT_CHUNK_SIZE = 256 * 1024
/** Keys read at once; a window of extents may have thousands of them. */
const KEYS_CHUNK = 200
const WINDOWS_CHUNK = 8
/** Bytes of a container in one item; where they are all zeros there is none. */
const CONTENT_BYTES = 64 * 1024
const ZEROS = Buffer.alloc(CONTENT_BYTES)
const END = Buffer.alloc(4)

interface Container {
  readonly ino: Ino
  readonly size: number
}

/**
 * Yields the checkpoint's bytes in order.
 *
 * @throws RoostError NOT_FOUND where the volume has no history here; CONTAINER_DAMAGED where bytes
 *   of it are lost here; VIEW_LOST
 */
export async function* exportCheckpoint(view: TreeView, volume: VolumeId): AsyncGenerator<Buffer> {
  const digest = createHash('sha256')
  const chunks = new Chunks()
  for await (const piece of piecesOf(view, volume)) {
    digest.update(piece)
    yield* chunks.add(piece)
  }
  await view.confirm()
  yield* chunks.add(digest.digest())
  yield chunks.rest
}

async function* piecesOf(view: TreeView, volume: VolumeId): AsyncGenerator<Buffer> {
  const key = keys.volumeKey(volume)
  const value = await view.get(key)
  if (value === undefined) throw new RoostError('NOT_FOUND', `there is no volume ${volume} here`)
  const { epoch, index, hash } = records.decodeVolume(value)
  yield encodeCheckpointHeader({ volume, point: { epoch, index, hash: hash.toString('hex') } })
  yield encodeCheckpointItem({ kind: 'key', key, value })
  const containers: Container[] = []
  for (const [from, to] of treeRangesOf(volume)) {
    for await (const [found, stored] of pairsIn(view, from, to)) {
      if (found.startsWith('i')) noteContainer(containers, stored)
      yield encodeCheckpointItem({ kind: 'key', key: found, value: stored })
    }
  }
  for (const container of containers) yield* contentOf(view, container)
  yield END
}

async function* pairsIn(
  view: TreeView,
  from: string,
  to: string
): AsyncGenerator<[string, Buffer]> {
  const limit = from.startsWith('x') ? WINDOWS_CHUNK : KEYS_CHUNK
  for (let next = from; ;) {
    const part = await view.range(next, to, limit)
    yield* part
    const last = part.at(-1)
    if (last === undefined || part.length < limit) return
    next = `${last[0]}\0`
  }
}

function noteContainer(containers: Container[], stored: Buffer): void {
  const inode = records.decodeInode(stored)
  if (!isRegular(inode) || inode.fileClass === 'blob' || inode.size === 0) return
  containers.push({ ino: inode.ino, size: inode.size })
}

async function* contentOf(view: TreeView, { ino, size }: Container): AsyncGenerator<Buffer> {
  const [found = 0] = await view.containerSizes([ino])
  if (found < size) {
    const what = `of ${size} bytes of inode ${ino} ${size - found} are lost with its container`
    throw new RoostError('CONTAINER_DAMAGED', what)
  }
  yield encodeCheckpointItem({ kind: 'container', ino, size })
  for (let offset = 0; offset < size; offset += CONTENT_BYTES) {
    const bytes = await view.readContainer(ino, offset, Math.min(CONTENT_BYTES, size - offset))
    if (ZEROS.subarray(0, bytes.length).equals(bytes)) continue
    yield encodeCheckpointItem({ kind: 'bytes', offset, bytes })
  }
}

/** Cuts a stream of bytes into chunks. */
class Chunks {
  #chunk = Buffer.allocUnsafeSlow(CHECKPOINT_CHUNK_SIZE)
  #filled = 0

  /** What is left when all was added. */
  get rest(): Buffer {
    return this.#chunk.subarray(0, this.#filled)
  }

  /** @returns chunks that are full now; they are not used again */
  *add(piece: Buffer): Generator<Buffer> {
    for (let at = 0; at < piece.length;) {
      const count = piece.copy(this.#chunk, this.#filled, at)
      this.#filled += count
      at += count
      if (this.#filled < CHECKPOINT_CHUNK_SIZE) continue
      yield this.#chunk
      this.#chunk = Buffer.allocUnsafeSlow(CHECKPOINT_CHUNK_SIZE)
      this.#filled = 0
    }
  }
}
