/** The filesystems that are measured: each a directory to work in, and what to ask of it. */

import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mountFuseNative } from '../support/fuse-native-mount.ts'
import { mountRoost } from '../support/roost-mount.ts'
import type { TargetName } from './bench-options.ts'

/** Requests served so far, by opcode. */
export type RequestCounts = Readonly<Record<string, number>>

export interface BenchTarget {
  readonly name: TargetName
  /** Where the work is done; only processes that serve nothing go there. */
  readonly directory: string
  /** The process that serves the filesystem, if one does. */
  readonly pid: number | undefined
  /** Undefined for a filesystem that does not count. */
  requests(): Promise<RequestCounts | undefined>
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
    pid: undefined,
    requests: () => Promise.resolve(undefined),
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
    pid: mount.pid,
    requests: () => Promise.resolve(undefined),
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
  return {
    name: 'roost',
    directory: mount.mountpoint,
    pid: mount.pid,
    requests: async () => (await mount.status()).fuse?.requests,
    stop
  }
}

/** Open to all: Dovecot's processes go there as another user. */
async function makeDirectory(name: TargetName): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `bench-${name}-`))
  await chmod(directory, 0o755)
  return directory
}
