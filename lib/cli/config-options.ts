/** What verbs share that take the configuration into account. */

import * as fs from 'node:fs'
import { resolve } from 'node:path'
import { InvalidArgumentError, type Command } from 'commander'
import {
  CONFIG_VARIABLE,
  parseFlag,
  resolveConfig,
  soundConfig,
  type Resolved,
  type ScalarKey,
  type Settings
} from '../config.ts'
import { SCALAR_KEYS } from '../config/settings.ts'
import { RoostError } from '../errors.ts'

/** Read where no other is named, if it is there. */
export const DEFAULT_CONFIG_FILE = '/etc/roost/roost.yaml'

export interface ConfigFlags {
  readonly config?: string
  readonly set?: Partial<Settings>
}

export interface DataFlags extends ConfigFlags {
  readonly data?: string
}

/** How a verb is told which store it is about. */
export function addDataOptions(command: Command): Command {
  return addConfigOption(command.option('--data <dir>', 'data directory'))
}

export function addConfigOption(command: Command): Command {
  return command.option('--config <file>', `configuration, instead of ${DEFAULT_CONFIG_FILE}`)
}

export function addSetOption(command: Command): Command {
  return command.option('--set <key=value>', 'a setting, as in a configuration', addSetting)
}

/** @throws RoostError CONFIG_UNREADABLE */
export function loadConfig(flags: ConfigFlags, own: Partial<Settings> = {}): Resolved {
  const path = configFileOf(flags)
  const file = path === undefined ? undefined : { path, text: textOf(path) }
  return resolveConfig({
    ...(file && { file }),
    environment: process.env,
    flags: { ...flags.set, ...own }
  })
}

/** The file that is read, if any. */
export function configFileOf({ config }: ConfigFlags): string | undefined {
  const named = config ?? process.env[CONFIG_VARIABLE] ?? ''
  if (named !== '') return resolve(named)
  return fs.existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : undefined
}

/**
 * The data directory of a verb that needs to know nothing else. Where the command line says it
 * all, a configuration that is not right is in nobody's way.
 *
 * @throws RoostError CONFIG_UNREADABLE, BAD_CONFIG
 */
export function dataDirectoryOf(flags: DataFlags, command: Command): string {
  if (flags.data !== undefined && flags.config === undefined) return resolve(flags.data)
  const own = flags.data === undefined ? {} : { data: resolve(flags.data) }
  return dataDirectoryIn(loadConfig(flags, own), command)
}

/** @throws RoostError BAD_CONFIG; CommanderError where none is named */
export function dataDirectoryIn(resolved: Resolved, command: Command): string {
  const what = 'no data directory; --data, ROOST_DATA or a configuration says which'
  return soundConfig(resolved).dataDirectory ?? command.error(`error: ${what}`)
}

/** @throws RoostError BAD_CONFIG; CommanderError where none is named */
export function mountpointIn(resolved: Resolved, command: Command): string {
  const what = 'no mount point; an argument, ROOST_MOUNT_POINT or a configuration says which'
  return soundConfig(resolved).mountpoint ?? command.error(`error: ${what}`)
}

/** Reads the value of a flag that is a setting. */
export function flagFor(key: ScalarKey): (text: string) => Settings[ScalarKey] {
  return text => {
    const read = parseFlag(key, text)
    if ('value' in read) return read.value
    throw new InvalidArgumentError(`It has to be ${read.expected}.`)
  }
}

function addSetting(text: string, before: Partial<Settings> = {}): Partial<Settings> {
  const [, name = text, value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? []
  const key = SCALAR_KEYS.find(known => known === name)
  if (key === undefined) {
    throw new InvalidArgumentError(`There is no setting "${name}"; ${SCALAR_KEYS.join(', ')} are.`)
  }
  return { ...before, [key]: flagFor(key)(value) }
}

function textOf(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'it is not there' : message
    throw new RoostError('CONFIG_UNREADABLE', `${path} cannot be read: ${why}`)
  }
}
