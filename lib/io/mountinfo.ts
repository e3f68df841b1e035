/**
 * What is mounted where, without touching what is mounted: a FUSE file system whose daemon hangs
 * holds whoever looks at it, and nothing but the end of its connection frees them.
 */

import { readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

/** As many symbolic links as the kernel follows. */
const LINKS_MAX = 40
/** Fields of a line before the optional ones: ids, device, root, mount point, options. */
const OPTIONAL_FIELDS_AT = 6

/** A line of /proc/self/mountinfo. */
export interface MountEntry {
  readonly mountpoint: string
  /** Such as 'ext4', 'fuse' or 'fuse.sshfs'. */
  readonly type: string
  readonly source: string
  readonly deviceMajor: number
  readonly deviceMinor: number
}

/** Decodes the text of a mountinfo file, in its order: what lies on top comes later. */
export function decodeMountinfo(text: string): MountEntry[] {
  return text.split('\n').flatMap(line => {
    const fields = line.split(' ')
    const dash = fields.indexOf('-', OPTIONAL_FIELDS_AT)
    const [, , device = '', , mountpoint] = fields
    const [type, source] = dash === -1 ? [] : fields.slice(dash + 1)
    if (mountpoint === undefined || type === undefined || source === undefined) return []
    const [deviceMajor = 0, deviceMinor = 0] = device.split(':').map(Number)
    return [
      { mountpoint: plain(mountpoint), type, source: plain(source), deviceMajor, deviceMinor }
    ]
  })
}

/** The mount that a path, as `resolveMountpoint` gives it, is the top of. */
export function mountAt(mountpoint: string): MountEntry | undefined {
  const entries = decodeMountinfo(readFileSync('/proc/self/mountinfo', 'latin1'))
  return entries.findLast(entry => entry.mountpoint === mountpoint)
}

/**
 * The absolute path of a mount point without symbolic links, found without entering what may be
 * mounted there.
 *
 * @throws Error ENOENT when the directory above does not exist; ELOOP
 */
export function resolveMountpoint(path: string): string {
  let current = resolve(path)
  for (let count = 0; count <= LINKS_MAX; count++) {
    if (current === '/') return current
    const place = join(realpathSync.native(dirname(current)), basename(current))
    if (mountAt(place) !== undefined) return place
    const target = linkTargetOf(place)
    if (target === undefined) return place
    current = resolve(dirname(place), target)
  }
  throw Object.assign(new Error(`ELOOP: ${path} has too many symbolic links`), { code: 'ELOOP' })
}

function linkTargetOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // No link, or nothing at all, which whoever mounts there will notice.
    if (code === 'EINVAL' || code === 'ENOENT') return undefined
    throw error
  }
}

/** Undoes the octal escapes of blanks and backslashes, and reads the bytes as UTF-8. */
function plain(field: string): string {
  const bytes = field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(parseInt(octal, 8))
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
