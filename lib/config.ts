/**
 * The configuration: one frozen object, from what the command line, the environment and a file
 * say, in this order, and from defaults for all else.
 *
 * It is complete and checked before any part of Roost begins. What is unknown or cannot be is
 * refused with the place where it stands; nothing is guessed and nothing is left out in silence.
 */

import { KEYS, SCALAR_KEYS, SETTINGS, variableOf, type ScalarKey } from './config/settings.ts'
import type { Settings } from './config/settings.ts'
import { readYamlFile, type Environment, type FileReading } from './config/yaml-file.ts'
import { RoostError } from './errors.ts'
import type { ServingMode } from './fuse/thread-messages.ts'
import { DEFAULT_TUNING, type Tuning } from './host/tuning.ts'

export type { Settings, ScalarKey } from './config/settings.ts'

export interface Config {
  /** Undefined where nobody has named one. */
  readonly dataDirectory: string | undefined
  /** For a store that is to be made. */
  readonly volumeDepth: number
  readonly mountpoint: string | undefined
  readonly mode: ServingMode
  /** Unmount what an earlier run left at the mount point. */
  readonly force: boolean
  /** Serve extended attributes. */
  readonly xattrs: boolean
  readonly tuning: Tuning
}

export interface ConfigSources {
  readonly file?: { readonly path: string; readonly text: string }
  readonly environment: Environment
  /** What the command line says, checked already. */
  readonly flags: Partial<Settings>
}

export interface Resolved {
  readonly config: Config
  /** Where each setting comes from: `file:line`, a variable, 'command line' or 'default'. */
  readonly origins: Readonly<Record<keyof Settings, string>>
  /** Why the configuration is refused, one sentence each. */
  readonly problems: readonly string[]
  /** Variables that look like settings and are none. */
  readonly strangers: readonly string[]
}

/** Names a configuration file; it is no setting. */
export const CONFIG_VARIABLE = 'ROOST_CONFIG'

const VARIABLES = new Map<keyof Settings, string>(SCALAR_KEYS.map(key => [key, variableOf(key)]))

/** What `config` is where nobody says anything. */
export const DEFAULT_CONFIG: Config = configOf(defaultSettings())

/** Reads all sources. The config is complete even if there are problems, and then of no use. */
export function resolveConfig({ file, environment, flags }: ConfigSources): Resolved {
  const settings = defaultSettings()
  const origins = Object.fromEntries(KEYS.map(key => [key, 'default']))
  const take = (values: Partial<Settings>, originOf: (key: keyof Settings) => string): void => {
    Object.assign(settings, values)
    for (const key of KEYS) if (key in values) origins[key] = originOf(key)
  }
  const fromFile = file && readYamlFile(file.path, file.text, environment)
  if (fromFile !== undefined) take(fromFile.values, key => placeIn(file?.path, fromFile, key))
  const { values, problems } = readEnvironment(environment)
  take(values, key => VARIABLES.get(key) ?? '')
  take(flags, () => 'command line')
  return {
    config: configOf(settings),
    origins: origins as Record<keyof Settings, string>,
    problems: [...(fromFile?.problems ?? []), ...problems],
    strangers: strangersIn(environment)
  }
}

/** The config of what was resolved. @throws RoostError BAD_CONFIG, with all its problems */
export function soundConfig({ config, problems }: Resolved): Config {
  if (problems.length > 0) throw new RoostError('BAD_CONFIG', problems.join('\n'))
  return config
}

/** Reads a value from the command line. @returns what would be good, in words, if it is not */
export function parseFlag(
  key: ScalarKey,
  text: string
): { readonly value: Settings[ScalarKey] } | { readonly expected: string } {
  const { parse, expected } = SETTINGS[key]
  const value = parse(text)
  return value === undefined ? { expected } : { value }
}

/** Every setting but the list, as text. */
export function settingsOf(config: Config): Record<ScalarKey, string> {
  const settings = settingsIn(config)
  return Object.fromEntries(SCALAR_KEYS.map(key => [key, formatted(key, settings)])) as Record<
    ScalarKey,
    string
  >
}

function formatted<Key extends ScalarKey>(key: Key, settings: Pick<Settings, Key>): string {
  return SETTINGS[key].format(settings[key])
}

function readEnvironment(environment: Environment): {
  values: Partial<Settings>
  problems: string[]
} {
  const values: Partial<Settings> = {}
  const problems: string[] = []
  for (const key of SCALAR_KEYS) {
    // Empty is how one takes a variable back.
    const text = environment[variableOf(key)] ?? ''
    if (text === '') continue
    const read = parseFlag(key, text)
    if ('value' in read) Object.assign(values, { [key]: read.value })
    else problems.push(`${variableOf(key)} cannot be "${text}"; it has to be ${read.expected}`)
  }
  return { values, problems }
}

function strangersIn(environment: Environment): string[] {
  const known = new Set([CONFIG_VARIABLE, ...SCALAR_KEYS.map(variableOf)])
  return Object.keys(environment).filter(name => name.startsWith('ROOST_') && !known.has(name))
}

function placeIn(path: string | undefined, reading: FileReading, key: keyof Settings): string {
  return `${path ?? ''}:${reading.lines.get(key) ?? 0}`
}

function defaultSettings(): Settings {
  const scalars = Object.fromEntries(SCALAR_KEYS.map(key => [key, SETTINGS[key].fallback]))
  return { ...scalars, files: DEFAULT_TUNING.fileRules } as Settings
}

function configOf(settings: Settings): Config {
  return deepFrozen({
    dataDirectory: settings.data,
    volumeDepth: settings.volume_depth,
    mountpoint: settings['mount.point'],
    mode: settings['mount.mode'],
    force: settings['mount.force'],
    xattrs: settings['mount.xattr'],
    tuning: {
      fileRules: settings.files.map(rule => ({ ...rule })),
      metadataBytes: settings['memory.metadata'],
      contentBytes: settings['memory.contents'],
      bodyBytes: settings['memory.bodies'],
      syncAfterMs: settings['log.sync_after'],
      gatherMs: settings['log.gather'],
      gatherBytes: settings['log.gather_bytes'],
      checkpointBytes: settings['log.checkpoint_bytes'],
      quietMs: DEFAULT_TUNING.quietMs,
      lease: {
        waitMs: settings['lease.waitTimeout'],
        renameWaitMs: settings['lease.renameTimeout'],
        minHoldMs: settings['lease.minHold'],
        lockGraceMs: settings['lease.lockGrace']
      }
    }
  })
}

function settingsIn({ tuning, ...config }: Config): Settings {
  return {
    data: config.dataDirectory,
    volume_depth: config.volumeDepth,
    'mount.point': config.mountpoint,
    'mount.mode': config.mode,
    'mount.force': config.force,
    'mount.xattr': config.xattrs,
    'memory.metadata': tuning.metadataBytes,
    'memory.contents': tuning.contentBytes,
    'memory.bodies': tuning.bodyBytes,
    'log.sync_after': tuning.syncAfterMs,
    'log.gather': tuning.gatherMs,
    'log.gather_bytes': tuning.gatherBytes,
    'log.checkpoint_bytes': tuning.checkpointBytes,
    'lease.waitTimeout': tuning.lease.waitMs,
    'lease.renameTimeout': tuning.lease.renameWaitMs,
    'lease.minHold': tuning.lease.minHoldMs,
    'lease.lockGrace': tuning.lease.lockGraceMs,
    files: tuning.fileRules
  }
}

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFrozen(part)
    Object.freeze(value)
  }
  return value
}
