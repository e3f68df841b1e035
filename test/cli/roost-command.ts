/** The built tool with an environment and a directory of a test's own. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { command, type Outcome } from '../mount/place.ts'
import { ROOST } from '../support/roost-mount.ts'

/** As `roost WORDS` with these variables, and none of Roost's besides. */
export function roost(
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {}
): Promise<Outcome> {
  const unset = Object.keys(process.env).filter(name => name.startsWith('ROOST_'))
  const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  const environment = ['env', ...unset.flatMap(name => ['-u', name]), ...set]
  return command([...environment, process.execPath, ROOST, ...words])
}

/** A directory that goes with the test. */
export async function directoryFor(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'roost-cli-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A configuration file. @returns its path */
export async function configFile(t: Test, text: string): Promise<string> {
  const path = join(await directoryFor(t), 'roost.yaml')
  await writeFile(path, text)
  return path
}
