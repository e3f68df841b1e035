#!/usr/bin/env node
/** The command line tool. */

import { main } from '../lib/cli/main.ts'

process.exitCode = await main(process.argv)
