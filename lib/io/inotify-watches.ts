/**
 * Which inodes of a filesystem processes of this machine watch by inotify.
 *
 * The kernel tells nobody but by the descriptors themselves, in /proc. So all that can be seen
 * there are looked at; what is in a namespace of processes that is not below this one's cannot be.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const PROC = '/proc'
const INOTIFY = 'anon_inode:inotify'

/** By what the kernel finds an inode that it has, without any path. */
export interface FileHandle {
  readonly type: number
  readonly bytes: Buffer
}

/**
 * @param device of the filesystem, as the kernel counts those without a disk
 * @returns by inode number
 */
export function readInotifyWatches(device: number): Map<number, FileHandle> {
  const watches = new Map<number, FileHandle>()
  const ofDevice = `sdev:${device.toString(16)} `
  for (const pid of readdirSync(PROC)) {
    if (!/^\d/.test(pid)) continue
    for (const fd of inotifyFdsOf(pid)) {
      for (const line of linesOf(`${PROC}/${pid}/fdinfo/${fd}`)) {
        if (!line.startsWith('inotify') || !line.includes(ofDevice)) continue
        const watch = watchOf(line)
        if (watch !== undefined) watches.set(watch.ino, watch.handle)
      }
    }
  }
  return watches
}

/** Of a process that is gone by now: none. */
function inotifyFdsOf(pid: string): string[] {
  const directory = `${PROC}/${pid}/fd`
  try {
    return readdirSync(directory).filter(fd => {
      try {
        return readlinkSync(`${directory}/${fd}`) === INOTIFY
      } catch {
        return false
      }
    })
  } catch {
    return []
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').split('\n')
  } catch {
    return []
  }
}

/** All numbers are hexadecimal. A kernel that cannot make handles says none. */
function watchOf(line: string): { ino: number; handle: FileHandle } | undefined {
  const found = / ino:([0-9a-f]+) .* fhandle-type:([0-9a-f]+) f_handle:([0-9a-f]+)/.exec(line)
  if (found === null) return undefined
  const [, ino = '', type = '', bytes = ''] = found
  return {
    ino: parseInt(ino, 16),
    handle: { type: parseInt(type, 16), bytes: Buffer.from(bytes, 'hex') }
  }
}
