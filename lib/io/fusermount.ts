/**
 * The setuid helper of libfuse, through which a user who is not root mounts and unmounts.
 */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import * as libc from './libc.ts'

const HELPER = 'fusermount3'
const CONFIGURATION = '/etc/fuse.conf'
/** The helper takes milliseconds; it waits longer only where something below it hangs. */
const HELPER_MS_MAX = 20_000
/** The descriptor by which the helper knows its end of the socket: the first after stderr. */
const COMM_FD = 3

/**
 * Mounts and takes the descriptor of the FUSE device, which is closed by whoever called.
 *
 * @throws Error with the helper's own words; ENOENT when it is not installed.
 */
export async function fusermount(mountpoint: string, options: readonly string[]): Promise<number> {
  const [ours, theirs] = libc.socketpair()
  try {
    const args = ['-o', options.join(','), '--', mountpoint]
    await runHelper(args, theirs).finally(() => libc.close(theirs))
    const fd = libc.receiveFd(ours)
    if (fd === undefined) throw new Error(`${HELPER} ended without handing over the mount`)
    return fd
  } finally {
    libc.close(ours)
  }
}

/**
 * Unmounts what this user has mounted.
 *
 * @param isLazy takes it out of the tree even if it is in use.
 * @throws Error with the helper's own words; ENOENT when it is not installed.
 */
export async function fuserunmount(mountpoint: string, isLazy: boolean): Promise<void> {
  await runHelper(['-u', ...(isLazy ? ['-z'] : []), '--', mountpoint])
}

/** Whether users other than root may let others into their mounts. */
export function isAllowOtherPermitted(): boolean {
  try {
    const lines = readFileSync(CONFIGURATION, 'utf8').split('\n')
    return lines.some(line => line.replace(/#.*/, '').trim() === 'user_allow_other')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function runHelper(args: readonly string[], commFd?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(HELPER, args, {
      stdio: ['ignore', 'ignore', 'pipe', ...(commFd === undefined ? [] : [commFd])],
      env: { ...process.env, LC_ALL: 'C', _FUSE_COMMFD: String(COMM_FD) },
      timeout: HELPER_MS_MAX,
      killSignal: 'SIGKILL'
    })
    let words = ''
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (words += chunk))
    child.on('error', reject)
    child.on('close', (status, signal) => {
      if (status === 0) resolve()
      else reject(new Error(words.trim() || `${HELPER} ended with ${String(status ?? signal)}`))
    })
  })
}
