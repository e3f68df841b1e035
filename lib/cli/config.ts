/** `roost config check` */

import type { Command } from 'commander'
import { settingsOf, type Resolved } from '../config.ts'
import { SCALAR_KEYS } from '../config/settings.ts'
import {
  addConfigOption,
  addSetOption,
  configFileOf,
  DEFAULT_CONFIG_FILE,
  loadConfig,
  type ConfigFlags
} from './config-options.ts'
import { EX_CONFIG, EX_OK, type Outcome } from './exit-codes.ts'

const KEY_WIDTH = 23

export function addConfig(program: Command, outcome: Outcome): void {
  const config = program
    .command('config')
    .helpCommand(false)
    .description('look at the configuration')
  const check = config.command('check').description('say whether the configuration is right')
  addSetOption(addConfigOption(check))
    .option('--json', 'as JSON')
    .action((flags: ConfigFlags & { json?: boolean }) => {
      const resolved = loadConfig(flags)
      const file = configFileOf(flags)
      const isSound = resolved.problems.length === 0
      if (flags.json === true) process.stdout.write(jsonOf(resolved, file))
      else if (isSound) process.stdout.write(renderConfig(resolved, file))
      else for (const problem of resolved.problems) process.stderr.write(`roost: ${problem}\n`)
      if (flags.json !== true) warnOfStrangers(resolved)
      outcome.exitCode = isSound ? EX_OK : EX_CONFIG
    })
}

function warnOfStrangers({ strangers }: Resolved): void {
  for (const name of strangers) process.stderr.write(`roost: ${name} is no setting of Roost's\n`)
}

function renderConfig({ config, origins }: Resolved, file: string | undefined): string {
  const settings = settingsOf(config)
  const lines = SCALAR_KEYS.map(key => [key, settings[key], origins[key]])
  lines.push(['files', `${config.tuning.fileRules.length} rules`, origins.files])
  const width = Math.max(...lines.map(([, value = '']) => value.length)) + 2
  const table = lines.map(([key = '', value = '', origin = '']) => {
    return `${key.padEnd(KEY_WIDTH)}${value.padEnd(width)}${origin}`
  })
  const none = `there is no ${DEFAULT_CONFIG_FILE}, which is right`
  return `roost: ${file === undefined ? none : `${file} is right`}\n${table.join('\n')}\n`
}

function jsonOf({ config, origins, problems, strangers }: Resolved, file?: string): string {
  const isSound = problems.length === 0
  const report = { file: file ?? null, problems, strangers, ...(isSound && { config, origins }) }
  return `${JSON.stringify(report, undefined, 2)}\n`
}
