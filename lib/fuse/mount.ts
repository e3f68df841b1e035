/**
 * Mounting: from a directory to the descriptor on which the kernel asks.
 *
 * Root mounts by mount(2). Other users mount through the setuid helper fusermount3, which hands
 * the descriptor over. A parent process may have mounted already and hand its descriptor down.
 * Permissions are always checked by the kernel (default_permissions), and neither devices nor
 * setuid programs work on the mount.
 */

import { RoostError } from '../errors.ts'
import { isFuseDevice, isRoot, modeOf, openFuseDevice, ownIds } from '../io/fuse-device.ts'
import { fusermount, isAllowOtherPermitted } from '../io/fusermount.ts'
import * as libc from '../io/libc.ts'
import { assert } from '../util/assert.ts'
import { S_IF } from './abi.ts'
import { forceUnmount, fuseMountAt, mountStateOf, placeOf, unmountOnce } from './mount-state.ts'

export { abortConnection, connectionMinorOf, forceUnmount, unmountAt } from './mount-state.ts'
export { fuseMountAt, mountStateOf, placeOf, type MountState } from './mount-state.ts'

/** What df and mount show as the file system's device. */
const FSNAME = 'roost'

export interface MountOptions {
  /** An existing directory. */
  readonly mountpoint: string
  /** What df and mount show as the device; such as encodeURI gives. */
  readonly fsname?: string
  /**
   * Whether users other than the one who mounts may use the mount. Root may always let them; for
   * others /etc/fuse.conf must have user_allow_other. Where this is not given, they are let in if
   * that is permitted, so that one's own mail works for oneself anywhere.
   */
  readonly allowOther?: boolean
  /** Bytes that the kernel may ask for in one read; the size of a request where not given. */
  readonly maxReadBytes?: number
  /** Unmount first what a daemon has left behind there. */
  readonly force?: boolean
  /** The descriptor of a device that is mounted at `mountpoint` already. */
  readonly inheritedFd?: number
  /** The descriptor of a device that is open and not mounted yet; for root only. */
  readonly deviceFd?: number
}

/** A mount that this process serves. Whoever opened it unmounts it and then closes it. */
export interface FuseMount {
  /** The FUSE device, non-blocking, and not inherited by programs that this process starts. */
  readonly fd: number
  /** Whether users other than the one who mounted are let in; unknown for an inherited mount. */
  readonly allowsOther: boolean | undefined
  /** The number of the kernel's connection; unknown for an inherited mount. */
  readonly connection: number | undefined
  /**
   * Takes the mount out of the tree; at once if nobody uses it, else when the last one has left.
   * Requests keep coming until a read of `fd` gives ENODEV, and must be answered: the kernel
   * writes back what programs have written through mappings before this resolves. Does nothing
   * when the mount is gone already, or is not ours but a parent's.
   *
   * @throws RoostError MOUNT_FAILED
   */
  unmount(): Promise<void>
  /** Closes the device, which ends the connection if it has not ended yet. Once, and last. */
  close(): void
}

/**
 * Mounts at a directory.
 *
 * @throws RoostError MOUNT_STALE a daemon has left a mount there, and `force` was not given;
 *   MOUNT_FAILED it is in use, no directory, not permitted, or there is no FUSE.
 */
export async function openMount(options: MountOptions): Promise<FuseMount> {
  if (options.inheritedFd !== undefined) return inheritedMount(options.inheritedFd)
  const place = placeOf(options.mountpoint)
  await makeFree(place, options.force === true)
  checkDirectory(place)
  const allowsOther = isOthersAllowed(options.allowOther)
  const fd = isRoot()
    ? mountAsRoot(place, options, allowsOther)
    : await mountByHelper(place, options, allowsOther)
  libc.setNonBlocking(fd, true)
  libc.setCloseOnExec(fd, true)
  return mountOf(fd, place, fuseMountAt(place)?.deviceMinor, allowsOther)
}

/**
 * Goes on with a mount that a daemon before this one has made and left to its parent.
 *
 * @throws RoostError MOUNT_FAILED when the descriptor is no FUSE device.
 */
export function takenOverMount(fd: number, place: string, connection: number): FuseMount {
  return mountOf(inheritedMount(fd).fd, place, connection, undefined)
}

function mountOf(
  fd: number,
  place: string,
  connection: number | undefined,
  allowsOther: boolean | undefined
): FuseMount {
  return {
    fd,
    allowsOther,
    connection,
    unmount: () => unmountOurs(place, connection),
    close: () => libc.close(fd)
  }
}

/**
 * Takes over a FUSE device that a parent process has opened, mounted and left open for us.
 *
 * @throws RoostError MOUNT_FAILED when the descriptor is not one.
 */
export function inheritedMount(fd: number): FuseMount {
  if (!isFuseDevice(fd)) {
    throw new RoostError('MOUNT_FAILED', `descriptor ${fd} is not an open FUSE device`)
  }
  libc.setNonBlocking(fd, true)
  libc.setCloseOnExec(fd, true)
  return {
    fd,
    allowsOther: undefined,
    connection: undefined,
    unmount: () => Promise.resolve(),
    close: () => libc.close(fd)
  }
}

async function makeFree(place: string, isForced: boolean): Promise<void> {
  const found = await mountStateOf(place)
  switch (found.state) {
    case 'free':
      return
    case 'stale':
      if (isForced) return forceUnmount(place)
      throw new RoostError(
        'MOUNT_STALE',
        `${place} is still mounted by a daemon that is gone; --force unmounts it first`
      )
    case 'mounted': {
      const silence = found.isAnswering ? '' : ', whose daemon does not answer'
      throw new RoostError(
        'MOUNT_FAILED',
        `${found.source} (${found.type}) is mounted at ${place} already${silence}`
      )
    }
  }
}

function checkDirectory(place: string): void {
  const mode = attempt(`${place} cannot be a mount point`, () => modeOf(place))
  if ((mode & S_IF.MT) !== S_IF.DIR) {
    throw new RoostError('MOUNT_FAILED', `${place} cannot be a mount point: it is no directory`)
  }
}

function isOthersAllowed(wanted: boolean | undefined): boolean {
  if (wanted === false) return false
  const isPermitted = isRoot() || isAllowOtherPermitted()
  if (wanted === true && !isPermitted) {
    throw new RoostError(
      'MOUNT_FAILED',
      'only root may let other users into a mount, unless /etc/fuse.conf has a line that says ' +
        'user_allow_other'
    )
  }
  return isPermitted
}

function mountAsRoot(place: string, options: MountOptions, allowsOther: boolean): number {
  const what = '/dev/fuse cannot be opened (does "modprobe fuse" help?)'
  const fd = options.deviceFd ?? attempt(what, openFuseDevice)
  try {
    const { uid, gid } = ownIds()
    const data = [
      `fd=${fd}`,
      `rootmode=${S_IF.DIR.toString(8)}`,
      `user_id=${uid}`,
      `group_id=${gid}`,
      ...commonOptions(options, allowsOther)
    ]
    const flags = libc.MS_NODEV | libc.MS_NOSUID
    attempt(`${place} cannot be mounted`, () => {
      libc.mount(fsnameOf(options), place, 'fuse', flags, data.join(','))
    })
    return fd
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

async function mountByHelper(
  place: string,
  options: MountOptions,
  allowsOther: boolean
): Promise<number> {
  const data = [
    `fsname=${fsnameOf(options)}`,
    'nodev',
    'nosuid',
    ...commonOptions(options, allowsOther)
  ]
  try {
    return await fusermount(place, data)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const reason =
      code === 'ENOENT'
        ? 'the program fusermount3 is missing, by which users other than root mount (package fuse3)'
        : message
    throw new RoostError('MOUNT_FAILED', `${place} cannot be mounted: ${reason}`, { cause })
  }
}

function commonOptions(options: MountOptions, allowsOther: boolean): string[] {
  const { maxReadBytes } = options
  return [
    'default_permissions',
    ...(allowsOther ? ['allow_other'] : []),
    ...(maxReadBytes === undefined ? [] : [`max_read=${maxReadBytes}`])
  ]
}

function fsnameOf(options: MountOptions): string {
  const fsname = options.fsname ?? FSNAME
  assert(isFsname(fsname), 'the name of the file system has other characters')
  return fsname
}

/** What survives the options of a mount, and all that encodeURI leaves of a path. */
function isFsname(text: string): boolean {
  return /^[\w./:%~!*'();@&=+$?#-]+$/.test(text)
}

/** Unmounts `place` as long as what is mounted there is still the mount with this connection. */
async function unmountOurs(place: string, connection: number | undefined): Promise<void> {
  const isOurs = (): boolean => {
    const entry = fuseMountAt(place)
    return entry !== undefined && entry.deviceMinor === connection
  }
  if (!isOurs()) return
  try {
    await unmountOnce(place, false)
  } catch {
    // It is in use, or someone else has unmounted it meanwhile.
    if (isOurs()) await unmountOnce(place, true)
  }
}

function attempt<T>(what: string, task: () => T): T {
  try {
    return task()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new RoostError('MOUNT_FAILED', `${what}: ${reason}`, { cause })
  }
}
