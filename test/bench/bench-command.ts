/** Runs one program, for which the benchmark waits only so long: it may be on a hanging mount. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const PATIENCE_MS = 120_000

export async function runCommand(program: string, args: string[]): Promise<void> {
  await promisify(execFile)(program, args, { timeout: PATIENCE_MS, killSignal: 'SIGKILL' })
}
