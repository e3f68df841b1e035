/** The filesystems that are measured: each a directory to work in, and what to ask of it. */

import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mountFuseNative } from '../support/fuse-native-mount.ts'
import { mountRoost } from '../support/roost-mount.ts'
import { runCommand } from './bench-command.ts'
import type { TargetName } from './bench-options.ts'

/** Requests served so far, by opcode. */
export type RequestCounts = Readonly<Record<string, number>>

export interface BenchTarget {
  readonly name: TargetName
  /** Where the work is done; only processes that serve nothing go there. */
  readonly directory: string
  /** The processes that serve the filesystem, if any do. */
  readonly pids: readonly number[]
  /** Undefined for a filesystem that does not count. */
  requests(): Promise<RequestCounts | undefined>
  /**
   * Brings everything onto the disk and forgets what is cached, the kernel's caches included.
   *
   * Roost is mounted anew. The machine's own filesystem cannot be; nothing may have files of it
   * open that are to be cold.
   */
  chill(): Promise<void>
  stop(): Promise<void>
}

export function openTarget(name: TargetName): Promise<BenchTarget> {
  switch (name) {
    case 'ext4':
      return openDirectory()
    case 'fuse-native':
      return openFuseNative()
    case 'roost':
      return openRoost()
  }
}

/** A directory on the machine's own filesystem, whatever that is; on most it is ext4. */
async function openDirectory(): Promise<BenchTarget> {
  const directory = await makeDirectory('ext4')
  return {
    name: 'ext4',
    directory,
    pids: [],
    requests: () => Promise.resolve(undefined),
    chill: dropCaches,
    stop: () => rm(directory, { recursive: true })
  }
}

async function openFuseNative(): Promise<BenchTarget> {
  const parent = await makeDirectory('fuse-native')
  const directory = join(parent, 'mnt')
  await mkdir(directory)
  const mount = await mountFuseNative(directory)
  const stop = async (): Promise<void> => {
    await mount.stop()
    await rm(parent, { recursive: true })
  }
  return {
    name: 'fuse-native',
    directory,
    pids: [mount.pid],
    requests: () => Promise.resolve(undefined),
    chill: dropCaches,
    stop
  }
}

async function openRoost(): Promise<BenchTarget> {
  const directory = await makeDirectory('roost')
  const mount = await mountRoost(undefined, { directory })
  const stop = async (): Promise<void> => {
    await mount.stop()
    await rm(directory, { recursive: true })
  }
  const chill = async (): Promise<void> => {
    await mount.stop()
    await dropCaches()
    await mount.restart()
  }
  return {
    name: 'roost',
    directory: mount.mountpoint,
    get pids() {
      return [mount.pid]
    },
    requests: async () => (await mount.status()).fuse?.requests,
    chill,
    stop
  }
}

async function dropCaches(): Promise<void> {
  await runCommand('sync', [])
  await runCommand('sh', ['-c', 'echo 3 >/proc/sys/vm/drop_caches'])
}

/** Open to all: Dovecot's processes go there as another user. */
async function makeDirectory(name: TargetName): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `bench-${name}-`))
  await chmod(directory, 0o755)
  return directory
}
