/**
 * What a mount point is in the state of, and the end of what is left over there.
 */

import { RoostError } from '../errors.ts'
import { abortFuseConnection, isRoot, probeMount } from '../io/fuse-device.ts'
import { fuserunmount } from '../io/fusermount.ts'
import * as libc from '../io/libc.ts'
import { mountAt, resolveMountpoint, type MountEntry } from '../io/mountinfo.ts'

/** A daemon that has not answered a stat by then is taken for one that hangs. */
const PROBE_MS = 3000

/**
 * free: nothing of FUSE is mounted there, although some other file system may be.
 * stale: what is mounted there has lost its daemon; every access fails with ENOTCONN.
 * mounted: a daemon serves it. `isAnswering` is false when that daemon does not answer.
 */
export type MountState =
  | { readonly state: 'free' }
  | { readonly state: 'stale'; readonly source: string; readonly connection: number }
  | {
      readonly state: 'mounted'
      readonly source: string
      readonly type: string
      readonly connection: number
      readonly isAnswering: boolean
    }

/**
 * Finds out what is mounted at a path, without ever waiting for what may be mounted there.
 *
 * @throws RoostError MOUNT_FAILED when the path leads nowhere.
 */
export async function mountStateOf(path: string): Promise<MountState> {
  const place = placeOf(path)
  const entry = fuseMountAt(place)
  if (entry === undefined) return { state: 'free' }
  const { source, type, deviceMinor: connection } = entry
  const answer = await probeMount(place, PROBE_MS)
  if (answer === 'gone') return { state: 'stale', source, connection }
  return { state: 'mounted', source, type, connection, isAnswering: answer === 'answers' }
}

/** The number of the FUSE connection behind the mount at a path: N of .../connections/N. */
export function connectionMinorOf(path: string): number | undefined {
  return fuseMountAt(placeOf(path))?.deviceMinor
}

/** Ends a connection: every process that waits for its daemon gets an error. @throws EACCES */
export function abortConnection(connection: number): void {
  abortFuseConnection(connection)
}

/**
 * Unmounts what is at a path, and returns when it is no longer there. Whoever still uses it gets
 * errors from then on.
 *
 * @param isForced also when it is in use, or its daemon hangs.
 * @throws RoostError NOT_MOUNTED, MOUNT_FAILED
 */
export async function unmountAt(path: string, isForced: boolean): Promise<void> {
  const place = placeOf(path)
  if (fuseMountAt(place) === undefined) {
    throw new RoostError('NOT_MOUNTED', `nothing that Roost could unmount is mounted at ${place}`)
  }
  if (isForced) await forceUnmount(place)
  else await unmountOnce(place, false)
}

/**
 * Unmounts what a daemon has left behind, or still serves, whatever uses it.
 *
 * @throws RoostError MOUNT_FAILED
 */
export async function forceUnmount(path: string): Promise<void> {
  const place = placeOf(path)
  const entry = fuseMountAt(place)
  if (entry === undefined) return
  // Users of the mount would keep the connection, and a daemon that hangs would keep them.
  if (isRoot()) tryAbort(entry.deviceMinor)
  try {
    await unmountOnce(place, true)
  } catch (error) {
    // A daemon whose connection was aborted unmounts as well, and may have been first.
    if (fuseMountAt(place)?.deviceMinor === entry.deviceMinor) throw error
  }
}

/**
 * One attempt at unmounting, by whichever way this user has.
 *
 * The thread that calls goes on meanwhile, as it may be needed to answer what the kernel writes
 * back first.
 *
 * @param isLazy takes it out of the tree even if it is in use.
 * @throws RoostError MOUNT_FAILED
 */
export async function unmountOnce(place: string, isLazy: boolean): Promise<void> {
  try {
    if (isRoot()) await unmountAsRoot(place, isLazy)
    else await fuserunmount(place, isLazy)
  } catch (cause) {
    throw new RoostError('MOUNT_FAILED', `${place} is not unmounted: ${reasonOf(cause)}`, { cause })
  }
}

/** The path itself, found without entering it. @throws RoostError MOUNT_FAILED */
export function placeOf(path: string): string {
  try {
    return resolveMountpoint(path)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new RoostError('MOUNT_FAILED', `${path} cannot be a mount point: ${reason}`, { cause })
  }
}

/** The FUSE mount that lies on top at a place; not one that another file system covers. */
export function fuseMountAt(place: string): MountEntry | undefined {
  const entry = mountAt(place)
  return entry !== undefined && /^fuse(blk)?(\.|$)/.test(entry.type) ? entry : undefined
}

async function unmountAsRoot(place: string, isLazy: boolean): Promise<void> {
  const flags = libc.UMOUNT_NOFOLLOW | (isLazy ? libc.MNT_DETACH : 0)
  if (await libc.umount2Async(place, flags)) return
  // Only a call on this thread tells why. What has just failed does so again, and at once.
  libc.umount2(place, flags)
}

function tryAbort(connection: number): void {
  try {
    abortFuseConnection(connection)
  } catch {
    // Without the control file system there is only the unmounting, which follows anyway.
  }
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  const isBusy = code === 'EBUSY' || message.includes('busy')
  if (!isBusy) return message
  return 'it is in use (a process works in it or has a file open); --force unmounts it all the same'
}
