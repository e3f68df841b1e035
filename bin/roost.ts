#!/usr/bin/env node
/** The command line tool. A supervisor does without most of it, and so does not load it. */

import { awaitTurn, isSpare } from '../lib/cli/await-turn.ts'
import { supervise, wantsSupervisor } from '../lib/cli/supervise.ts'

process.exitCode = wantsSupervisor(process.argv) ? await supervise(process.argv) : await run()

async function run(): Promise<number> {
  const { main } = await import('../lib/cli/main.ts')
  if (isSpare() && !awaitTurn()) return 0
  return main(process.argv)
}
