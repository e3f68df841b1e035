/** Runs one program, for which the benchmark waits only so long: it may be on a hanging mount. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const PATIENCE_MS = 600_000

export async function runCommand(program: string, args: readonly string[]): Promise<string> {
  const options = { timeout: PATIENCE_MS, killSignal: 'SIGKILL' } as const
  return (await promisify(execFile)(program, args, options)).stdout
}

/** Runs a module as this one is run. @returns what it prints */
export function runChild(module: string, args: readonly string[]): Promise<string> {
  return runCommand(process.execPath, [...process.execArgv, module, ...args])
}
