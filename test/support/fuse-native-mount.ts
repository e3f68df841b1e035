/** Starts and ends fuse-native-peer.mjs, the benchmark's other FUSE filesystem. */

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const PEER = fileURLToPath(new URL('./fuse-native-peer.mjs', import.meta.url))
/** Mounting takes a tenth of a second; unmounting waits for whoever is still in there. */
const PATIENCE_MS = 20_000

export interface FuseNativeMount {
  readonly mountpoint: string
  readonly pid: number
  stop(): Promise<void>
}

/** Mounts an empty filesystem on the existing empty directory `mountpoint`. */
export async function mountFuseNative(mountpoint: string): Promise<FuseNativeMount> {
  const child = spawn(process.execPath, [PEER, mountpoint], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  const stop = (): Promise<void> => end(child, mountpoint)
  try {
    await mounted(child)
  } catch (error) {
    await stop()
    throw error
  }
  return { mountpoint, pid: child.pid as number, stop }
}

async function mounted(child: ChildProcess): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  const exit = once(child, 'exit', { signal: patience }).then(([code]) => {
    throw new Error(`The fuse-native peer ended with ${String(code)} before it was mounted`)
  })
  await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), exit])
  exit.catch(() => undefined)
}

async function end(child: ChildProcess, mountpoint: string): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit', { signal: AbortSignal.timeout(PATIENCE_MS) })
  child.kill('SIGTERM')
  try {
    await exited
  } catch {
    await run('umount', ['-l', mountpoint], { timeout: PATIENCE_MS })
    child.kill('SIGKILL')
  }
}
