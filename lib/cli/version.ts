/** `roost version` */

import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { DATA_FORMAT } from '../io/data-directory.ts'

export function addVersion(program: Command): void {
  program.version(roostVersion(), '-V, --version', 'the number of the version')
  program
    .command('version')
    .description('say which version this is, and which data format it writes')
    .option('--json', 'as JSON')
    .action((flags: { json?: boolean }) => {
      const { version: node, arch, platform } = process
      const what = { version: roostVersion(), format: DATA_FORMAT, node, platform, arch }
      const text = `roost ${what.version} (data format ${what.format}, Node.js ${node}, ${arch})`
      process.stdout.write(`${flags.json === true ? JSON.stringify(what) : text}\n`)
    })
}

/** That of the package, whose package.json lies above this file, built or not. */
function roostVersion(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!fs.existsSync(join(directory, 'package.json'))) directory = dirname(directory)
  const text = fs.readFileSync(join(directory, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
