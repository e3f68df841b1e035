#!/usr/bin/env node
/** The command line tool. A supervisor does without most of it, and so does not load it. */

import { supervise, wantsSupervisor } from '../lib/cli/supervise.ts'

process.exitCode = wantsSupervisor(process.argv)
  ? await supervise(process.argv)
  : await (await import('../lib/cli/main.ts')).main(process.argv)
