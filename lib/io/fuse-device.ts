/**
 * The FUSE device, and the connections that the kernel keeps for the mounts made with it.
 */

import { spawn } from 'node:child_process'
import { constants, fstatSync, openSync, statSync, writeFileSync } from 'node:fs'

const DEVICE = '/dev/fuse'
const CONNECTIONS = '/sys/fs/fuse/connections'
/** What the kernel knows the device by: major 10, minor 229. */
const DEVICE_NUMBER = (10 << 8) | 229

/** Opens the device without mounting it. @throws Error ENOENT (no such module), EACCES */
export function openFuseDevice(): number {
  return openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK)
}

/** Whether an open descriptor is one of the FUSE device. */
export function isFuseDevice(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    return stat.isCharacterDevice() && stat.rdev === DEVICE_NUMBER
  } catch {
    return false
  }
}

/** Whether this process may mount by itself. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0
}

/** The ids of this process, which a mount names as its owner. */
export function ownIds(): { uid: number; gid: number } {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
}

/** Type and permissions of a file. Not for a path where FUSE is mounted. @throws ENOENT */
export function modeOf(path: string): number {
  return statSync(path).mode
}

/**
 * Ends a connection by force: whoever waits for its daemon gets an error.
 *
 * @param connection the minor number of the mount's device.
 * @throws Error ENOENT when there is none, or the control file system is not mounted; EACCES
 */
export function abortFuseConnection(connection: number): void {
  writeFileSync(`${CONNECTIONS}/${String(connection)}/abort`, '1')
}

/**
 * What comes of looking at a mount: its daemon answers (though it may refuse us), it is gone, or
 * nothing comes within the time.
 *
 * Another process looks, as one that waits for a hanging daemon cannot be killed; left alone, it
 * ends with the connection.
 */
export function probeMount(path: string, ms: number): Promise<'answers' | 'gone' | 'silent'> {
  const look = 'try{fs.statSync(process.argv[1])}catch(e){process.stdout.write(String(e.code))}'
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', look, path], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {}
    })
    let code = ''
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      child.stdout.destroy()
      child.unref()
      resolve('silent')
    }, ms)
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (code += chunk))
    child.on('error', error => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', () => {
      clearTimeout(timer)
      resolve(code === 'ENOTCONN' ? 'gone' : 'answers')
    })
  })
}
