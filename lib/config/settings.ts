/**
 * The table of settings: what each is called in a file and in the environment, how its text is
 * read, and what it is where nobody sets it.
 */

import { isAbsolute } from 'node:path'
import type { ServingMode } from '../fuse/thread-messages.ts'
import { DEFAULT_TUNING } from '../host/tuning.ts'
import type { FileRule } from '../mail/file-class.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

/** Every setting by its key. The key is the path in a file; dots part what is nested there. */
export interface Settings {
  data: string | undefined
  volume_depth: number
  'mount.point': string | undefined
  'mount.mode': ServingMode
  'mount.force': boolean
  'mount.xattr': boolean
  'memory.metadata': number
  'memory.contents': number
  'memory.bodies': number
  'log.sync_after': number
  'log.gather': number
  'log.gather_bytes': number
  'log.checkpoint_bytes': number
  'lease.waitTimeout': number
  'lease.renameTimeout': number
  'lease.minHold': number
  'lease.lockGrace': number
  files: readonly FileRule[]
}

/** All but the one that is a list. */
export type ScalarKey = Exclude<keyof Settings, 'files'>

interface Setting<Value> {
  readonly fallback: Value
  /** What would be a good value, in words. */
  readonly expected: string
  /** @returns undefined where the text is no good value */
  readonly parse: (text: string) => Value | undefined
  /** Of a good value, as text that `parse` reads. */
  readonly format: (value: Value) => string
}

/** A directory's depth below the mount point at which volumes begin. */
const VOLUME_DEPTH_MAX = 4
const MIB = 2 ** 20
const TIB = 2 ** 40
const LEASE = DEFAULT_TUNING.lease

export const SETTINGS: { readonly [Key in ScalarKey]: Setting<Settings[Key]> } = {
  data: place(),
  volume_depth: {
    fallback: 1,
    expected: `a number from 1 to ${VOLUME_DEPTH_MAX}`,
    parse: text => (/^\d+$/.test(text) ? within(Number(text), 1, VOLUME_DEPTH_MAX) : undefined),
    format: String
  },
  'mount.point': place(),
  'mount.mode': {
    fallback: 'single',
    expected: '"single" or "shared"',
    parse: text => (text === 'single' || text === 'shared' ? text : undefined),
    format: String
  },
  'mount.force': off(),
  'mount.xattr': off(),
  // Less than that, and what an op needs could be gone before it is all there.
  'memory.metadata': size(DEFAULT_TUNING.metadataBytes, 16 * MIB),
  // A write or read of a megabyte has to find room, whatever else is in memory.
  'memory.contents': size(DEFAULT_TUNING.contentBytes, 4 * MIB),
  'memory.bodies': size(DEFAULT_TUNING.bodyBytes, 4 * MIB),
  'log.sync_after': time(DEFAULT_TUNING.syncAfterMs, 1, 60_000),
  'log.gather': time(DEFAULT_TUNING.gatherMs, 0, 60_000),
  'log.gather_bytes': size(DEFAULT_TUNING.gatherBytes, MIB),
  // The log goes by segments of 16 MiB.
  'log.checkpoint_bytes': size(DEFAULT_TUNING.checkpointBytes, 16 * MIB),
  // Less than that, and a replica that has just died would fail ops that could go on.
  'lease.waitTimeout': time(LEASE.waitMs, 100, 300_000),
  'lease.renameTimeout': time(LEASE.renameWaitMs, 100, 300_000),
  // Whoever asks waits for it; longer than this, and one replica keeps all others from working.
  'lease.minHold': time(LEASE.minHoldMs, 0, 1000),
  'lease.lockGrace': time(LEASE.lockGraceMs, 0, 60_000)
}

export const SCALAR_KEYS = Object.keys(SETTINGS) as readonly ScalarKey[]
export const KEYS: readonly (keyof Settings)[] = [...SCALAR_KEYS, 'files']

/** The variable that sets it. */
export function variableOf(key: ScalarKey): string {
  const words = key.replaceAll('.', '_').replace(/[A-Z]/g, letter => `_${letter}`)
  return `ROOST_${words.toUpperCase()}`
}

function place(): Setting<string | undefined> {
  return {
    fallback: undefined,
    expected: 'an absolute path',
    parse: text => (isAbsolute(text) ? text : undefined),
    format: value => value ?? ''
  }
}

/** A switch that is off where nobody sets it. */
function off(): Setting<boolean> {
  return {
    fallback: false,
    expected: '"true" or "false"',
    parse: text => (text === 'true' ? true : text === 'false' ? false : undefined),
    format: String
  }
}

function size(fallback: number, min: number): Setting<number> {
  return {
    fallback,
    expected: `a size such as 64MiB, from ${formatSize(min)} to ${formatSize(TIB)}`,
    parse: text => within(parseSize(text), min, TIB),
    format: formatSize
  }
}

function time(fallback: number, minMs: number, maxMs: number): Setting<number> {
  const [min, max] = [formatDuration(minMs), formatDuration(maxMs)]
  return {
    fallback,
    expected: `a time such as 500ms or 1s, from ${min} to ${max}`,
    parse: text => within(parseDuration(text), minMs, maxMs),
    format: formatDuration
  }
}

function within(number: number | undefined, min: number, max: number): number | undefined {
  return number !== undefined && number >= min && number <= max ? number : undefined
}
