/** A disk of its own for a test that fills it: an ext4 image on a loop device. */

import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { shell, shellOk } from './place.ts'

const MIB = 1024 * 1024

/** Mounts a fresh disk of that size. It goes with the test. @returns its directory */
export async function smallDiskFor(t: Test, mebibytes: number): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'roost-disk-'))
  const disk = join(directory, 'disk')
  t.teardown(async () => {
    await shell('umount -l "$1"', disk)
    await rm(directory, { recursive: true, force: true })
  })
  await mkdir(disk)
  const make = 'truncate -s "$1" "$2" && mkfs.ext4 -q -m 0 "$2" && mount -o loop "$2" "$3"'
  await shellOk(make, String(mebibytes * MIB), join(directory, 'image'), disk)
  return disk
}

/** Takes all that is free on a disk, until `release`. */
export class Ballast {
  readonly #file: string

  constructor(disk: string) {
    this.#file = join(disk, 'ballast')
  }

  /** Fills the disk to the last block. */
  async fill(): Promise<void> {
    // The second one finds the blocks that the first one's size of writing was too large for.
    for (const size of ['1M', '4k']) {
      await shell('dd if=/dev/zero bs="$1" oflag=append conv=notrunc >>"$2"', size, this.#file)
    }
    await shellOk('sync "$1"', this.#file)
  }

  async release(): Promise<void> {
    await shellOk('rm "$1" && sync -f "$2"', this.#file, join(this.#file, '..'))
  }
}
